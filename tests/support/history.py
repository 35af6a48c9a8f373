"""Random histories of the core: what is ordered, what happens, and what has to be true."""

from __future__ import annotations

import errno
import random
from typing import Any

from cvec_circus.core.life import Life
from cvec_circus.core.process import ProcessState, Sent
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Outcome, Wait
from tests.support.counts import check_counts, check_deadlines, check_phase
from tests.support.watchful import WatchfulWorld
from tests.support.world import IMMORTAL, OBEDIENT, STUBBORN

REFUSALS = [
    None,
    None,
    None,
    OSError(errno.ENOENT, "no such file"),
    OSError(errno.EAGAIN, "again"),
    MemoryError(),
]

HOOKS = (
    "before_start after_start before_spawn after_spawn before_stop after_stop before_signal"
    " after_signal before_reap after_reap"
).split()

FATAL = 3
"""An exit code after which helpers are not started again."""


class History:
    """One random history, its checks, and the log of what was done. Owned by the test's thread."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = WatchfulWorld(seed, warmup_delay=self.rng.choice([0.0, 0.0, 0.3]))
        self.world.spawns_a_turn = self.rng.choice([0, 1, 3])
        # What is drawn for hooks and connections leaves the rest of a history as it is.
        self.more = random.Random(-seed)
        self.has_hooks = self.more.random() < 0.4
        self.has_demand = self.more.random() < 0.3
        self.most = random.Random(seed ^ 0x5EED)
        self.world.is_serial = self.most.random() < 0.5
        self.rehooks = self.has_hooks and self.most.random() < 0.5
        self.hangs = self.has_hooks and self.most.random() < 0.5
        # What is drawn for checks and rollouts, too.
        self.checks = random.Random(seed ^ 0xC4EC)
        self.times = random.Random(seed ^ 0x71E5)  # for schedules, and for who waits for the proof
        self.proofs = random.Random(seed ^ 0x9007)
        self.has_schedules = not self.has_demand and self.times.random() < 0.3
        # Every second history is written down in its middle, and goes on with what was read.
        self.reborn_at = random.Random(seed ^ 0xB0B).randint(1, 29) if seed % 2 else None
        self.log: list[str] = []
        self.waits: list[tuple[str, list[Outcome]]] = []
        for number in range(self.rng.randint(1, 4)):
            self.add(f"w{number}")

    def add(self, name: str) -> None:
        rng = self.rng
        helper = rng.random() < 0.2
        watcher = self.world.add(
            name,
            hooks=self.some_hooks(self.more),
            on_demand=self.has_demand and self.more.random() < 0.5,
            use_sockets=True,
            numprocesses=1 if (single := rng.random() < 0.2) else rng.randint(0, 4),
            singleton=single,
            respawn=rng.random() < 0.8,
            warmup_delay=rng.choice([0, 0, 0.5]),
            graceful_timeout=rng.choice([0, 1, 5]),
            max_age=rng.choice([0, 0, 20]),
            max_age_variance=5,
            max_retry=rng.choice([-1, 1, 5]),
            priority=rng.choice([0, 0, 5]),
            autostart=rng.random() < 0.8,
            stop_children=rng.random() < 0.2,
            send_hup=rng.random() < 0.1,
            backoff=rng.random() < 0.8,
            respawn_delay=rng.choice([0, 0, 0, 2]),
            helper=helper,
            fatal_exit_codes=[FATAL] if helper else [],
            **self.some_checks(),
            **self.some_schedule(),
        )
        if self.most.random() < 0.05:
            watcher.change({"use_sockets": False})  # its command refers to none
        self.log.append(f"add {name}")

    def some_checks(self) -> dict[str, Any]:
        """Options of readiness and rollouts, for two of three watchers."""
        rng = self.checks
        if rng.random() < 0.33:
            return {}
        return {
            "ready": {"a": "notify"} if rng.random() < 0.5 else {},
            "ready_timeout": rng.choice([1, 5]),
            "live": {"b": "notify"} if rng.random() < 0.3 else {},
            "live_action": rng.choice(["restart", "report"]),
            "min_uptime": rng.choice([0, 1, 1, 3]),
            "rollout": rng.choice(["auto", "surge", "recreate"]),
            "max_surge": rng.choice([None, None, 0, 1, "50%"]),
            "max_unavailable": rng.choice([None, None, 1, "50%"]),
        }

    def some_schedule(self) -> dict[str, Any]:
        """A job, every other time where there are some."""
        job = {"schedule": "9", "overlap": self.times.choice(["skip", "queue", "replace"])}
        return job if self.has_schedules and self.times.random() < 0.5 else {}

    def some_hooks(self, rng: random.Random) -> list[str]:
        return [hook for hook in HOOKS if self.has_hooks and rng.random() < 0.4]

    def play(self, steps: int) -> None:
        for number in range(steps):
            if number == self.reborn_at:
                self.log.append("reborn")
                self.world.waits.refuse_all("try again")
                self.world.reborn()
            self.connect()
            self.step()
            self.interfere()
            if self.rng.random() < 0.8:
                self.world.settle()
                self.check()

    def step(self) -> None:
        kinds = {"advance": 4, "die": 3, "order": 6, "several": 1, "weather": 2, "roster": 1}
        kind = self.rng.choices(list(kinds), list(kinds.values()))[0]
        if kind == "advance":
            seconds = self.rng.choice([0.01, 0.3, 2.0, 15.0])
            self.log.append(f"advance {seconds}")
            self.world.advance(seconds)
        elif kind == "die":
            self.die()
        elif kind == "several":
            for _ in range(3):
                self.order()
        else:
            {"order": self.order, "weather": self.weather, "roster": self.change_roster}[kind]()

    def die(self) -> None:
        if not self.world.alive:
            return
        pid = self.rng.choice(list(self.world.alive))
        exit_code = self.rng.choice([0, 1, FATAL, -9])
        if exit_code == -9 and self.rng.random() < 0.5:
            self.world.alive[pid].signalled = Sent(9, "client")
        self.log.append(f"die {pid} {exit_code}")
        self.world.die(pid, exit_code)

    def connect(self) -> None:
        listening = sorted(self.world.listening, key=lambda watcher: watcher.name)
        if listening and self.more.random() < 0.3:
            watcher = self.more.choice(listening)
            self.log.append(f"connect to {watcher.name}")
            self.world.connect(watcher)

    def interfere(self) -> None:
        """What a client does beside the orders: a signal, or other hooks."""
        rng, roster = self.most, self.world.roster
        watchers = roster.watchers()
        chance = rng.random()
        if not watchers or chance > 0.25:
            return
        watcher = rng.choice(watchers)
        leaders = list(watcher.places.leaders())
        if chance > 0.2 and leaders:
            process, is_live = rng.choice(leaders), rng.random() < 0.5
            failure, well = rng.choice(["", "check a: no"]), self.checks.choice([0.0, 0.5, 30.0])
            self.log.append(f"probed {process!r} is_live={is_live} {well}: {failure or 'ok'}")
            self.world.probed(process.pid, failure, is_live, well)
        elif chance < 0.05 and leaders:
            process = rng.choice(leaders)
            self.log.append(f"signal {process!r}")
            self.world.signal(watcher, process, rng.choice([1, 15, 9]))
        elif self.rehooks:
            hooks = dict.fromkeys(self.some_hooks(rng))
            self.log.append(f"hooks of {watcher.name}: {' '.join(hooks)}")
            self.world.rehooked.add(watcher)
            wait = self.some_wait("hooks") if rng.random() < 0.1 else None
            self.world.set_options(watcher, {"hooks": hooks}, "command:set", wait)

    def weather(self) -> None:
        rng, world = self.rng, self.world
        world.temper = rng.choice([OBEDIENT, OBEDIENT, STUBBORN, IMMORTAL])
        world.leftovers = rng.choice([None, None, 0.2, 3.0])
        world.stop_delay = rng.choice([0.0, 0.1, 2.0])
        world.refuse = rng.choice(REFUSALS)
        world.hook_delay = self.more.choice([0.0, 0.0, 0.1, 4.0])
        world.ready_after = self.checks.choice([0.0, 0.3, 2.0, None])
        world.answers = {hook: "no" for hook in HOOKS if self.more.random() < 0.1}
        if self.hangs:
            world.answers.update({hook: None for hook in HOOKS if self.most.random() < 0.2})
        self.log.append(f"weather {world.temper} {world.leftovers} {world.refuse!r}")
        self.log.append(f"hooks answer {world.answers} after {world.hook_delay}")

    def change_roster(self) -> None:
        watchers = self.world.roster.watchers()
        if watchers and self.rng.random() < 0.5:
            watcher = self.rng.choice(watchers)
            nostop = self.rng.random() < 0.2
            self.log.append(f"rm {watcher.name} nostop={nostop}")
            self.world.remove(watcher, "command:rm", nostop, self.some_wait("rm"))
            return
        free = {f"w{n}" for n in range(5)} - {watcher.name for watcher in watchers}
        if free:
            self.add(min(free))

    def some_wait(self, order: str) -> Wait | None:
        if self.rng.random() < 0.4:
            return None
        outcomes, wait = self.world.wait(self.rng.choice([None, None, 3.0]))
        wait.proved = self.proofs.random() < 0.3
        self.waits.append((f"{len(self.waits)}: {order}", outcomes))
        return wait

    def order(self) -> None:
        rng, roster = self.rng, self.world.roster
        watchers = roster.watchers()
        if not watchers:
            return
        one = [rng.choice(watchers)]
        some = rng.choice([None, one, one, rng.sample(watchers, min(2, len(watchers)))])
        word = rng.choice(["start", "start", "stop", "restart", "reload", "size", "kill", "set"])
        names = "all" if some is None else " ".join(watcher.name for watcher in some)
        wait = self.some_wait(f"{word} {names}")
        if word == "reload":
            sequential = rng.random() < 0.5
            self.log.append(f"reload {names} sequential={sequential}")
            self.world.reload(some, "command:reload", sequential, wait)
        elif word in ("start", "stop", "restart"):
            self.log.append(f"{word} {names}")
            getattr(self.world, word)(some, f"command:{word}", wait)
        else:
            self.order_one(word, rng.choice(watchers), wait)

    def order_one(self, word: str, watcher: Watcher, wait: Wait | None) -> None:
        rng = self.rng
        if word == "size":
            size = rng.randint(0, 1 if watcher.options.singleton else 5)
            self.log.append(f"resize {watcher.name} {size}")
            self.world.resized.add(watcher)
            self.world.resize(watcher, size, "command:incr", wait)
        elif word == "kill":
            processes = list(watcher.places.leaders())[: rng.randint(1, 3)]
            surge = self.more.random() < 0.3
            self.log.append(f"kill {processes} {surge}")
            how = rng.choice([None, 9]), rng.choice([None, 0.5])
            self.world.kill(watcher, processes, *how, wait, surge)
        else:
            changes = rng.choice(
                [
                    {"cmd": rng.choice(["a", "b"]), "graceful_timeout": 1.0},
                    {"respawn": rng.random() < 0.5, "warmup_delay": 0.0},
                    {"max_age": rng.choice([0, 5, 20])},
                    {"numprocesses": rng.randint(0, 1), "cmd": rng.choice(["a", "b"])},
                    {"priority": rng.randint(0, 3), "autostart": rng.random() < 0.5},
                ]
            )
            if self.has_demand:
                changes["on_demand"] = self.more.random() < 0.5
            self.log.append(f"set {watcher.name} {changes}")
            if "numprocesses" in changes:
                self.world.resized.add(watcher)
            self.world.set_options(watcher, changes, "command:set", wait)

    # -- what has to be true

    def check(self) -> None:
        """What is true at every moment of rest."""
        for watcher in self.world.roster.all_watchers():
            check_counts(watcher)
            check_deadlines(watcher)
            check_phase(watcher)
            self.check_questions(watcher)
            self.check_rest(watcher)
            assert watcher.goal.numprocesses == watcher.options.numprocesses, f"{watcher!r}"
            many = len(watcher.places.fresh) > watcher.goal.numprocesses
            assert not many or watcher.status == "stopping", f"{watcher!r}: too many"
            for process in watcher.places.fresh:
                is_new = process.generation >= watcher.goal.generation
                assert is_new or watcher.options.schedule, f"{process!r} is stale"
            if watcher.options.singleton:
                assert len(watcher.places.spawned()) <= 1, f"{watcher!r}: two of a singleton"
            if watcher.status == "stopped":
                assert not watcher.places.slots
            is_job = watcher.options.schedule
            assert (watcher.rests and not is_job) == (watcher in self.world.listening)
            assert (is_job and watcher.goal.up) or watcher.run is None, f"{watcher!r}: a run?"
            if watcher.reason:
                asks = watcher.gate is not None  # before_stop
                assert is_job or not watcher.goal.up, f"{watcher!r} has given up"
                assert asks or not watcher.places.fresh, f"{watcher!r} has given up"

    def check_questions(self, watcher: Watcher) -> None:
        """Whoever waits for a hook waits for one that has been asked and will answer."""
        asked = self.world.unanswered
        gate, places = watcher.gate, watcher.places
        if gate is not None and gate.answer is None:
            assert asked[watcher, gate.name], f"{watcher!r} has not asked {gate.name}"
            assert gate.token in watcher.questions, f"{watcher!r} has forgotten {gate.name}"
        if places.asked_for:
            assert asked[watcher, "before_spawn"], f"{watcher!r} has not asked before_spawn"
        if places.trials:
            assert asked[watcher, "after_spawn"], f"{watcher!r} has not asked after_spawn"
        waits = any(process.state is ProcessState.PENDING for process in places.ready)
        if waits and not places.asked_for:
            assert watcher.next_deadline() is not None, f"{watcher!r} waits for nothing"
        if waits and "before_spawn" not in watcher.options.hooks:
            assert watcher.next_deadline() is not None, f"{watcher!r} waits for a hook it lacks"
        if watcher.life is Life.WAITING:
            assert watcher.unmet() is not None, f"{watcher!r} waits for nothing"
            assert self.world.why(watcher), f"{watcher!r} does not say what it waits for"
        idle = watcher.life is Life.DOWN
        assert not (idle and watcher.conditions and watcher.goal.up), (
            f"{watcher!r} is not looked at"
        )

    def check_rest(self, watcher: Watcher) -> None:
        """One more pass without news changes nothing."""
        world = self.world
        before = len(world.events), len(world.signals), len(world.notes), watcher.next_deadline()
        assert not world.roster.steps.converge(watcher), f"{watcher!r} is not done"
        after = len(world.events), len(world.signals), len(world.notes), watcher.next_deadline()
        assert before == after, f"{watcher!r} goes on without news"

    def end(self) -> None:
        """In fair weather everything gets to where it is wanted, and everybody is answered."""
        world = self.world
        world.temper, world.refuse, world.leftovers = OBEDIENT, None, None
        world.answers, world.hook_delay = {}, 0.0
        world.ready_after = 0.1
        world.answer_all("")
        for pid in list(world.probes.watched):
            world.probed(pid)
        for pid in list(world.groups):
            world.empty_group(pid)
        for pid in list(world.alive):
            world.die(pid)
        world.advance(100)
        self.log.append("fair weather")
        self.check()
        for watcher in world.roster.all_watchers():
            up = watcher.status == "active"
            runs = watcher.run is not None and not watcher.is_gone
            there = (up or watcher.rests or runs) == watcher.goal.up
            assert there, f"{watcher!r} is not where it is wanted"
            rolls = watcher.rollout is not None and watcher.rollout.cause.text != "max_age"
            assert not rolls, f"{watcher!r}: a reload that does not end"
            aging = watcher.options.max_age and (watcher.places.stale_count or watcher.rollout)
            if up and not watcher.one_shot and not aging:
                assert len(watcher.places.fresh) == watcher.goal.numprocesses, (
                    f"{watcher!r}: not filled"
                )
        self.check_answers()

    def let_the_killed_die(self) -> None:
        """Nothing is immortal any more: what has been sent SIGKILL ends."""
        for pid, process in list(self.world.alive.items()):
            if process.killed or self.world.signals.count((pid, 9)):
                self.world.die(pid, -9)
        for pid, process in list(self.world.groups.items()):
            if process.killed:
                self.world.empty_group(pid)

    def check_answers(self) -> None:
        for order, answers in self.waits:
            assert len(answers) == 1, f"{order}: {len(answers)} answers"

    def shut_down(self, foul: bool = False) -> None:
        """Everything ends, within its time, whatever it was at."""
        world = self.world
        self.log.append("shut down")
        if foul:
            world.leftovers, world.temper = 3.0, STUBBORN
            self.let_the_killed_die()
        outcomes, wait = world.wait()
        world.at(2.0, lambda: world.answer_all("late"))
        world.answers = {name: said for name, said in world.answers.items() if said is not None}
        world.shut_down("command:quit", wait)
        if foul and self.rng.random() < 0.5:
            self.log.append("hurry")
            world.advance(self.rng.choice([0.0, 0.2]))
            world.roster.hurry()
            world.advance(1)
        else:
            world.advance(100)
        assert world.roster.is_down, f"not down: {world.roster.all_watchers()}"
        for pid, process in list(world.alive.items()):
            assert world.owner[pid].is_abandoned, f"{process!r} was forgotten"
            world.die(pid)
        assert len(outcomes) == 1 and outcomes[0].error is None, outcomes
        assert sorted(world.spawned) == sorted(world.reaped), "not exactly one reap each"
        assert not world.started - {w for w in world.started if w.is_abandoned}, "a stop is missing"
        self.check_answers()
