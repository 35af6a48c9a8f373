"""The rules of the architecture, checked on the source; and the checker, on made-up trees."""

from __future__ import annotations

import tempfile
import textwrap
import unittest
from collections.abc import Iterable
from pathlib import Path

from tests.support import architecture, rules

ROOT = Path(__file__).resolve().parent.parent


class TestTheTree(unittest.TestCase):
    """The package and its tests keep the rules."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.package = architecture.read(ROOT)
        cls.tests = architecture.read(ROOT, "tests")

    def assert_none(self, findings: Iterable[str]) -> None:
        """Fail with every finding on a line of its own, the paths as seen from the checkout."""
        lines = [line.replace(f"{ROOT}/", "") for line in findings]
        if lines:
            self.fail("\n".join([f"{len(lines)} found:", *lines]))

    def test_the_package_is_read(self) -> None:
        self.assertIn("cvec_circus.exc", self.package)
        self.assertIn("tests.test_layers", self.tests)

    def test_imports_go_downwards(self) -> None:
        self.assert_none(architecture.layers(self.package))

    def test_no_cycles(self) -> None:
        self.assert_none(architecture.cycles(self.package))

    def test_imports_stand_at_the_top(self) -> None:
        self.assert_none(architecture.late_imports(self.package))
        self.assert_none(architecture.unused_rows(self.package))

    def test_pure_packages_stay_pure(self) -> None:
        self.assert_none(architecture.purity(self.package))

    def test_files_are_short(self) -> None:
        self.assert_none(architecture.lengths(self.package))
        self.assert_none(architecture.lengths(self.tests))

    def test_lines(self) -> None:
        self.assert_none(rules.findings(self.package, rules.EVERYWHERE + rules.PACKAGE_ONLY))
        self.assert_none(rules.findings(self.tests, rules.EVERYWHERE))


class MadeUpTree(unittest.TestCase):
    """A package written for one test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("__init__", "")

    def write(self, name: str, text: str) -> None:
        """Put a module of that dotted name into the package; "x.__init__" makes a package."""
        path = self.root / "cvec_circus" / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def modules(self) -> dict[str, architecture.Module]:
        return architecture.read(self.root)

    def found(self, *findings: Iterable[str]) -> list[str]:
        """Collect findings, the paths as seen from the package."""
        package = f"{self.root}/cvec_circus/"
        return [line.replace(package, "") for lines in findings for line in lines]


