"""Addresses of probes, as people write them."""

from __future__ import annotations

import unittest

from cvec_circus.probes.address import Address, parse


class AddressTest(unittest.TestCase):
    def test_good_ones(self) -> None:
        for kind, target, host, port, path in (
            ("tcp", "127.0.0.1:80", "127.0.0.1", 80, ""),
            ("tcp", "[::1]:65535", "::1", 65535, ""),
            ("http", "web", "web", 80, "/"),
            ("https", "web/x", "web", 443, "/x"),
            ("http", "web:8080?a=b", "web", 8080, "/?a=b"),
            ("http", "web:8080/a?b=/c#d", "web", 8080, "/a?b=/c"),
        ):
            found = parse(kind, target)
            self.assertEqual((found.host, found.port, found.path), (host, port, path))
        self.assertEqual(parse("unix", "/run/s"), Address("unix", "/run/s", 0, "", "/run/s"))

    def test_bad_ones(self) -> None:
        for kind, target in (
            ("tcp", "127.0.0.1"),
            ("tcp", "127.0.0.1:0"),
            ("tcp", "127.0.0.1:65536"),
            ("tcp", "127.0.0.1:90$(circus.wd)"),
            ("tcp", ":80"),
            ("http", "user:secret@web/"),
            ("http", "web:x/"),
            ("http", "web:-1/"),
            ("http", "web/a b"),
            ("http", "web/a\r\nX: y"),
            ("http", "web/\u00e4"),
            ("http", "web/" + "a" * 5000),
            ("unix", "relative"),
            ("unix", "/" + "a" * 107),
            ("unix", "/a\0b"),
        ):
            with self.subTest(target[:40]), self.assertRaises(ValueError) as caught:
                parse(kind, target)
            self.assertNotIn("\n", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))

    def test_what_people_see(self) -> None:
        self.assertEqual(str(parse("http", "web:80/health?key=secret")), "http://web:80/health")
        self.assertEqual(str(parse("unix", "/run/s")), "unix:///run/s")
