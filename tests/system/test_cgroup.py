"""Where cgroups are, what may be done there, and the tree of a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.system import cgroup, mounts
from cvec_circus.system.cgroup import CgroupError, Tree
from cvec_circus.system.mounts import Mount
from tests.support import cgroups
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase

UNIFIED = "30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
PART = "30 22 0:26 /box/one /my\\040groups rw - cgroup2 cgroup2 rw\n"


class TestPlaces(unittest.TestCase):
    """Made-up tables."""

    def test_our_own_path(self) -> None:
        self.assertEqual(cgroup.own_path("9:name=systemd:/x\n4:memory:/y\n0::/a/b\n"), "/a/b")
        self.assertEqual(cgroup.own_path("0::/\n"), "/")
        self.assertIsNone(cgroup.own_path("4:memory:/y\n"))

    def folder(self, path: str, table: str) -> str:
        return cgroup.folder_of(path, mounts.parse(table))

    def test_the_mount_point_is_looked_up(self) -> None:
        for path, table, expected in (
            ("/", UNIFIED, "/sys/fs/cgroup"),
            ("/system.slice/a.service", UNIFIED, "/sys/fs/cgroup/system.slice/a.service"),
            ("/a", HYBRID, "/sys/fs/cgroup/unified/a"),
            ("/box/one", PART, "/my groups"),
            ("/box/one/a", PART, "/my groups/a"),
            ("/a", PART + HYBRID, "/sys/fs/cgroup/unified/a"),
        ):
            with self.subTest(path):
                self.assertEqual(self.folder(path, table), expected)

    def test_without_a_hierarchy_it_says_what_to_do(self) -> None:
        with self.assertRaisesRegex(CgroupError, r"^there is no cgroup v2 hierarchy: mount one"):
            self.folder("/a", "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n")
        with self.assertRaisesRegex(CgroupError, r"our own cgroup /box/ones is not below /my gr"):
            self.folder("/box/ones", PART)

    def test_a_folder_in_another_file_system(self) -> None:
        here = folder(self)
        with self.assertRaisesRegex(CgroupError, r"is in a \w+ file system, not cg"):
            cgroup.base(str(here))
        self.assertIn("name a folder below a cgroup v2 mount", cgroup.why_none(str(here)))

    def test_a_folder_that_cannot_be_written_to(self) -> None:
        here = folder(self)
        table = {"/": Mount("0:1", "/", cgroup.KIND)}
        with mock.patch.object(mounts, "read", return_value=table):
            self.assertEqual(cgroup.base(f"{here}/new/"), f"{here}/new")
            self.assertIn(f"there is no {here}/a; make it", cgroup.why_none(f"{here}/a/b"))
            with mock.patch.object(os, "access", return_value=False):
                self.assertIn("write Delegate=yes into the unit", cgroup.why_none(str(here)))
            with mock.patch.object(os, "statvfs", return_value=mock.Mock(f_flag=os.ST_RDONLY)):
                self.assertIn("is mounted read-only; in a cont", cgroup.why_none(str(here)))

    def test_processes_that_may_not_be_moved_there(self) -> None:
        here = folder(self)
        (here / "a").mkdir()
        own = mock.patch.object(cgroup, "own_folder", return_value=f"{here}/b")
        table = {"/": Mount("0:1", "/", cgroup.KIND)}
        with own, mock.patch.object(mounts, "read", return_value=table):
            self.assertEqual(cgroup.why_none(f"{here}/a"), "")  # root may
            with mock.patch.object(os, "geteuid", return_value=1000):
                said = f"user 1000 cannot move processes to {here}/a, for lack of the right to"
                self.assertIn(f"{said} write {here}/cgroup.procs", cgroup.why_none(f"{here}/a"))
                (here / "cgroup.procs").touch()
                self.assertEqual(cgroup.why_none(f"{here}/a"), "")

    def test_a_daemon_in_a_leaf_makes_its_tree_beside_that(self) -> None:
        here = folder(self)
        for inside in (f"{here}/{cgroup.PREFIX}12ab/{cgroup.LEAF}", f"{here}/{cgroup.LEAF}"):
            with mock.patch.object(cgroup, "own_folder", return_value=inside):
                self.assertEqual(cgroup.base("auto"), str(here))


class TestControllers(unittest.TestCase):
    """Made-up files."""

    def test_what_is_there_is_read(self) -> None:
        here = folder(self)
        (here / "cgroup.controllers").write_text("cpu pids\n")
        self.assertEqual(cgroup.why_no_controller("pids", str(here)), "")
        self.assertIn("memory", cgroup.why_no_controller("memory", str(here)))

    def test_each_reason_says_what_would_grant_it(self) -> None:
        for row, reason in (
            (["0", "1", "1"], "is not given to /a; write Delegate=yes into the unit, or +memory"),
            (["4", "58", "1"], "is in a cgroup v1 hierarchy; boot with cgroup_no_v1=memory"),
            (["0", "1", "0"], "is off; boot without cgroup_disable=memory"),
        ):
            said = cgroup._why_no_controller("memory", "/a", {"memory": row})
            self.assertIn(f"the controller memory {reason}", said)
        said = cgroup._why_no_controller("memory", "/a", {"cpu": ["0", "1", "1"]})
        self.assertEqual(said, "this kernel has no controller memory")
        self.assertIn("Delegate=yes", cgroup._why_no_controller("memory", "/a", {}))

    def test_counts(self) -> None:
        text = "low 0\nhigh 3\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n"
        self.assertEqual(cgroup.counts(text)["oom_kill"], 1)
        self.assertEqual(cgroup.counts("populated 1\nfrozen 0\nnew kind of line\n")["populated"], 1)


class TestTree(LeakCheckedTestCase):
    """The real hierarchy."""

    def setUp(self) -> None:
        super().setUp()
        self.above = cgroups.own(self)

    def make_above(self) -> None:
        """Make it, as a person has: no tree removes it then."""
        self.above.mkdir()
        self.addCleanup(self.above.rmdir)

    def tree(self, run: str, moves: bool = False) -> Tree:
        tree = Tree(str(self.above), run, moves)
        self.addCleanup(tree.close)
        return tree

    def test_nothing_is_left_of_it(self) -> None:
        tree = self.tree("a")
        Path(tree.folder, "web-1").mkdir()
        self.assertEqual(tree.close(), [])
        self.assertFalse(self.above.exists())

    def test_a_process_that_moves_comes_back(self) -> None:
        before = cgroup.own_folder()
        tree = self.tree("a", moves=True)
        self.assertEqual(cgroup.own_folder(), f"{tree.folder}/{cgroup.LEAF}")
        tree.close()
        self.assertEqual(cgroup.own_folder(), before)

    def test_the_next_one_removes_what_is_left_of_the_dead_alone(self) -> None:
        self.make_above()
        for name in ("cvec_circus-dead/web-1", "others"):
            (self.above / name).mkdir(parents=True)
        live = self.tree("live")
        self.assertEqual(self.tree("new").left, [])
        there = sorted(path.name for path in self.above.iterdir() if path.is_dir())
        self.assertEqual(there, ["cvec_circus-live", "cvec_circus-new", "others"])
        self.assertTrue(os.path.isdir(live.folder))
        (self.above / "others").rmdir()

    def test_what_still_runs_keeps_its_cgroup(self) -> None:
        self.make_above()
        left = self.above / "cvec_circus-dead" / "web-1"
        left.mkdir(parents=True)
        (left.parent / "empty-2").mkdir()
        process = subprocess.Popen(["sleep", "60"])
        cgroup.write(str(left), "cgroup.procs", str(process.pid))
        self.assertEqual(self.tree("new").left, [str(left)])
        self.assertEqual([path.name for path in left.parent.iterdir() if path.is_dir()], ["web-1"])
        self.assertEqual(cgroup.pids(str(left)), [process.pid])
        self.assertFalse(cgroup.remove(str(left)))
        self.assertTrue(cgroup.kill(str(left)))
        self.assertEqual(process.wait(), -signal.SIGKILL)
        self.assertEqual(self.tree("newer").left, [])
        self.assertFalse(left.exists())

    def test_a_kernel_that_cannot_kill_a_cgroup(self) -> None:
        self.assertFalse(cgroup.kill(str(folder(self))))

    def test_a_tree_that_cannot_be_made_leaves_nothing(self) -> None:
        with mock.patch.object(cgroup, "write", side_effect=PermissionError(13, "no")):
            with self.assertRaises(PermissionError):
                Tree(str(self.above), "a", moves=True)
        self.assertFalse(self.above.exists())


if __name__ == "__main__":
    unittest.main()
