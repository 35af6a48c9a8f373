"""The paths that names have in Circus, and `main` of the modules that are programs there."""

from __future__ import annotations

import contextlib
import importlib
import io
import unittest
from unittest import mock

from cvec_circus import exc

HOMES = {
    "circusctl": "ctl.main",
    "circusd": "daemon.main",
    "plugins": "runtime.runner",
    "stats": "stats.program",
    "stats.client": "top.main",
}


class TestMain(unittest.TestCase):
    def test_each_ends_the_process(self) -> None:
        for module, home in HOMES.items():
            main = importlib.import_module(f"cvec_circus.{module}").main
            for code in (0, 3):
                with (
                    self.subTest(module=module, code=code),
                    mock.patch(f"cvec_circus.{home}.main", return_value=code) as ran,
                    self.assertRaises(SystemExit) as ended,
                ):
                    main(["a"])
                self.assertEqual(ended.exception.code, code)
                ran.assert_called_once_with(["a"])

    def test_the_exit_code_of_circusctl(self) -> None:
        from cvec_circus.circusctl import main

        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as ended:
            main(["--endpoint", "ipc:///no/such/daemon", "list"])
        self.assertEqual(ended.exception.code, exc.EXIT_UNREACHABLE)


if __name__ == "__main__":
    unittest.main()
