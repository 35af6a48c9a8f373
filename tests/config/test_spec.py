"""The checks of files are made from the tables, and the functions are those of the wire."""

from __future__ import annotations

import unittest

from configobj.validate import ValidateError, Validator

from cvec_circus.config.spec import _CHECKERS, check_of
from cvec_circus.exc import OptionError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.kinds import KINDS
from cvec_circus.options.option import Option
from cvec_circus.options.plugin import PLUGIN_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.watcher import WATCHER_OPTIONS

TEXTS = ("", "0", "1", "-1", "2.5", "99999999", "true", "QUIT", "x", "tcp://h:1", "debug", "022")


class TestChecks(unittest.TestCase):
    def test_language(self) -> None:
        self.assertEqual(check_of(Option("a", "text", None, "A.")), "text()")
        self.assertEqual(check_of(Option("a", "integer", 1, "A.", low=0)), "integer(low=0)")
        self.assertEqual(
            check_of(Option("a", "seconds", 1.0, "A.", low=0.5, high=9)),
            "seconds(low=0.5, high=9)",
        )
        self.assertEqual(
            check_of(Option("a", "choice", "x", "A.", choices=("x", "y z"))), 'choice("x", "y z")'
        )

    def test_every_kind_is_known(self) -> None:
        self.assertEqual(set(_CHECKERS), set(KINDS))

    def test_files_and_messages_are_judged_alike(self) -> None:
        validator = Validator(_CHECKERS)
        for table in (WATCHER_OPTIONS, ARBITER_OPTIONS, SOCKET_OPTIONS, PLUGIN_OPTIONS):
            for option in table:
                for text in TEXTS:
                    if not option.available or (option.default is None and not text):
                        continue
                    with self.subTest(option=option.name, text=text):
                        self.compare(validator, table, option, text)

    def compare(self, validator: Validator, table, option: Option, text: str) -> None:
        try:
            meant = table.convert_one(option.name, text)
        except OptionError as error:
            with self.assertRaises(ValidateError) as caught:
                validator.check(check_of(option), text)
            self.assertEqual(str(caught.exception), error.reason)
        else:
            self.assertEqual(validator.check(check_of(option), text), meant)


if __name__ == "__main__":
    unittest.main()
