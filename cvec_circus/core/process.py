"""A slot of a watcher."""

from __future__ import annotations

from cvec_circus.core.states import PROCESS_STEPS, ProcessState


class ManagedProcess:
    """One slot: a `wid`, and a pid while something runs in it. Owned by the supervisor thread.

    A slot lives from the decision to start a process until nothing of that process is left; its
    successor is a new slot, with the same `wid` if that is free by then.

    Attributes:
        name: Of the watcher it belongs to.
        wid: The number that `$(circus.wid)` shows, unique among the watcher's slots.
        state: See `states`; changed by `enter` only.
        pid: Of the leader, which is also the number of its process group; 0 before the spawn.
        holds_place: Whether it counts towards `numprocesses`.
        stale: Whether it is of before the last reload.
        cause: What asked it to end, as published; "" while nothing did.
        spawn_cause: What made it start, as published.
        spawned_at: The instant of its spawn.
        started: The same by the wall clock, for `stats`; set by the ports.
        due_at: Its next deadline: the spawn while PENDING, the expiry while RUNNING, SIGKILL while
            STOPPING or LEFTOVER, the next complaint after that.
        attempts: Attempts in a row that failed, for whatever reason.
        failed_starts: Those among them that failed for a reason of the command's own.
        awaited: While PENDING: whether a start, a reload or an order waits for its spawn. Nobody
            waits for the successor of a process that died by itself.
        killed: Whether SIGKILL has been sent.
        unkillable: Whether it is still there long after SIGKILL.
        cleared: Whether its before_spawn has said yes.
        on_trial: Whether its after_spawn has not said yes yet.
        signalled: The last signal a client had sent to it, 0 for none.
        exit_code: Of the leader; negative for a signal; None until it has ended.
    """

    __slots__ = (
        "attempts",
        "awaited",
        "cause",
        "cleared",
        "due_at",
        "exit_code",
        "failed_starts",
        "holds_place",
        "killed",
        "name",
        "on_trial",
        "pid",
        "signalled",
        "spawn_cause",
        "spawned_at",
        "stale",
        "started",
        "state",
        "unkillable",
        "wid",
    )

    def __init__(self, name: str, wid: int, spawn_cause: str) -> None:
        self.name = name
        self.wid = wid
        self.state = ProcessState.PENDING
        self.pid = 0
        self.holds_place = True
        self.stale = False
        self.cause = ""
        self.spawn_cause = spawn_cause
        self.spawned_at = 0.0
        self.started = 0.0
        self.due_at: float | None = None
        self.attempts = 0
        self.failed_starts = 0
        self.awaited = False
        self.killed = False
        self.unkillable = False
        self.cleared = False
        self.on_trial = False
        self.signalled = 0
        self.exit_code: int | None = None

    def __repr__(self) -> str:
        return f"<{self.name}:{self.wid} {self.state.value} pid={self.pid}>"

    @property
    def has_leader(self) -> bool:
        """Whether the process itself is there, not only what it left behind."""
        return self.state in (ProcessState.RUNNING, ProcessState.STOPPING, ProcessState.KILLED)

    def enter(self, state: ProcessState) -> None:
        """Changes the state, which must be a step of the table."""
        assert state in PROCESS_STEPS[self.state], f"{self!r} cannot become {state.value}"
        self.state = state
