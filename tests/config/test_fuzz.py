"""Whatever a file says, it comes to a configuration or to a ConfigError, never to anything else."""

from __future__ import annotations

import random
import unittest

from cvec_circus.config.configuration import Configuration
from cvec_circus.exc import ConfigError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.watcher import PLUGIN_OPTIONS, WATCHER_OPTIONS
from tests.config.support import ConfigTestCase

HISTORIES = 250

SECTIONS = (
    "circus watcher:a watcher:A watcher: watcher:b.c socket:s socket: plugin:p plugin:a env env:a "
    "env:* env:[z-a] env:[! DEFAULT __many__ ___many___ x watcher:a] ] [ ; # configspec main"
).split(" ")
KEYS = [
    *(option.name for table in (WATCHER_OPTIONS, ARBITER_OPTIONS) for option in table),
    *(option.name for table in (SOCKET_OPTIONS, PLUGIN_OPTIONS) for option in table),
    *("x", "x.y", "__many__", "___many___", "__name__", "default", "", "a b", "é", "%(x)s", "None"),
]
VALUES = [
    *("", '""', "''", "None", "0", "1", "-1", "2", "1e9", "1e999", "nan", "9" * 50, "two", "true"),
    *("sleep 1", "$(circus.env.A)", "((circus.env.a))", "$(circus.", "$FOO", "${", "%(a)s", "a,b"),
    *("main.ini", "*", "[z-a]", "**/*" * 20, "/" * 99, "../" * 50, "A=1,B", "QUIT", "SIGRTMIN+99"),
    *("'unbalanced", '"', "\\", "\x00", "\ud800", "\u2028", "\x1b[0m", "x ; y", "; y", "# y", "\t"),
    *("FileStream", "tcp://x", "tcp://127.0.0.1:0", "list('a')", "default=1", "[a]", "AF_INET"),
]
SEPARATORS = ["=", " = ", ":", ": ", " ", "==", ""]
ENDS = ["\n", "\n", "\n", "\r\n", "\r", " \n", " ; x\n", "\n\n", "\n  ", "\n\t; ", "\n#"]


class TestFuzz(ConfigTestCase):
    def check(self, content: bytes, seed: int) -> None:
        try:
            configuration = self.load(content)
        except ConfigError as error:
            self.assertTrue(error.problems)
            self.assertFalse([line for line in error.problems if "\n" in line], f"seed {seed}")
        except Exception as error:
            raise AssertionError(f"seed {seed}: {content[:2000]!r}") from error
        else:
            self.assertIsInstance(configuration, Configuration)

    def test_likely_files(self) -> None:
        for seed in range(HISTORIES):
            chance = random.Random(seed)
            parts = []
            for _ in range(chance.randint(1, 25)):
                if chance.random() < 0.3:
                    parts.append(f"[{chance.choice(SECTIONS)}]")
                else:
                    parts += chance.choice(KEYS), chance.choice(SEPARATORS), chance.choice(VALUES)
                parts.append(chance.choice(ENDS))
            self.check("".join(parts).encode("utf-8", "surrogatepass"), seed)

    def test_one_key_in_one_section(self) -> None:
        """Every key with every value, in a file that is right otherwise."""
        for seed, key in enumerate(KEYS):
            chance = random.Random(seed)
            for kind in ("watcher:w", "circus", "socket:s", "plugin:p"):
                value = chance.choice(VALUES)
                text = f"[{kind}]\n{key} = {value}\ncmd = x\nuse = a.B\n"
                self.check(text.encode("utf-8", "surrogatepass"), seed)

    def test_random_characters(self) -> None:
        alphabet = "[]=:;# \t\r\n\"'%$(){}abcrem\\\x00\x85\u2028é😀circuswatcher:"
        for seed in range(HISTORIES):
            chance = random.Random(seed)
            text = "".join(chance.choices(alphabet, k=chance.randint(0, 400)))
            self.check(text.encode(), seed)

    def test_random_bytes(self) -> None:
        for seed in range(HISTORIES // 4):
            self.check(random.Random(seed).randbytes(seed), seed)


if __name__ == "__main__":
    unittest.main()
