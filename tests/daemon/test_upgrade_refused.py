"""An upgrade that cannot be: the daemon goes on as it was, whatever the new version does."""

from __future__ import annotations

import os
import signal
import unittest
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.daemon.test_survival import COUNTER, starts
from tests.support import installations
from tests.support.background import Background
from tests.support.daemon import alive, gone
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.upgrades import WEB, Asking, UpgradeCase, fifo


class RefusedCase(UpgradeCase):
    """Has a daemon that serves.

    Attributes:
        times: Those of the daemon that are shorter than usual.
    """

    times: Mapping[str, float] = MappingProxyType({})

    def setUp(self) -> None:
        super().setUp()
        wrapper = hurried(dict(self.times)) if self.times else ()
        self.served = self.daemon(COUNTER + WEB, wrapper=wrapper)
        self.served.wire.events.wait("watcher.web.start", 1)
        path = self.served.folder / "out.log"
        self.pids = self.served.wire.pids("count"), self.served.wire.pids("web")
        self.assertTrue(eventually(lambda: path.exists() and len(starts(path)) == 2))

    def refused(self, python: str, *texts: str, **properties: Any) -> None:
        """An upgrade is refused with these texts, and everything is as before."""
        told = self.served.wire.refused("upgrade", python=python, **properties)
        for text in (*texts, "the daemon goes on as it was"):
            self.assertIn(text, told)
        self.goes_on()

    def goes_on(self) -> None:
        """Nothing has happened."""
        daemon = self.served
        ping = daemon.call("ping")
        self.assertEqual((ping["version"], ping["run"]), ("0.1.0", daemon.run))
        self.assertEqual((daemon.wire.pids("count"), daemon.wire.pids("web")), self.pids)
        self.assertEqual(daemon.wire.events.of("upgraded"), [])
        path = daemon.folder / "out.log"
        before = path.read_text().count("\n")
        self.assertTrue(eventually(lambda: path.read_text().count("\n") > before + 5))
        for pid in self.pids[0]:
            numbers = starts(path)[pid]
            self.assertEqual(numbers, list(range(len(numbers))))

    def folder(self, name: str) -> Path:
        path = self.served.folder / name
        path.mkdir(exist_ok=True)
        return path


