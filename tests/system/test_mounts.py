"""Which file system a path leads to."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

from cvec_circus.system import mounts
from cvec_circus.system.mounts import Mount

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 25 0:27 / /with\040blank rw shared:7 master:2 - tmpfs tmpfs rw
31 25 0:28 / /data rw,relatime - ext4 /dev/vdb rw
32 25 0:29 / /data rw,relatime - fuse.sshfs host: rw
33 25 254:0 /srv /bound rw,relatime - ext4 /dev/vda rw,discard
"""


class TestParsing(unittest.TestCase):
    def test_a_table(self) -> None:
        table = mounts.parse(TABLE.strip())
        self.assertEqual(sorted(table), ["/", "/bound", "/data", "/proc", "/with blank"])
        self.assertEqual(table["/with blank"], Mount("0:27", "/with blank", "tmpfs"))
        self.assertEqual(table["/data"].device, "0:29", "the later one covers the earlier one")
        self.assertEqual(table["/bound"].device, table["/"].device)
        remote = [point for point, mount in table.items() if mount.is_remote]
        self.assertEqual(remote, ["/data"])

    def test_the_real_one(self) -> None:
        table = mounts.read()
        for path in ("/", "/proc/self/stat"):
            mount = mounts.find(path, table)
            assert mount is not None
            status = os.stat(path)
            device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
            self.assertEqual(mount.device, device)


class TestFinding(unittest.TestCase):
    """Real links; made-up mounts."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(os.path.realpath(folder.name))
        self.table = {"/": Mount("0:1", "/", "ext4")}
        for number, (name, kind) in enumerate({"x": "ext4", "y": "xfs", "far": "nfs4"}.items()):
            (self.root / name).mkdir()
            point = str(self.root / name)
            self.table[point] = Mount(f"0:{number + 2}", point, kind)

    def device(self, path: object) -> str | None:
        mount = mounts.find(str(self.root / str(path)), self.table)
        return None if mount is None else mount.device

    def test_by_the_longest_mount_point(self) -> None:
        found = [self.device(path) for path in ("log", "x/log", "x/no/such/folder", "xx/log", "y")]
        self.assertEqual(found, ["0:1", "0:2", "0:2", "0:1", "0:3"])

    def test_through_links(self) -> None:
        for name, target in (
            ("absolute", self.root / "x/log"),
            ("folder", "y"),
            ("x/up", "../y/log"),
            ("twice", "folder/log"),
            ("nowhere", "x/is/not/there"),
            ("round", "round"),
        ):
            (self.root / name).symlink_to(target)
        found = {
            name: self.device(name)
            for name in ("absolute", "folder/log", "x/up", "twice", "nowhere", "round")
        }
        self.assertEqual(
            found,
            {
                "absolute": "0:2",
                "folder/log": "0:3",
                "x/up": "0:3",
                "twice": "0:3",
                "nowhere": "0:2",
                "round": "0:1",
            },
        )

    def test_nothing_in_a_remote_file_system_is_looked_at(self) -> None:
        (self.root / "far/link").symlink_to(self.root / "x")
        self.assertEqual(self.device("far/link/log"), "0:4")

    def test_without_a_table(self) -> None:
        self.assertIsNone(mounts.find("/any", {}))


if __name__ == "__main__":
    unittest.main()
