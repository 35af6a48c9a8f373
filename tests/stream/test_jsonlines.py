"""Lines as JSON objects."""

import json

from cvec_circus import exc
from cvec_circus.stream.source import Source
from tests.stream.support import FileStreamTestCase


class JsonTest(FileStreamTestCase):
    def rows(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def test_each_line_is_an_object(self):
        stream = self.stream(json="True", source=Source("web", "stderr"))
        stream.write(b'say "hi"\n\ncaf\xc3\xa9 \xff\nand', 7)
        stream.write(b" on\n", 7)
        row = {"time": self.clock.time(), "watcher": "web", "stream": "stderr", "pid": 7}
        texts = ['say "hi"', "", "caf\u00e9 \\xff", "and on"]
        self.assertEqual(self.rows(), [{**row, "text": text} for text in texts])

    def test_the_time_as_it_is_wanted(self):
        self.stream(json=True, time_format="T").write(b"x\n", 1)
        self.assertEqual(self.rows()[0]["time"], "T")

    def test_a_part_of_a_line(self):
        stream = self.stream(json=True)
        stream.write(b"name? ", 1)
        stream.look()
        stream.look()
        stream.write(b"me\n", 1)
        stream.write(b"end", 1)
        stream.finish(1)
        found = [(row["text"], row.get("partial")) for row in self.rows()]
        self.assertEqual(found, [("name? ", True), ("me", None), ("end", True)])

    def test_objects_stay_whole_when_a_file_is_full(self):
        stream = self.stream(json=True, max_bytes=300, backup_count=3)
        for number in range(8):
            stream.write(b"%d\n" % number, 1)
        text, sizes = self.texts()
        self.assertEqual([json.loads(line)["text"] for line in text.splitlines()], [*"01234567"])
        self.assertGreater(len(sizes), 1)

    def test_what_is_refused(self):
        with self.assertRaises(exc.OptionError):
            self.stream(json="perhaps")
