"""What the sampler sees of real processes, in the words of the wire."""

import json
import os
import pwd
import signal
import unittest
import unittest.mock

import psutil

from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.figures import size_text, time_text
from cvec_circus.system import procfs, proctable
from cvec_circus.system.procfs import Sampler, command_name, program_name
from tests.support.children import Child
from tests.support.clock import FakeClock
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase

KEYS = {
    "pid", "cmdline", "command", "username", "nice", "cpu", "mem", "mem_info1", "mem_info2",
    "ctime", "create_time", "age", "children",
}  # fmt: skip


class TextTest(unittest.TestCase):
    def test_sizes(self):
        for size, text in {
            0: "0B",
            1000: "1000B",
            1023: "1023B",
            1024: "1.00K",
            10239: "10.00K",
            1048575: "1024.00K",
            1519616: "1.45M",
            123456789: "117.74M",
            5 * 1024**3: "5.00G",
            1024**8: "1.00Y",
        }.items():
            self.assertEqual(size_text(size), text)

    def test_times(self):
        for seconds, text in {
            0: "0:00.0",
            0.07: "0:00.07",
            0.21: "0:00.21",
            0.30: "0:00.30",
            0.1 + 0.2: "0:00.30",
            1.5: "0:01.50",
            59.99: "0:59.99",
            60: "1:00.0",
            62.23: "1:02.23",
            3600: "60:00.0",
        }.items():
            self.assertEqual(time_text(seconds), text)

    def test_names(self):
        self.assertEqual(command_name(["/usr/bin/python3.11", "-m", "x"]), "python3.11")
        self.assertEqual(command_name(["nginx: master /usr/sbin/nginx"]), "nginx:")
        self.assertEqual(command_name(["it's"]), "it's")
        self.assertEqual(command_name([]), "N/A")
        self.assertEqual(command_name([" "]), "N/A")

    def test_what_an_interpreter_runs(self):
        for line, name in (
            ("/usr/bin/python3.11 /srv/bin/gunicorn app:app", "gunicorn"),
            ("python -m celery -A app worker", "celery"),
            ("python3 -W error -u serve.py 8000", "serve.py"),
            ("python3 -X dev -c pass", "python3"),
            ("python3 -m cvec_circus.runtime.runner", "cvec_circus-plugin"),
            ("java -Xmx1g -cp lib -jar app.jar", "app.jar"),
            ("sh -c true", "sh"),
            ("sh", "sh"),
            ("sleep 5", "sleep"),
            ("pythonic x", "pythonic"),
        ):
            self.assertEqual(program_name(line.split()), name, line)
        self.assertEqual(program_name(["nginx: master /usr/sbin/nginx"]), "nginx")
        self.assertEqual(program_name([]), "N/A")


class SamplerTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        self.sampler = Sampler()

    def test_the_fields_of_the_wire(self):
        child = Child(self, "wait")
        (sample,) = self.sampler.sample([child.pid]).values()
        self.assertEqual(set(sample), KEYS)
        self.assertEqual(sample["pid"], child.pid)
        self.assertRegex(sample["cmdline"], "^python")
        self.assertEqual(sample["username"], pwd.getpwuid(os.getuid()).pw_name)
        self.assertEqual(sample["nice"], os.getpriority(os.PRIO_PROCESS, child.pid))
        self.assertEqual(sample["cpu"], 0.0)
        self.assertGreater(sample["mem"], 0.0)
        self.assertRegex(sample["mem_info1"], r"^\d+\.\d\d[KMG]$")
        self.assertRegex(sample["mem_info2"], r"^\d+\.\d\d[KMG]$")
        self.assertRegex(sample["ctime"], r"^\d+:\d\d\.(0|\d\d)$")
        self.assertLess(abs(sample["create_time"] + sample["age"] - SYSTEM.time()), 60)
        self.assertEqual(sample["children"], [])
        json.dumps(sample)

    def test_children_and_those_below_in_the_same_shape(self):
        child = Child(self, "tree", 2)
        below = proctable.descendants(child.pid)
        (sample,) = self.sampler.sample([child.pid]).values()
        (first,) = sample["children"]
        (second,) = first["children"]
        self.assertEqual([first["pid"], second["pid"]], below)
        self.assertEqual((set(first), set(second)), (KEYS, KEYS))
        self.assertEqual(second["children"], [])

    def test_without_children(self):
        child, other = Child(self, "tree", 1), Child(self, "tree", 1)
        samples = self.sampler.sample([child.pid], alone=[other.pid])
        self.assertEqual(len(samples[child.pid]["children"]), 1)
        self.assertEqual(samples[other.pid]["children"], [])

    def test_a_child_wanted_beside_its_parent_is_whole_in_both_places(self):
        child = Child(self, "tree", 2)
        below = proctable.descendants(child.pid)
        samples = self.sampler.sample([child.pid, below[0], child.pid])
        self.assertEqual(list(samples), [child.pid, below[0]])
        self.assertEqual(samples[child.pid]["children"], [samples[below[0]]])

    def test_what_is_gone_or_a_zombie_is_left_out(self):
        zombie, gone, child = (Child(self, "wait") for _ in range(3))
        self.sampler.sample([zombie.pid, gone.pid, child.pid])
        os.kill(zombie.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not proctable.row(zombie.pid).runs))
        gone.end()
        wanted = [zombie.pid, gone.pid, child.pid]
        for samples in (self.sampler.sample(wanted), self.sampler.sample([], alone=wanted)):
            self.assertEqual(list(samples), [child.pid])
        self.assertNotIn(gone.pid, self.sampler._known)

    def test_what_goes_while_it_is_looked_at_is_left_out(self):
        child = Child(self, "wait")
        with unittest.mock.patch.object(
            psutil.Process, "cmdline", side_effect=psutil.NoSuchProcess(child.pid)
        ):
            self.assertEqual(self.sampler.sample([child.pid]), {})

    def test_what_we_may_not_know_is_not_available(self):
        child = Child(self, "wait")
        denied = unittest.mock.Mock(side_effect=psutil.AccessDenied(child.pid))
        with unittest.mock.patch.multiple(psutil.Process, cmdline=denied, username=denied):
            (sample,) = self.sampler.sample([child.pid]).values()
        self.assertEqual((sample["cmdline"], sample["username"]), ("N/A", "N/A"))

    def test_the_same_figures_as_those_of_psutil(self):
        child = Child(self, "wait")
        (sample,) = self.sampler.sample([child.pid]).values()
        process = psutil.Process(child.pid)
        memory, times = process.memory_info(), process.cpu_times()
        self.assertEqual(sample["mem_info1"], size_text(memory.rss))
        self.assertEqual(sample["mem_info2"], size_text(memory.vms))
        self.assertEqual(sample["mem"], round(process.memory_percent(), 3))
        self.assertEqual(sample["ctime"], time_text(times.user + times.system))
        self.assertEqual(sample["nice"], process.nice())
        self.assertLess(abs(sample["create_time"] - process.create_time()), 2)

    def test_another_name_shows_when_the_command_has_changed(self):
        child = Child(self, "wait")
        self.sampler.sample([child.pid])
        known = self.sampler._known[child.pid]
        known.name, known.described_until = "old", SYSTEM.monotonic() + 60
        with unittest.mock.patch.object(procfs, "YOUNG", 0.0):
            (sample,) = self.sampler.sample([child.pid]).values()
            self.assertEqual(sample["cmdline"], "old")
            known.command = b"other"
            (sample,) = self.sampler.sample([child.pid]).values()
        self.assertRegex(sample["cmdline"], "^python")

    def test_a_clock_that_is_set_moves_the_beginning_and_not_the_age(self):
        clock = FakeClock()
        sampler = Sampler(clock)
        child = Child(self, "wait")
        first = sampler.sample([child.pid])[child.pid]
        clock.wall += 3600
        with unittest.mock.patch.object(
            proctable, "boot_time", return_value=int(sampler._booted_at) + 3600
        ):
            second = sampler.sample([child.pid])[child.pid]
        self.assertEqual(second["create_time"], first["create_time"] + 3600)
        self.assertEqual(second["age"], first["age"])

    def test_processor_use_counts_since_the_look_before(self):
        child = Child(self, "burn")
        self.assertEqual(self.sampler.sample([child.pid])[child.pid]["cpu"], 0.0)
        self.assertTrue(
            eventually(lambda: self.sampler.sample([child.pid])[child.pid]["cpu"] > 0.0)
        )

    def test_a_number_that_another_process_has_got_starts_anew(self):
        child = Child(self, "wait")
        self.sampler.sample([child.pid])
        stale = self.sampler._known[child.pid]
        stale.start_time -= 1
        self.sampler.sample([child.pid])
        self.assertIsNot(self.sampler._known[child.pid], stale)

    def test_numbers_used_again_that_make_a_ring_do_no_harm(self):
        child = Child(self, "wait")
        row = proctable.row(child.pid)
        own = proctable.row(os.getpid())
        ring = [
            row._replace(ppid=own.pid),
            own._replace(ppid=row.pid),
        ]
        with unittest.mock.patch.object(proctable, "rows", return_value=iter(ring)):
            json.dumps(self.sampler.sample([child.pid, own.pid]))