class TestLayersAreFound(MadeUpTree):
    """What goes upwards or sideways is found, in each way an import can be written."""

    def layers(self) -> list[str]:
        return self.found(architecture.layers(self.modules()))

    def assert_one(self, place: str) -> None:
        lines = self.layers()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith(place), lines[0])
        self.assertIn("must not import", lines[0])

    def test_downwards_is_fine(self) -> None:
        self.write("core.watcher", "from cvec_circus.base import timers\nimport cvec_circus.exc")
        self.assertEqual(self.layers(), [])

    def test_own_package_is_fine(self) -> None:
        self.write("core.__init__", "")
        self.write("core.watcher", "from . import process\nfrom .process import x")
        self.write("core.process", "from cvec_circus import logger")
        self.assertEqual(self.layers(), [])

    def test_upwards(self) -> None:
        self.write("base.loop", "\nfrom cvec_circus.core.watcher import x")
        self.assert_one("base/loop.py:2: base.loop must not import cvec_circus.core.watcher")

    def test_upwards_by_module_name(self) -> None:
        self.write("core.watcher", "")
        self.write("core.__init__", "")
        self.write("base.loop", "from cvec_circus import core")
        self.assert_one("base/loop.py:1")

    def test_upwards_with_import(self) -> None:
        self.write("base.loop", "import cvec_circus.core.watcher as w")
        self.assert_one("base/loop.py:1")

    def test_upwards_relative(self) -> None:
        self.write("base.loop", "from ..core import watcher")
        self.assert_one("base/loop.py:1")

    def test_upwards_relative_from_a_package(self) -> None:
        self.write("base.__init__", "from ..core import watcher")
        self.assert_one("base/__init__.py:1")

    def test_sideways(self) -> None:
        self.write("stream.pump", "from cvec_circus.sockets import registry")
        self.assert_one("stream/pump.py:1")

    def test_type_checking_counts(self) -> None:
        self.write(
            "base.loop",
            """\
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from cvec_circus.supervisor.supervisor import Supervisor
            """,
        )
        self.assert_one("base/loop.py:3")

    def test_inside_a_function_counts(self) -> None:
        self.write("base.loop", "def f():\n    import cvec_circus.core")
        self.assert_one("base/loop.py:2")

    def test_the_client_side_does_not_see_the_daemon(self) -> None:
        self.write("plugins.plugin", "from cvec_circus.supervisor import supervisor")
        self.assert_one("plugins/plugin.py:1")

    def test_the_daemon_does_not_see_the_client_side(self) -> None:
        self.write("supervisor.supervisor", "from cvec_circus.plugins import plugin")
        self.assert_one("supervisor/supervisor.py:1")

    def test_a_single_module_is_permitted(self) -> None:
        self.write("system.signals", "")
        self.write("system.exits", "")
        self.write("commands.kill", "from cvec_circus.system.signals import to_signum")
        self.assertEqual(self.layers(), [])
        self.write("commands.kill", "from cvec_circus.system import exits")
        self.assert_one("commands/kill.py:1")

    def test_no_place(self) -> None:
        self.write("helpers", "")
        self.assertIn("helpers has no place in the layers", self.layers()[0])

    def test_the_package_itself(self) -> None:
        self.write("__init__", "def f():\n    from cvec_circus.arbiter import x")
        self.assertEqual(self.layers(), [])
        self.write("__init__", "from cvec_circus.arbiter import x")
        self.assert_one("__init__.py:1")


class TestShapesAreFound(MadeUpTree):
    """Circles, late imports, impure packages and long files are found."""

    def test_a_circle_of_three(self) -> None:
        self.write("base.a", "from cvec_circus.base import b")
        self.write("base.b", "from cvec_circus.base.c import x")
        self.write("base.c", "from typing import TYPE_CHECKING\nif TYPE_CHECKING: from . import a")
        self.write("base.d", "from cvec_circus.base import a")
        lines = self.found(architecture.cycles(self.modules()))
        ring = "cvec_circus.base.a -> cvec_circus.base.b -> cvec_circus.base.c -> "
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(ring + "cvec_circus.base.a", lines[0])

    def test_a_circle_through_a_package(self) -> None:
        self.write("base.__init__", "from cvec_circus.base.loop import Loop")
        self.write("base.loop", "from cvec_circus.base import Timer")
        self.assertEqual(len(self.found(architecture.cycles(self.modules()))), 1)

    def test_a_circle_through_the_package_of_what_is_imported(self) -> None:
        self.write("base.__init__", "from cvec_circus.base.loop import Loop")
        self.write("base.loop", "from cvec_circus.wire.topics import fold")
        self.write("base.clock", "")
        self.write("wire.__init__", "")
        self.write("wire.topics", "from cvec_circus.base.clock import SYSTEM")
        self.assertEqual(len(self.found(architecture.cycles(self.modules()))), 1)

    def test_two_circles(self) -> None:
        for first, second in ("ab", "ba", "cd", "dc", "ac"):
            self.write(f"base.{first}", f"import cvec_circus.base.{second}")
        self.write("base.a", "import cvec_circus.base.b, cvec_circus.base.c")
        self.assertEqual(len(self.found(architecture.cycles(self.modules()))), 2)

    def test_no_circle(self) -> None:
        self.write("base.a", "import cvec_circus.base.b, cvec_circus.base.c")
        self.write("base.b", "import cvec_circus.base.c")
        self.write("base.c", "")
        self.assertEqual(self.found(architecture.cycles(self.modules())), [])

    def test_late_imports(self) -> None:
        self.write("base.loop", "class A:\n    def f(self):\n        import json")
        late = "def f():\n    from cvec_circus.system.procfs import Sampler\n    import json"
        self.write("supervisor.sampler", late)
        self.write("daemon.main", "def f():\n    from cvec_circus.daemon import check")
        self.write("ctl.__init__", "def __getattr__(name):\n    from json import load")
        lines = self.found(architecture.late_imports(self.modules()))
        places = [line.partition(": ")[0] for line in lines]
        self.assertEqual(places, ["base/loop.py:3", "supervisor/sampler.py:3"])

    def test_rows_without_a_late_import(self) -> None:
        self.write("logs.log", "def f():\n    import json")
        self.write("daemon.main", "import json")
        rows = [line.split()[1] for line in architecture.unused_rows(self.modules())]
        self.assertEqual(len(rows), len(architecture.LATE_IMPORTS) - 1)
        self.assertIn("daemon.main", rows)

    def test_purity(self) -> None:
        self.write("core.watcher", "import heapq\nimport threading")
        self.write("wire.messages", "from zmq import Frame")
        lines = self.found(architecture.purity(self.modules()))
        places = [line.partition(": ")[0] for line in lines]
        self.assertEqual(places, ["core/watcher.py:2", "wire/messages.py:1"])

    def test_length(self) -> None:
        self.write("base.loop", "x = 1\n" * 400)
        self.write("base.long", "x = 1\n" * 401)
        lines = self.found(architecture.lengths(self.modules()))
        self.assertEqual(lines, ["base/long.py:1: 401 lines, 400 at most: split it"])