class TestRefusals(RefusedCase):
    """A new version that cannot take over leaves the old one serving."""

    def test_what_is_no_python(self) -> None:
        file = self.served.folder / "plain"
        file.write_text("nothing")
        for path in (str(file), "/nope/python", "no-such-python"):
            told = self.served.wire.refused("upgrade", python=path)
            self.assertIn("is not an executable program", told)
        file.chmod(0o755)
        self.refused(str(file), "it is not a program")
        self.refused("/bin/false", "exit code 1")
        self.refused("/bin/true", "it is not a Python with cvec_circus (exit code 0)")
        self.refused("/bin/echo", "it is not a Python with cvec_circus (exit code 0: -m ")

    def test_a_python_without_us(self) -> None:
        path = installations.python(self.folder("bare"), 'unset PYTHONPATH; set -- -S -I "$@"')
        self.refused(path, "No module named 'cvec_circus'")
        paths = f"export PYTHONPATH={installations.ROOT}"
        path = installations.python(self.folder("poor"), paths, 'set -- -S "$@"')
        self.refused(path, "this Python has no zmq")

    def test_one_that_breaks_after_its_trial(self) -> None:
        """The program of before is executed again, with all that was handed over."""
        python = boom()
        for _ in range(2):
            self.refused(python, "with cvec_circus 9.1 could not go on: RuntimeError('boom')")
        told = self.upgrade(self.served, installations.version("9.2"))
        self.assertEqual((told["version"], told["previous_version"]), ("9.2", "0.1.0"))

    def breaking(self, python: str, text: str) -> str:
        """Return a Python that writes a configuration when the daemon becomes it."""
        path = self.folder("breaking") / "python"
        there = self.served.folder / "next.ini"
        there.write_text(text)
        write = f'case "$*" in *daemon.main*) cp {there} {self.served.config};; esac'
        path.write_text(Path(python).read_text().replace("export", f"{write}\nexport", 1))
        path.chmod(0o755)
        return str(path)

    def test_a_file_that_breaks_after_the_trial(self) -> None:
        """The new daemon goes on with what was run; so does the old one if there is a way back."""
        daemon, text = self.served, self.served.config.read_text()
        python = self.breaking(boom(), f"{text}[watcher:more\n")
        self.refused(python, "could not go on: RuntimeError('boom')")
        self.assertIn("the configuration stays as it was", daemon.log.containing("stays as it was"))
        daemon.config.write_text(text)
        cases = {
            "[watcher:more\n": "not a section header",
            "[socket:more]\nport = 0\n": "other sockets",
            "[circus]\nstatsd = True\n": "statsd",
        }
        for more, said in cases.items():
            python = self.breaking(installations.version("9.1"), text + more)
            self.upgrade(daemon, python)
            self.assertIn(said, daemon.log.containing("stays as it was"))
            self.assertEqual((daemon.wire.pids("count"), daemon.wire.pids("web")), self.pids)
            daemon.config.write_text(f"{text}[watcher:more]\ncmd = sleep 100\n")
            told = daemon.call("reloadconfig", waiting=True)
            self.assertEqual([one["name"] for one in told["plan"]["watchers"]], ["more"])
            daemon.config.write_text(text)
            daemon.call("reloadconfig", waiting=True)

    def test_versions_that_break(self) -> None:
        cases = {
            "raises": ("boom", {"daemon.daemon": "raise ImportError('boom')"}),
            "without": ("No module named cvec_circus.daemon.trial", {"daemon.trial": None}),
            "dies": ("killed by SIGKILL", {"daemon.daemon": "import os; os.kill(os.getpid(), 9)"}),
            "format": ("reads 3", {"system.handover": _edited("system.handover", "FORMAT = 2", 3)}),
        }
        for number, (text, replaced) in cases.items():
            with self.subTest(number):
                self.refused(installations.version(number, **replaced), text)

    def test_a_file_that_would_need_a_restart(self) -> None:
        config, python = self.served.config, installations.version("9.1")
        text = config.read_text()
        config.write_text(text.replace("[circus]", "[circus]\nmax_processes = many"))
        self.refused(python, "max_processes", "many")
        config.write_text(text.replace("[circus]", "[circus]\nstatsd = True"))
        self.refused(python, "statsd", "restart")
        config.write_text(text.replace("port = 0", "port = 1"))
        self.refused(python, "other sockets", "reloadconfig")
        config.write_text(text)
        self.assertEqual(self.served.call("upgrade", python=python)["version"], "9.1")

    def test_one_that_is_gone_after_the_trial(self) -> None:
        folder = self.folder("gone")
        path = installations.python(folder, f"rm {folder}/python")
        self.refused(path, "cannot be executed: No such file or directory")
        self.assertEqual(
            self.served.call("upgrade", python=installations.version("9.1"))["version"], "9.1"
        )


class TestTrialTimeout(RefusedCase):
    """A new version that does not answer is killed."""

    times = MappingProxyType({"supervisor.survival.upgrade.TRIAL_TIMEOUT": 1.0})

    def test_a_version_that_hangs(self) -> None:
        hangs = {"daemon.daemon": "import select; select.select([], [], [])"}
        self.refused(installations.version("hangs", **hangs), "no exit within 1 s")


