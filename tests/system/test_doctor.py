"""What a machine allows: each check, for machines that lack it."""

from __future__ import annotations

import json
import subprocess
import unittest
from unittest import mock

from cvec_circus.system import doctor
from cvec_circus.system.doctor import Check
from tests.support.daemon import script


class TestChecks(unittest.TestCase):
    def lacks(self, check: Check, found: str, lack: str, remedy: str) -> None:
        self.assertIn(found, check.found)
        self.assertIn(lack, check.lack)
        self.assertIn(remedy, check.remedy)
        self.assertFalse(check.row["ok"])

    def test_pidfds(self) -> None:
        old = doctor.judge_pidfds(False, False, "4.19.0")
        self.lacks(old, "no pidfds (Linux 4.19.0)", "a thread waits", "Linux 5.3")
        middle = doctor.judge_pidfds(True, False, "6.1.0-13")
        self.lacks(middle, "not its group", "stays a zombie", "Linux 6.9")
        self.assertTrue(doctor.judge_pidfds(True, True, "6.9.0").row["ok"])

    def test_exit_codes(self) -> None:
        for release in ("5.10.0", "6.9.3-arch1", "6.14", "nonsense"):
            check = doctor.judge_exit_codes(release)
            self.lacks(check, f"(Linux {release})", "may be unknown", "Linux 6.15")
        for release in ("6.15.0", "6.18.44-fc", "7.0-rc1"):
            self.assertTrue(doctor.judge_exit_codes(release).row["ok"])

    def test_ptrace(self) -> None:
        scope = doctor.judge_ptrace(False, 1000, 1)
        self.lacks(scope, "ptrace_scope is 1", "cannot take over", "kernel.yama.ptrace_scope=0")
        root = doctor.judge_ptrace(False, 0, 0)
        self.lacks(root, "root lacks", "other users", "--cap-add SYS_PTRACE")
        self.assertIn("of user 1000", doctor.judge_ptrace(False, 1000, 0).found)
        self.assertIn("every user", doctor.judge_ptrace(True, 0, 2).found)

    def test_users(self) -> None:
        with mock.patch.object(doctor, "has_capability", return_value=False):
            self.assertIn("do not start", doctor.users().lack)
        self.lacks(doctor.judge_users(7), "user 7 cannot become another", "do not start", "as root")
        self.lacks(doctor.judge_users(0), "root lacks CAP_SETUID", "not start", "--cap-add SETUID")

    def test_proc(self) -> None:
        self.lacks(doctor.judge_proc(False, True), "hides", "not named", "hidepid=0")
        self.assertTrue(doctor.proc().row["ok"])
        for there, found, remedy in (
            (FileNotFoundError(), "there is no /proc", "mount -t proc"),
            (["1"], "another pid namespace: it has this process as 1", "--mount-proc"),
        ):
            with mock.patch("os.readlink", side_effect=there):
                self.lacks(doctor.proc(), found, "the daemon does not start", remedy)
        self.lacks(doctor.judge_proc(True, False), "no children", "all of /proc", "CONFIG_PROC")

    def test_state_folder(self) -> None:
        self.lacks(doctor.judge_state_folder("/run", "ext4"), "/run is on ext4", "disk", "tmpfs")
        self.lacks(doctor.judge_state_folder("/run", ""), "known", "disk", "tmpfs")
        self.assertTrue(doctor.judge_state_folder("/run", "tmpfs").row["ok"])
        with mock.patch("os.access", return_value=False):
            self.lacks(doctor.state_folder(), "cannot write to", "second copies", "state_dir =")

    def test_cgroups(self) -> None:
        gone = "there is no cgroup v2 hierarchy: mount one (mount -t cgroup2 none FOLDER)"
        none = doctor.judge_cgroups("", [gone])
        self.lacks(none, "no cgroup v2 hierarchy", "any other SIGKILL", "mount one (mount -t")
        user = "user 1000 cannot make cgroups in /x; write Delegate=yes into the unit"
        self.lacks(doctor.judge_cgroups("", [user]), "/x", "limited", "write Delegate=yes")
        off = "the controller cpu is off; boot without cgroup_disable=cpu"
        check = doctor.judge_cgroups("/x", ["", off])
        self.lacks(check, "cpu is off", "cannot be limited", "boot without")
        self.assertTrue(doctor.judge_cgroups("/x", ["", ""]).row["ok"])

    def test_descriptors(self) -> None:
        few = doctor.judge_descriptors(120)
        self.lacks(few, "120 open files", "about 20 processes", "LimitNOFILE")

    def test_what_cannot_be_looked_at(self) -> None:
        with mock.patch.object(doctor.mounts, "TABLE", "/no/such/table"):
            checks = {check.name: check for check in doctor.examine()}
        self.lacks(checks["tmpfs"], "/no/such/table: No such file", "not known", "mount /proc")

    def test_every_check_has_its_name(self) -> None:
        self.assertEqual([check.name for check in doctor.examine()], list(doctor.LOOKS))


class TestDoctor(unittest.TestCase):
    """cvec_circusd --doctor."""

    def doctor(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = script("cvec_circusd", *words)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def test_for_people(self) -> None:
        done = self.doctor("--doctor")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = [line[:11].strip() for line in done.stdout.splitlines()]
        self.assertEqual(names, ["CHECK", *doctor.LOOKS])

    def test_as_json(self) -> None:
        checks = json.loads(self.doctor("--doctor", "--json").stdout)["checks"]
        self.assertEqual([check["name"] for check in checks], list(doctor.LOOKS))

    def test_usage(self) -> None:
        done = self.doctor("--json", "x.ini")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--json goes with --doctor", done.stderr)


if __name__ == "__main__":
    unittest.main()