class TestLinesAreFound(MadeUpTree):
    """Each rule on lines finds what it is about, and leaves its neighbours alone."""

    def assert_lines(self, rule: rules.Rule, text: str, *expected: int) -> None:
        self.write("stream.pump", text)
        lines = self.found(rules.findings(self.modules(), (rule,)))
        places = [line.partition(": ")[0] for line in lines]
        self.assertEqual(places, [f"stream/pump.py:{line}" for line in expected], lines)

    def test_clock(self) -> None:
        text = (
            "import time\ntime.time()\ntime.monotonic_ns()\nf = time.monotonic\ntime.strftime('')"
        )
        self.assert_lines(rules.clock, text, 2, 3, 4)
        self.assert_lines(rules.clock, "from time import strftime, monotonic", 1)

    def test_the_clock_itself(self) -> None:
        self.write("base.clock", "import time\ntime.time()")
        self.assertEqual(self.found(rules.findings(self.modules(), (rules.clock,))), [])

    def test_sleeping(self) -> None:
        self.assert_lines(rules.sleeping, "import time\ntime.sleep(1)\nrun(['sleep', '1'])", 2)
        self.assert_lines(rules.sleeping, "from time import sleep\nsleep(1)", 1, 2)

    def test_preexec(self) -> None:
        self.assert_lines(rules.preexec, "Popen(a)\nPopen(a, preexec_fn=f)", 2)

    def test_importing(self) -> None:
        text = "from typing import Any, NamedTuple\nX = re.compile('x')\nY = 1"
        self.assert_lines(rules.importing, text, 1, 2)
        self.assert_lines(rules.importing, "def f():\n    x = re.compile('x')")

    def test_collecting(self) -> None:
        text = "os.waitpid(pid, 0)\nos.waitpid(-1, 0)\nos.wait()\nevent.wait()\nos.wait3(0)"
        self.assert_lines(rules.collecting, text, 2, 3, 5)

    def test_excepting(self) -> None:
        bare = "try:\n    f()\nexcept:\n    raise\n"
        self.assert_lines(rules.excepting, bare, 3)
        broad = "try:\n    f()\nexcept Exception:\n    pass\n"
        self.assert_lines(rules.excepting, broad, 3)
        narrow = "try:\n    f()\nexcept OSError:\n    pass\n"
        self.assert_lines(rules.excepting, narrow)

    def test_other_loops(self) -> None:
        self.assert_lines(rules.other_loops, "import json\nimport asyncio", 2)
        self.assert_lines(rules.other_loops, "from tornado.ioloop import IOLoop", 1)


if __name__ == "__main__":
    unittest.main()
