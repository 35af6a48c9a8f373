"""What a process is called: the real thing, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAKE = "import sys\nsys.modules['setproctitle'] = sys\nsys.setproctitle = print\n"


class TestTitles(unittest.TestCase):
    def run_program(self, text: str) -> list[str]:
        head = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        tail = "\nsys.stdout.flush()\nprint(open('/proc/self/comm').read(), end='')"
        done = subprocess.run(
            [sys.executable, "-c", head + text + tail],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.splitlines()

    def test_a_name(self) -> None:
        text = "from cvec_circus.system import prctl\nprctl.set_name('web supervisor of ours')"
        self.assertEqual(self.run_program(text), ["web supervisor "])

    def test_a_title(self) -> None:
        text = "from cvec_circus.system import prctl\nprctl.set_title('ours')"
        self.assertEqual(self.run_program(text), ["ours"])
        self.assertEqual(self.run_program(FAKE + text), ["ours", "ours"])

    def test_without_proc(self) -> None:
        text = (
            "from cvec_circus.system import prctl\n"
            "prctl.COMM = '/no/such/file'\nprctl.set_name('x')"
        )
        self.assertNotEqual(self.run_program(text), ["x"])


if __name__ == "__main__":
    unittest.main()
