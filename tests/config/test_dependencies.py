"""What --check finds of depends_on and part_of."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from cvec_circus.config.examination import examine


class TestDependencies(unittest.TestCase):
    def found(self, text: str) -> list[str]:
        """Check a file; return its findings without the folder."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.ini"
            path.write_text(text)
            everything = examine(str(path), {}, folder).build.findings.everything()
        kinds = {True: "problem", False: "warning"}
        place = f"{path}:"
        return [f"{kinds[one.is_problem]} {one.line.replace(place, '')}" for one in everything]

    def watchers(self, **options: str) -> str:
        """A file of watchers: two lines each, then their options."""
        rows = [f"[watcher:{name}]\ncmd = sleep 1\n{rest}\n" for name, rest in options.items()]
        return "".join(rows)

    def test_nothing_wrong(self) -> None:
        text = self.watchers(DB="", web="depends_on = db", part="part_of = Db, web")
        self.assertEqual(self.found(text), [])

    def test_a_plugin_for_a_watcher_that_is_not_there(self) -> None:
        text = (
            "[plugin:rw]\nuse = resource_watcher\nwatcher = wbe\nmax_cpu = 1\n"
            "[plugin:http]\nuse = cvec_circus.plugins.http_observer.HttpObserver\n"
            "restart_on_error = other\n[plugin:mine]\nuse = a.B\nwatcher = other\n"
            "[plugin:right]\nuse = autoscaler\nwatcher = WEB\n"
        )
        self.assertEqual(
            self.found(self.watchers(web="") + text),
            [
                "warning 6: [plugin:rw] watcher: there is no watcher wbe; did you mean web?",
                "warning 10: [plugin:http] restart_on_error: there is no watcher other",
            ],
        )

    def test_a_name_that_is_not_there(self) -> None:
        text = self.watchers(web="depends_on = dbb", db="part_of = other")
        self.assertEqual(
            self.found(text),
            [
                "problem 3: [watcher:web] depends_on: there is no watcher dbb; did you mean db?",
                "problem 6: [watcher:db] part_of: there is no watcher other",
            ],
        )

    def test_a_slip_in_a_list_of_watchers_is_a_problem(self) -> None:
        text = self.watchers(db="", web="depends_on = db:redy, sharde, db:startd")
        (said,) = self.found(text)
        self.assertRegex(
            said, "problem 6: .* 'redy' is not a condition; did you mean ready.*'startd'"
        )
        text = self.watchers(web="depends_on = somebody else")
        self.assertRegex(self.found(text)[0], "problem 3: .*there is no watcher somebody else")
        self.assertEqual(self.found(self.watchers(db="", web="depends_on = db,")), [])

    def test_what_is_written_in_another_way(self) -> None:
        for key, text, said in (
            ("depends_on", "db cache", "there is no watcher db cache; write db, cache"),
            ("depends_on", "db;cache", "there is no watcher db;cache; write db, cache"),
            ("depends_on", "db=ready", "there is no watcher db=ready; write db:ready"),
            ("depends_on", "db ready", "there is no watcher db ready; write db:ready"),
            ("part_of", "db:ready", "there is no watcher db:ready; write db, without a condition"),
            ("depends_on", "db:", "'db:' lacks a condition"),
            ("depends_on", "db, :ready", "':ready' lacks a name"),
            ("depends_on", "db, db:started", "db is there twice, with two conditions"),
        ):
            with self.subTest(text):
                found = self.found(self.watchers(db="", cache="", web=f"{key} = {text}"))
                self.assertEqual(found, [f"problem 9: [watcher:web] {key}: {said}"])
        for text in ("db:service_healthy", "db:process_healthy", "db : Ready", "DB:ready"):
            with self.subTest(text):
                self.assertEqual(self.found(self.watchers(db="", web=f"depends_on = {text}")), [])

    def test_an_end_that_never_comes(self) -> None:
        jobs = {"job": "respawn = False", "db": "", "web": "depends_on = job:succeeded"}
        self.assertEqual(self.found(self.watchers(**jobs)), [])
        for condition in ("succeeded", "completed"):
            text = self.watchers(**{**jobs, "web": f"depends_on = job, DB:{condition}"})
            said = (
                f"db never has {condition}, because its processes are started again; write "
                "DB:ready, or respawn = False in [watcher:db]"
            )
            self.assertEqual(self.found(text), [f"warning 9: [watcher:web] depends_on: {said}"])

    def test_itself(self) -> None:
        text = self.watchers(web="depends_on = WEB:started", db="part_of = db")
        self.assertEqual(
            self.found(text),
            [
                "problem 3: [watcher:web] depends_on: web would wait for itself",
                "problem 6: [watcher:db] part_of: db would wait for itself",
            ],
        )

    def test_a_circle_is_told_once_with_its_way(self) -> None:
        text = self.watchers(a="depends_on = B", b="part_of = c", c="depends_on = d, a", d="")
        way = "a circle, in which each waits for the next: a -> b -> c -> a"
        self.assertEqual(self.found(text), [f"problem 3: [watcher:a] depends_on: {way}"])

    def test_one_that_waits_for_a_circle(self) -> None:
        text = self.watchers(web="depends_on = a", a="depends_on = b", b="depends_on = a")
        way = "a circle, in which each waits for the next: a -> b -> a"
        self.assertEqual(self.found(text), [f"problem 6: [watcher:a] depends_on: {way}"])

    def test_another_order_than_the_priorities(self) -> None:
        text = self.watchers(web="priority = 5\ndepends_on = db", db="priority = 2")
        said = "5 is higher than that of db (2), which web depends on: db starts first all the same"
        self.assertEqual(self.found(text), [f"warning 3: [watcher:web] priority: {said}"])
        text = self.watchers(web="priority = 2\ndepends_on = db", db="priority = 5")
        self.assertEqual(self.found(text), [])

    def test_many(self) -> None:
        rows = {f"w{n}": f"depends_on = w{n + 1}" for n in range(200)}
        (told,) = self.found(self.watchers(**rows))
        self.assertIn("there is no watcher w200", told)


if __name__ == "__main__":
    unittest.main()
