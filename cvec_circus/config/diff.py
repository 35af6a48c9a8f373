"""From what runs, and what a file says, to the plan that makes the one the other.

Nothing is asked of the world here, and nothing is changed: equal arguments make equal plans. Three
states of an option decide: as it was loaded, as it is now, and as the file has it. If the value in
the file is not the loaded one, it is set; otherwise what was set at run time stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.config.configuration import Configuration, PluginConfig, WatcherConfig
from cvec_circus.config.dependencies import folded_needs
from cvec_circus.config.plan import (
    ADD,
    CHANGE,
    FRESH,
    KEPT,
    LIVE,
    REMOVE,
    REPLACE,
    RESTART,
    START,
    STOP,
    Change,
    Options,
    Plan,
    SocketStep,
    Step,
    Target,
)
from cvec_circus.options.arbiter import ARBITER_OPTIONS, CHECK_DELAY_IN_FILES
from cvec_circus.options.needs import NEEDS, knotted
from cvec_circus.options.watcher import contradictions, needs_fresh
from cvec_circus.wire.topics import fold

UP, IDLE, FINISHED, FAILED, STOPPED = "up", "idle", "finished", "failed", "stopped"
"""Where a watcher stands: it is up or on its way; it was never started; all its processes have done
their work; it gave up; an order has stopped it."""

LIVE_OPTIONS = frozenset(
    {"check_delay", "event_history", "log_history", "loglevel", "warmup_delay"}
)
"""Options of the daemon that it takes over while it runs."""

SILENT_OPTIONS = frozenset(
    "include include_dir allow_remote httpd httpd_host httpd_port httpd_close_outputs"
    " statsd_close_outputs multicast_endpoint stream_backend check_flapping refresh_time".split()
)
"""Options that a plan never names: they take effect when a file is read, or never."""

WAITS = {
    "schedule": "at the times of its schedule",
    "on_demand": "at the first connection",
    **dict.fromkeys(NEEDS, "after what it needs"),
}
"""Options by which a watcher has no process until its time comes, and when that is."""

PARTS = {"env": FRESH, "hooks": LIVE, "live": LIVE, "ready": LIVE}
"""The options whose keys can be set one by one, and the effect of a change of one."""

_ABSENT: Any = object()


class Running(NamedTuple):
    """A watcher as it is now. Immutable by convention."""

    name: str  # as written
    options: Options  # all of them
    loaded: Options | None  # all of them as they were loaded; None if it was added at run time
    standing: str  # UP, IDLE, FINISHED, FAILED or STOPPED
    is_waiting: bool = False  # whether it is up, and has no process until its time comes
    is_outdated: bool = False  # whether a run goes on with options of before


class Present(NamedTuple):
    """Everything that is now. Immutable by convention.

    Attributes:
        circus: The options of the daemon as they were loaded.
        watchers: Those that are no plugins.
        plugins: The plugins as they were loaded.
        helpers: The names of the plugins that exist, with where each stands.
        is_file: Whether what was loaded was a file; otherwise a program has made it, and an option
            of the daemon that the new file does not mention is no change.
        has_level: Whether the configuration decides on the level of the log.
    """

    circus: Options
    watchers: Iterable[Running]
    plugins: Iterable[PluginConfig]
    helpers: Mapping[str, str]
    is_file: bool = True
    has_level: bool = True


Reasons = Callable[[Running, Options], str]


def compare(
    present: Present,
    wanted: Configuration,
    sockets: tuple[SocketStep, ...] = (),
    other_sockets: Reasons = lambda running, after: "",
) -> Plan:
    """Return the plan.

    Args:
        present: What is now.
        wanted: What the file says.
        sockets: What becomes of the sockets.
        other_sockets: Returns why the sockets of a watcher are not those of its processes, given
            its options to come; "" if they are.
    """
    return Plan(
        tuple(_watchers(present, wanted, other_sockets)),
        tuple(_plugins(present, wanted)),
        sockets,
        tuple(_circus(present, wanted.circus)),
    )


# -- watchers


def _watchers(present: Present, wanted: Configuration, other_sockets: Reasons) -> list[Step]:
    now = {fold(one.name): one for one in present.watchers}
    then = {fold(one.name): one for one in wanted.watchers}
    overruled = _in_circles(now, then)
    steps = []
    for key, running in now.items():
        if key in then:
            if then[key].name != running.name:
                why = f"its name is written {then[key].name} now"
                steps.append(Step(running.name, REMOVE, STOP, why))
        elif running.loaded is not None:
            steps.append(Step(running.name, REMOVE, STOP))
        elif running.standing == UP:
            why = other_sockets(running, running.options)
            if why:
                target = Target(running.options, running.options)
                steps.append(Step(running.name, CHANGE, REPLACE, why, (), target))
    for key, watcher in then.items():
        found = now.get(key)
        if found is None or found.name != watcher.name:
            starts = START if watcher.options["autostart"] else ""
            target = Target(watcher.options, watcher.options)
            why = _when(watcher.options) if starts else ""
            steps.append(Step(watcher.name, ADD, starts, why, target=target))
        else:
            step = _changed(found, watcher, other_sockets, NEEDS if key in overruled else ())
            if step is not None:
                steps.append(step)
    return sorted(steps, key=lambda step: (step.name, step.action != REMOVE))


def _in_circles(now: Mapping[str, Running], then: Mapping[str, WatcherConfig]) -> set[str]:
    """Return the watchers of the file that would wait for themselves by what was set at run time.

    Args:
        now: Those that are there, by their folded names.
        then: Those of the file.
    """

    def needed(key: str) -> list[str]:
        options: Options = then[key].options if key in then else now[key].options
        if key in then and key in now:
            options = _merged(now[key].options, now[key].loaded, then[key].options, NEEDS)
        return folded_needs(options)

    stays = [key for key, one in now.items() if key in then or one.loaded is None]
    needs = {key: needed(key) for key in dict.fromkeys([*stays, *then])}
    return knotted(needs) & then.keys()


def _changed(
    running: Running, watcher: WatcherConfig, other_sockets: Reasons, overruled: Collection[str]
) -> Step | None:
    """What becomes of a watcher that stays, None if it is left alone.

    Args:
        overruled: The options of which the file counts, whatever was set at run time.
    """
    options: Options = watcher.options
    changes: list[Change] = []
    if not running.loaded == watcher.options == running.options:  # as they are with almost all
        options, changes = three_way(running.options, running.loaded, watcher.options, overruled)
    set_now = [change for change in changes if change.effect != KEPT]
    fresh = [change.option for change in changes if change.effect == FRESH]
    processes, why = "", ""
    was_automatic = running.loaded is not None and running.loaded["autostart"]
    is_automatic = watcher.options["autostart"]
    if running.standing == UP:
        why = other_sockets(running, options)
        if was_automatic and not is_automatic:
            processes, why = STOP, "autostart is off now"
        elif running.is_waiting and (lifted := _lifted(running.options, options)):
            processes, why = START, f"it was waiting, and {_other(lifted)}"
        elif not (running.is_waiting or options["schedule"]) and (fresh or running.is_outdated):
            processes, why = REPLACE, _other(fresh or [change.option for change in set_now])
        elif why:
            processes = REPLACE
    elif is_automatic and not was_automatic:
        processes, why = START, "autostart is on now"
    elif is_automatic and _is_worth_a_try(running, options, set_now, fresh):
        processes, why = START, f"it had {running.standing}, and {_other([c[0] for c in set_now])}"
    if not changes and not processes:
        return None
    target = Target(options, watcher.options)
    when = _when(options) if processes == START else ""
    why = "; ".join(filter(None, (why, when)))
    return Step(running.name, CHANGE, processes, why, tuple(changes), target)


def _when(options: Options) -> str:
    """Return when a watcher that is started has its first process; "" for at once."""
    return next((WAITS[key] for key in WAITS if options[key]), "")


def _lifted(before: Options, after: Options) -> list[str]:
    """Return the options that a watcher may wait for, and no longer has; none if others stay."""
    if any(after[name] for name in WAITS):
        return []
    return [name for name in WAITS if before[name]]


def _is_worth_a_try(
    running: Running, options: Options, changes: list[Change], fresh: list[str]
) -> bool:
    """Whether one that has ended by itself may fare otherwise now."""
    if running.standing == FINISHED:
        runs_again = (name for name in ("respawn", "schedule", "on_demand") if options[name])
        return bool(fresh) or any(not running.options[name] for name in runs_again)
    return running.standing == FAILED and bool(changes)


def _other(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} changes"
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]} change"


def three_way(
    live: Options, loaded: Options | None, new: Options, overruled: Collection[str] = ()
) -> tuple[dict[str, Any], list[Change]]:
    """Return the options that a watcher is to have, and what changes to make them so.

    Args:
        live: Its options now.
        loaded: As they were loaded; None makes all of `new` count.
        new: As the file has them.
        overruled: The options of which `new` counts, whatever was set at run time.
    """
    options = _merged(live, loaded, new)
    options.update((name, new[name]) for name in overruled)
    if any(contradictions(options)):
        options = dict(new)  # what was set at run time does not go with it
    changes = []
    for name in sorted({*live, *new}):
        before, wanted = live.get(name, _ABSENT), options.get(name, _ABSENT)
        filed = new.get(name, _ABSENT)
        if name in PARTS:
            changes += _parts(name, before, wanted, filed)
        elif before != wanted:
            effect = FRESH if needs_fresh(name, before, wanted) else LIVE
            changes.append(Change(name, _shown(before), _shown(wanted), effect))
        elif wanted != filed:
            changes.append(Change(name, _shown(before), _shown(filed), KEPT))
    return options, changes


def _merged(
    live: Options, loaded: Options | None, new: Options, names: Iterable[str] | None = None
) -> dict[str, Any]:
    """For each name, the value of `new` if that differs from the loaded one, else the live one."""
    if loaded is None:
        return dict(new)
    merged = {}
    for name in {**live, **new} if names is None else names:
        base, wanted = loaded.get(name, _ABSENT), new.get(name, _ABSENT)
        now = live.get(name, _ABSENT)
        if name in PARTS and all(one is not _ABSENT for one in (base, wanted, now)):
            merged[name] = _merged(now, base, wanted) if now != base else wanted
            continue
        value = now if wanted == base else wanted
        if value is not _ABSENT:
            merged[name] = value
    return merged


def _parts(option: str, before: Any, after: Any, filed: Any) -> list[Change]:
    """The changes of an option that is a mapping, each of its keys by itself."""
    states = [{} if one is _ABSENT else one for one in (before, after, filed)]
    changes = []
    for name in sorted({name for state in states for name in state}):
        old, new, said = (None if one.get(name) is None else str(one[name]) for one in states)
        if old != new:
            changes.append(Change(f"{option}.{name}", old, new, PARTS[option]))
        elif new != said:
            changes.append(Change(f"{option}.{name}", old, said, KEPT))
    return changes


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value


# -- plugins

WATCHING = frozenset(
    "log_history graceful_timeout leftover_timeout stop_signal stop_children strays memory_limit"
    " cpu_limit pids_limit min_uptime respawn_delay backoff_max backoff_reset hook_timeout max_age"
    " max_age_variance ready_timeout ready_interval live_interval live_timeout live_failures"
    " live_action".split()
)
"""The options in a plugin's section by which the daemon looks after its process. They change live;
the class, which gets all that is written, sees them at its next start."""


def _plugins(present: Present, wanted: Configuration) -> list[Step]:
    before = {fold(one.name): one for one in present.plugins}
    after = {fold(one.name): one for one in wanted.plugins if one.active}
    standing = {fold(name): where for name, where in present.helpers.items()}
    steps = []
    for key, plugin in before.items():
        if key in standing and key not in after:
            steps.append(Step(plugin.name, REMOVE, STOP))
    for key, plugin in after.items():
        target = Target(plugin.options, plugin.options)
        if key not in standing:
            starts = START if plugin.options["autostart"] else ""
            steps.append(Step(plugin.name, ADD, starts, target=target))
            continue
        changes = _plugin_changes(before.get(key), plugin)
        if changes:
            where = standing[key]
            fresh = [change.option for change in changes if change.effect == FRESH]
            does = {UP: REPLACE, STOPPED: ""}.get(where, START)
            if where == UP and not fresh:
                does = ""
            why = _other(fresh or [change.option for change in changes]) if does else ""
            steps.append(Step(plugin.name, CHANGE, does, why, tuple(changes), target))
    return sorted(steps, key=lambda step: (step.name, step.action != REMOVE))


def _plugin_changes(before: PluginConfig | None, after: PluginConfig) -> list[Change]:
    if before is None:
        return [Change("use", None, after.use, FRESH)]
    old, new = {"use": before.use, **before.config}, {"use": after.use, **after.config}
    changes = [
        Change(name, old.get(name), new.get(name), LIVE if name in WATCHING else FRESH)
        for name in sorted({*old, *new}, key=lambda name: (name != "use", name))
        if old.get(name) != new.get(name)
    ]
    env = after.options["env"]
    return changes + _parts("env", before.options["env"], env, env)


# -- the daemon


def _circus(present: Present, wanted: Options) -> list[Change]:
    changes = []
    for option in ARBITER_OPTIONS:
        name = option.name
        before, after = present.circus.get(name), wanted.get(name)
        if before == after or name in SILENT_OPTIONS:
            continue
        said_nothing = CHECK_DELAY_IN_FILES if name == "check_delay" else option.default
        if not present.is_file and after == said_nothing:
            continue
        if name == "loglevel" and not present.has_level:
            continue
        effect = LIVE if name in LIVE_OPTIONS else RESTART
        changes.append(Change(name, before, after, effect))
    return changes
