"""Where the functions of hooks come from, and what their modules may do."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import unittest
from typing import Any

from cvec_circus.options.hooks import Hook, Use
from cvec_circus.supervisor.hook_calls import doubts_of
from tests.supervisor.hook_case import HooksCase


class TestModules(HooksCase):
    def tearDown(self) -> None:
        sys.path[:] = [path for path in sys.path if path != str(self.folder)]
        for name in [name for name in sys.modules if name.startswith("hooks_of_a_test")]:
            del sys.modules[name]
        super().tearDown()

    def test_from_the_pythonpath_of_the_watcher(self) -> None:
        self.module("hooks_of_a_test1", "def yes(**given):\n    return True\n")
        watcher = self.watcher(
            env={"PYTHONPATH": str(self.folder)}, hooks={"before_start": "hooks_of_a_test1.yes"}
        )
        self.assertEqual(self.asked(watcher, "before_start"), "")
        self.assertEqual(sys.path.count(str(self.folder)), 1)

    def test_what_is_looked_for_before_it_is_called(self) -> None:
        self.module("hooks_of_a_test2", "raise SystemExit\ndef yes(**given): pass\n")
        folder = str(self.folder)
        for moment, target, pythonpath, said in (
            ("before_start", "hooks_of_a_test2.yes", folder, ""),
            ("before_start", "hooks_of_a_test2.yes", "", "there is no module hooks_of_a_test2 wh"),
            ("after_stop", "hooks_of_a_test2.no", folder, f"there is no no in {folder}/hooks_of"),
            ("after_stop", "exec:true -x", "", ""),
            ("after_stop", "exec:./nope.sh", "", f"there is no {folder}/nope.sh"),
        ):
            with self.subTest(target=target, pythonpath=pythonpath):
                use = Use(moment, Hook(target), pythonpath, "", folder)
                found = list(doubts_of([use, use]))
                self.assertEqual(len(found), bool(said))
                self.assertTrue("".join(found).startswith(said and f"hooks.{moment}: {said}"))
        self.assertNotIn("hooks_of_a_test2", sys.modules)

    def test_what_is_not_there(self) -> None:
        watcher = self.watcher(hooks={"before_start": "hooks_of_a_test_not_there.yes"})
        with self.assertLogs("cvec_circus", "DEBUG") as logs:
            said = self.asked(watcher, "before_start")
        why = "ModuleNotFoundError: No module named 'hooks_of_a_test_not_there'"
        lines = [line for line in logs.output if line.startswith("ERROR")]
        traced = [one.levelname for one in logs.records if one.exc_info]
        self.assertEqual(traced, ["DEBUG"], "all of it is for --log-level debug")
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].endswith(f": hook before_start failed: {why}"), lines[0])
        self.assertIn("failed: ModuleNotFoundError: No module named 'hooks_of_a_test_not", said)

    def test_from_the_virtualenv_of_the_watcher(self) -> None:
        version = "{}.{}".format(*sys.version_info[:2])
        packages = self.folder / "lib" / f"python{version}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "hooks_of_a_test4.py").write_text("def yes(**given):\n    return True\n")
        self.addCleanup(lambda: sys.path.remove(str(packages)))
        watcher = self.watcher(
            virtualenv=str(self.folder),
            copy_env=True,
            hooks={"before_start": "hooks_of_a_test4.yes"},
        )
        self.assertEqual(self.asked(watcher, "before_start"), "")

    def test_a_process_that_it_forks_ends_with_it(self) -> None:
        with contextlib.suppress(ImportError):
            importlib.import_module("tornado.ioloop")  # beside which idle loops are looked for
        for after, expected in ((lambda: True, 0), (lambda: sys.exit(3), 3), (lambda: 1 / 0, 1)):
            read_end, write_end = os.pipe()

            def fork(**_: Any) -> Any:
                child = os.fork()
                if not child:
                    os.close(read_end)  # noqa: B023
                    return after()  # noqa: B023
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                os.write(write_end, b"%d" % status)  # noqa: B023
                return True

            with self.subTest(expected):
                watcher = self.watcher(hooks={"before_start": fork})
                self.assertEqual(self.asked(watcher, "before_start"), "")
                self.assertEqual(int(os.read(read_end, 10)), expected)
                self.no_answer()
            os.close(read_end)
            os.close(write_end)

    def test_a_module_that_leaves(self) -> None:
        self.module("hooks_of_a_test2", "import sys\nsys.exit('out')\n")
        watcher = self.watcher(
            env={"PYTHONPATH": str(self.folder)}, hooks={"before_start": "hooks_of_a_test2.x"}
        )
        with self.assertLogs("cvec_circus", "ERROR"):
            said = self.asked(watcher, "before_start")
        self.assertEqual(said, "hook before_start failed: it has called sys.exit('out')")

    def test_what_is_set_is_read_again(self) -> None:
        self.module("hooks_of_a_test3", "def a(**given):\n    return True\n")
        watcher = self.watcher(
            env={"PYTHONPATH": str(self.folder)}, hooks={"before_start": "hooks_of_a_test3.a"}
        )
        self.assertEqual(self.asked(watcher, "before_start"), "")
        self.module("hooks_of_a_test3", "def new_one(**given):\n    return 0\n")
        changed = self.watcher(hooks={"before_start": "hooks_of_a_test3.new_one"}).options["hooks"]
        self.loop.ask(watcher.change, {"hooks": changed})
        self.assertEqual(self.asked(watcher, "before_start"), "hook before_start said no")


if __name__ == "__main__":
    unittest.main()
