"""Units of systemd are found by what they start, and read as systemd reads them."""

from __future__ import annotations

import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.system import units
from tests.support.daemon import folder


class TestUnits(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)
        self.config = self.folder / "web.ini"
        self.config.touch()
        folders = [str(self.folder / name) for name in ("etc", "lib")]
        patch = mock.patch.object(units, "SYSTEM_FOLDERS", folders)
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, path: str, *lines: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["[Unit]", "KillMode=none", *lines, ""]))

    def start(self, config: object = "") -> str:
        return f"ExecStart=/usr/bin/cvec_circusd {config or self.config}"

    def found(self) -> list[tuple[str, str]]:
        environ = {"XDG_CONFIG_HOME": str(self.folder / "home")}
        found = units.starting("cvec_circusd", str(self.config), environ)
        return [(str(Path(one.path).relative_to(self.folder)), one.kill_mode) for one in found]

    def test_by_what_they_start(self) -> None:
        (self.folder / "link.ini").symlink_to(self.config)
        self.write("etc/a.service", "[Service]", self.start())
        self.write("etc/b.service", "[Service]", "ExecStart=/usr/bin/other " + str(self.config))
        self.write("etc/c.service", "[Service]", self.start("/etc/other.ini"))
        self.write("etc/d.service", "[Service]", "ExecStart=-/x/python \\\n /x/cvec_circusd "
                   f"--log-level debug {self.folder}/link.ini")  # fmt: skip
        self.write("etc/e.service", "[Service]", "ExecStart=cvec_circusd 'unbalanced")
        self.write("home/systemd/user/f.service", "[Service]", self.start())
        names = ["etc/a.service", "etc/d.service", "home/systemd/user/f.service"]
        self.assertEqual([name for name, _ in self.found()], names)

    def test_the_last_word_counts(self) -> None:
        self.write("lib/a.service", "[Service]", self.start(), "KillMode=process")
        self.assertEqual(self.found(), [("lib/a.service", "process")])
        self.write("lib/a.service.d/9.conf", "[Service]", "KillMode = mixed")
        self.assertEqual(self.found(), [("lib/a.service", "mixed")])
        self.write("etc/a.service.d/9.conf", "[Service]", "KillMode=")
        self.assertEqual(self.found(), [("lib/a.service", "control-group")])
        self.write("etc/a.service", "[Service]", "ExecStart=/bin/true")  # it hides the other
        self.assertEqual(self.found(), [])

    def test_none(self) -> None:
        self.assertEqual(self.found(), [])
        (self.folder / "etc/a.service").mkdir(parents=True)
        self.assertEqual(self.found(), [])


if __name__ == "__main__":
    unittest.main()