class TestFiles(UpgradeCase):
    """What the new version could not open again is found before the old one ends."""

    def test_files_that_cannot_be_opened_again(self) -> None:
        background = Background(self, "[watcher:a]\ncmd = sleep 100\n")
        folder = background.path("logs")
        folder.mkdir()
        circus = f"pidfile = logs/pid\nlogoutput = {folder}/log\n"
        text = background.config.read_text().replace("pidfile = pid\n", circus)
        background.config.write_text(text)
        background.up()
        pid = background.wire.call("ping")["pid"]
        python = installations.version("9.1")
        folder.rename(background.path("elsewhere"))
        told = background.wire.refused("upgrade", python=python)
        self.assertIn("log: No such file or directory", told)
        folder.mkdir()
        self.assertEqual(background.wire.call("upgrade", python=python)["version"], "9.1")
        self.assertEqual(background.wire.call("ping")["pid"], pid)
        self.assertEqual(int((folder / "pid").read_text()), pid)
        os.kill(pid, signal.SIGTERM)
        self.assertTrue(gone(pid))


class TestHooks(UpgradeCase):
    """Hooks that are being called are waited for."""

    def test_a_hook_that_ends_and_one_that_does_not(self) -> None:
        text = (
            "[watcher:slow]\ncmd = sleep 100\nautostart = False\n"
            "hooks.before_start = exec:sh -c 'read go <{DIR}/fifo'\n"
        )
        times = {"supervisor.survival.upgrade.SETTLE_TIMEOUT": 2.0}
        daemon = self.daemon(text, prepare=fifo, wrapper=hurried(times))
        python = installations.version("9.1")
        daemon.call("start", name="slow")
        told = daemon.wire.refused("upgrade", python=python)
        self.assertIn("hook before_start of slow has not answered", told)
        asking = Asking(daemon, "upgrade", {"python": python})
        self.addCleanup(asking.end)
        daemon.log.containing("upgrading")
        daemon.log.containing("upgrading")
        (daemon.folder / "fifo").write_text("go\n")
        self.assertEqual(asking.reply()["version"], "9.1")
        daemon.wire.events.next("watcher.slow.spawn")


class TestSignals(UpgradeCase):
    """A signal amid an upgrade does what it does at any other time."""

    def test_before_the_new_program(self) -> None:
        daemon = self.daemon(COUNTER)
        daemon.wire.events.wait("watcher.count.start", 1)
        pids = daemon.wire.pids("count")
        python = installations.version("9.1")
        asking = Asking(daemon, "upgrade", {"python": python})
        self.addCleanup(asking.end)
        daemon.log.containing(f"to {python}")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(any(map(alive, pids)))

    def test_amid_the_exec(self) -> None:
        daemon = self.daemon(COUNTER)
        daemon.wire.events.wait("watcher.count.start", 1)
        pids = daemon.wire.pids("count")
        kill = 'case "$*" in *daemon.main*) kill -TERM $$;; esac'
        python = daemon.folder / "python"
        text = Path(installations.version("9.1")).read_text()
        python.write_text(text.replace("export", f"{kill}\nexport", 1))
        python.chmod(0o755)
        asking = Asking(daemon, "upgrade", {"python": str(python)})
        self.addCleanup(asking.end)
        log = daemon.ended()
        self.assertTrue(any("cvec_circus 9.1 is up" in line for line in log), log)
        self.assertFalse(any(map(alive, pids)))


def boom() -> str:
    """Return the Python of a version that breaks when it reads the state after its trial."""
    path = installations.ROOT / "cvec_circus" / "supervisor" / "survival" / "handed.py"
    broken = "import sys\nif 'trial' not in sys.argv[0]:\n    raise RuntimeError('boom')\n"
    module = f"{path.read_text(encoding='utf-8')}\n{broken}"
    return installations.version("9.1", **{"supervisor.survival.handed": module})


def _edited(module: str, before: str, number: int) -> str:
    """Return the text of a module with another number in a line."""
    path = installations.ROOT / "cvec_circus" / f"{module.replace('.', '/')}.py"
    text = path.read_text(encoding="utf-8")
    assert before in text
    return text.replace(before, f"{before.rpartition(' ')[0]} {number}")


if __name__ == "__main__":
    unittest.main()
