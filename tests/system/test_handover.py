"""What is handed over is read as it was written, and nonsense is found."""

from __future__ import annotations

import os
import unittest

from cvec_circus.system.handover import (
    FORMAT,
    VARIABLE,
    Handover,
    HandoverError,
    Inherited,
    receive,
)
from tests.support.leaks import LeakCheckedTestCase


class TestHandover(LeakCheckedTestCase):
    """A document, blocks of bytes, and files."""

    def test_there_and_back(self) -> None:
        read_end, write_end = os.pipe()
        out = Handover()
        blocks = [b"", b"one\ntwo\n", bytes(range(256))]
        document = {
            "pipe": out.file(read_end),
            "left": out.file(write_end),
            "blocks": [out.block(one) for one in blocks],
            "text": "\udcff é",
        }
        fd = out.write(document)
        environ = {VARIABLE: str(fd), "HOME": "/"}
        found = receive(environ)
        self.assertEqual(environ, {"HOME": "/"})
        assert found is not None
        self.assertEqual(found.document["text"], document["text"])
        self.assertEqual([found.block(place) for place in found.document["blocks"]], blocks)
        os.set_inheritable(read_end, True)
        found.hold()
        self.assertFalse(os.get_inheritable(read_end))
        self.assertEqual(found.file(found.document["pipe"]), read_end)
        with self.assertRaisesRegex(HandoverError, "in use twice"):
            found.file(read_end)
        found.close()
        self.assertEqual(os.read(read_end, 1), b"", "the end that nothing has taken is closed")
        os.close(read_end)

    def test_a_copy_is_read_wherever_it_stands(self) -> None:
        fd = Handover().write({"a": 1})
        second = os.dup(fd)
        for one in (fd, second):
            found = receive({VARIABLE: str(one)})
            assert found is not None
            self.assertEqual(found.document["a"], 1)

    def test_nothing_and_nonsense(self) -> None:
        self.assertIsNone(receive({}))
        for number in ("x", "9999", "-1"):
            with self.subTest(number), self.assertRaisesRegex(HandoverError, VARIABLE):
                receive({VARIABLE: number})
        for text in (b"", b"\n", b"[]\n", b'{"format": 1}\n', b'{"files": []}\n', b"\xff\n"):
            with self.subTest(text), self.assertRaisesRegex(HandoverError, "first line"):
                Inherited(text)
        with self.assertRaisesRegex(HandoverError, f"format 7, and this version reads {FORMAT}"):
            Inherited(b'{"format": 7, "files": []}\n')


if __name__ == "__main__":
    unittest.main()
