"""What is an endpoint, and why something else is none."""

from __future__ import annotations

import unittest

from cvec_circus.options.endpoint import FORM, why_no_endpoint


class TestEndpoints(unittest.TestCase):
    def test_endpoints(self) -> None:
        for text in (
            *(
                "tcp://127.0.0.1:5555",
                "tcp://*:*",
                "tcp://lo:0",
                "tcp://[::1]:1",
                "tcp://::1:65535",
            ),
            *("ipc:///run/x", "ipc://x", "ipc://*", "ipc://@x", f"ipc://@{'x' * 200}"),
        ):
            self.assertEqual(why_no_endpoint(text), "", text)

    def test_none(self) -> None:
        for text, reason in (
            ("udp://x:1", "there is no transport udp"),
            ("TCP://x:1", "there is no transport TCP"),
            ("://x", "it has no transport"),
            ("tcp://127.0.0.1", "it has no port"),
            ("tcp://127.0.0.1:", "it has no port"),
            ("tcp://[::1]", "it has no port"),
            ("tcp://", "it has no port"),
            ("tcp://:5555", "it has no host"),
            ("tcp://x:99999", "99999 is more than 65535"),
            ("tcp://x:-1", "-1 is not a port"),
            ("tcp://x:5/y", "5/y is not a port"),
            ("tcp://x:\u0665", "\u0665 is not a port"),
            ("ipc://", "it names no file"),
            ("inproc://x", "no other process can reach it"),
        ):
            self.assertEqual(why_no_endpoint(text), f"not an endpoint: {reason}; {FORM}")
        for text in ("", " ", "5555", "ipc:/x", "127.0.0.1:5555", "tcp://a b:1", " tcp://x:1"):
            self.assertEqual(why_no_endpoint(text), f"not an endpoint; {FORM}")
        self.assertEqual(why_no_endpoint(f"ipc:///{'x' * 107}"), "File name too long")
