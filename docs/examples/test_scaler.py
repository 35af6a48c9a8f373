"""Tests of the Scaler with a real arbiter. Run: python -m unittest test_scaler"""

import unittest

from scaler import Scaler

from cvec_circus.testing import ArbiterTestCase


class TestScaler(ArbiterTestCase):
    watchers = ({"name": "web", "cmd": "sleep 3600"},)

    def setUp(self):
        super().setUp()
        self.file = self.folder / "wanted"
        self.scaler = self.run_plugin(Scaler, watcher="web", file=str(self.file))

    def test_it_does_what_the_file_says(self):
        self.file.write_text("3")
        self.wait_event("watcher.web.updated")
        self.wait_event("watcher.web.spawn", wid=3)
        self.assertEqual(self.arbiter.get_watcher("web").numprocesses, 3)

    def test_a_death_is_none_of_its_business(self):
        self.assertIsNotNone(self.kill_and_wait("web"))
        self.catch_up(self.scaler)
        self.assertEqual(self.call("numprocesses", name="web")["numprocesses"], 1)

    def test_it_ends_in_order(self):
        self.stop_plugin(self.scaler)
        self.file.write_text("3")
        self.assertEqual(self.arbiter.statuses(), {"web": "active"})


if __name__ == "__main__":
    unittest.main()
