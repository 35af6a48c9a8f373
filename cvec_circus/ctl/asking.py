"""Asking the person at a terminal before an order that reaches further than one may have meant.

These are an order to all watchers, a `set` that replaces processes, and a `reloadconfig` that
removes most of what runs. Who pipes, wants JSON or runs a script is not asked: see `is_sure`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.base.figures import counted, first_of
from cvec_circus.ctl.output import plain, say
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.watcher import WATCHER_OPTIONS, needs_fresh

if TYPE_CHECKING:
    from cvec_circus.client import Client
    from cvec_circus.commands.base import Fields

NOT_DONE = "nothing was done: the answer was not yes"
MOST_NAMES = 5


def is_agreed(client: Client, command: str, properties: Fields) -> bool:
    """Ask whether to send a command, if it is one to ask about.

    Raises:
        CallError: The daemon does not say how much the command would reach.
    """
    question = question_of(client, command, properties)
    return not question or says_yes(question)


def question_of(client: Client, command: str, properties: Fields) -> str:
    """Make the question to ask before a command; "" if there is nothing to ask.

    Raises:
        CallError: The daemon gives no usable reply.
    """
    if command == "set":
        return _of_set(client, properties)
    if "name" in properties or properties.get("dry_run"):
        return ""
    watchers = client.call("numwatchers").get("numwatchers")
    processes = client.call("numprocesses").get("numprocesses")
    if watchers == 0:
        return ""
    if watchers is None or processes is None:  # refused: the command itself may be, too
        return f"{command} all watchers? [y/N] "
    which = "1 watcher" if watchers == 1 else f"all {watchers} watchers"
    return f"{command} {which} ({counted(processes, 'process')})? [y/N] "


def question_of_loss(command: str, refused: Fields) -> str:
    """Make the question to ask after an order was refused because it removes too much."""
    removed = refused["removes"]
    names = first_of(removed, MOST_NAMES)
    return (
        f"{command} removes {len(removed)} of {refused['running']} running watchers ({names}). "
        "Do it? [y/N] "
    )


def _of_set(client: Client, properties: Fields) -> str:
    options, chosen = properties["options"], {"name": properties["name"]}
    if "match" in properties:
        chosen["match"] = properties["match"]
    reply = client.call("options", **chosen)
    each = reply.get("watchers", {chosen["name"]: reply})
    fresh: dict[str, None] = {}
    names = []
    for name, one in each.items():
        shown = one.get("options", {})
        keys = [key for key in options if _replaces(key, options[key], shown)]
        fresh.update(dict.fromkeys(keys))
        names += [name] if keys else []
    asked = names[0] if len(names) == 1 else names
    count = client.call("numprocesses", name=asked).get("numprocesses") if fresh else 0
    if not count:  # none runs, or there is no such watcher
        return ""
    whose = "its" if len(names) == 1 else "their"
    which = f"{', '.join(fresh)} of {first_of(names, MOST_NAMES)}"
    return f"set {which} and replace {whose} {counted(count, 'process')}? [y/N] "


def _replaces(key: str, value: Any, shown: Fields) -> bool:
    """Tell whether an option replaces processes, given those that the daemon shows."""
    stream, dot, _ = key.partition(".")
    if stream in STREAMS:
        return not shown.get(f"{stream}_conf") or not (dot or value)
    return needs_fresh(key) and _differs(key, value, shown)


def _differs(key: str, value: Any, shown: Fields) -> bool:
    """Tell whether an option gets another value than the daemon shows."""
    try:
        return key not in shown or WATCHER_OPTIONS.convert({key: shown[key]})[key] != value
    except exc.OptionError:
        return True


def says_yes(question: str) -> bool:
    """Ask a question at the terminal; anything but yes means no, Ctrl-C and Ctrl-D too."""
    answer = ""
    try:
        say(plain(question), end="")
        answer = sys.stdin.readline()
    except (
        KeyboardInterrupt,
        OSError,
        exc.OutputError,
        UnicodeError,
    ):  # the terminal is gone, or odd
        answer = ""
    if not answer.endswith("\n"):
        say("")
    return answer.strip().lower() in ("y", "yes")
