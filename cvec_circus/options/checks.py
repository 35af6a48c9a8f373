"""Checks, dependencies and shares as they are configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.exc import OptionError
from cvec_circus.options.endpoint import LONGEST_PATH
from cvec_circus.options.expand import names_in
from cvec_circus.options.kinds import shown, to_integer, to_mapping, to_text
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.words import split

READY_KINDS = ("notify", "fd", "log", "tcp", "unix", "http", "https", "exec")
LIVE_KINDS = ("notify", "tcp", "unix", "http", "https", "exec")
NETWORK_KINDS = frozenset({"tcp", "unix", "http", "https"})

FAMILIES = ("ready", "live")
"""The options whose parts are checks by name: `ready.NAME`."""

FORMS = {
    "notify": "notify",
    "fd": "fd:N (3 to 9)",
    "log": "log:TEXT",
    "tcp": "tcp://HOST:PORT",
    "unix": "unix:///PATH",
    "http": "http://HOST:PORT/PATH",
    "https": "https://HOST:PORT/PATH",
    "exec": "exec:COMMAND",
}

CONDITIONS = ("started", "ready", "completed", "succeeded")
"""What a dependency can be required to have done."""

_SYNONYMS = {
    "process_started": "started",
    "process_healthy": "ready",
    "process_log_ready": "ready",
    "process_completed": "completed",
    "process_completed_successfully": "succeeded",
    "service_started": "started",
    "service_healthy": "ready",
    "service_completed_successfully": "succeeded",
}
"""The words of process-compose, and of Docker Compose."""

Kind = Callable[[Any], "Check | None"]

LONGEST_TEXT = 4096
"""Bytes of a line in which a text is looked for."""

_NAMES = "the name of a check has 1 to 64 letters, digits, - and _"
_NAME = regex(r"[A-Za-z0-9_-]{1,64}")
_SHARE = regex(r"([0-9]{1,3})\s*%")
_PATH = regex(r"[/?#]")
_PORT = regex(r"[0-9]{1,5}")
_ADDRESS = regex(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):[^\s:/]+")


class Check(NamedTuple):
    """One way to ask a process whether it is ready, or alive. Immutable."""

    kind: str  # one of `READY_KINDS`
    target: str = ""  # what stands after the kind; names in it are expanded for each process

    @property
    def is_shared(self) -> bool:
        """Whether all processes are asked at one address, so that any may answer for another."""
        names = {name.lower() for name in names_in(self.target)}
        return self.kind in NETWORK_KINDS and names.isdisjoint(("wid", "pid"))

    @property
    def asks(self) -> bool:
        """Whether it asks the process, again and again; of others what came once holds."""
        return self.kind in NETWORK_KINDS or self.kind == "exec"

    def __str__(self) -> str:
        """Return it as a file gives it."""
        if self.kind == "notify":
            return self.kind
        return f"{self.kind}:{'//' if self.kind in NETWORK_KINDS else ''}{self.target}"


def to_check(value: Any, kinds: tuple[str, ...] = READY_KINDS) -> Check | None:
    """Return a check of `ready`; None for none."""
    if value is None or value == "":
        return None
    text = str(value) if isinstance(value, Check) else to_text(value).strip()
    kind, colon, target = text.partition(":")
    kind = kind.strip().lower()
    if kind not in kinds or bool(colon) is (kind == "notify"):
        forms = ", ".join(FORMS[one] for one in kinds)
        raise ValueError(f"{shown(text)} is not a check: write {forms}")
    if kind in NETWORK_KINDS:
        if not target.startswith("//"):
            raise ValueError(f"{shown(text)} is not an address: write {FORMS[kind]}")
        target = target[2:]
    reason = _why_not(kind, target)
    if reason:
        raise ValueError(reason)
    return Check(kind, target)


def to_live_check(value: Any) -> Check | None:
    """Return a check of `live`; None for none."""
    return to_check(value, LIVE_KINDS)


def to_checks(value: Any) -> dict[str, Check | None]:
    """Return the checks of `ready` by name."""
    return _by_name("ready", value, to_check)


def to_live_checks(value: Any) -> dict[str, Check | None]:
    """Return the checks of `live` by name."""
    return _by_name("live", value, to_live_check)


def _by_name(family: str, value: Any, convert: Kind) -> dict[str, Check | None]:
    if isinstance(value, str):
        raise ValueError(f"a check needs a name of your choice: write {family}.NAME = {value[:60]}")
    found = {}
    for name, one in to_mapping({} if value is None else value).items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{shown(name)}: {_NAMES}")
        try:
            found[name] = convert(one)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return found


def require_name(key: str) -> None:
    """Refuse a key whose check has no proper name.

    Raises:
        OptionError: The name is not made of letters, digits, - and _.
    """
    if not _NAME.fullmatch(key.partition(".")[2]):
        raise OptionError(key, _NAMES)


def take_checks(full: dict[str, Any], current: Mapping[str, Any] | None) -> None:
    """Merge the given checks, together or one by one, into a full set of options."""
    for family in FAMILIES:
        checks = dict((current or {}).get(family) or {})
        checks.update(full.get(family) or {})
        for key in [key for key in full if key.startswith(f"{family}.")]:
            if isinstance(full[key], str):
                continue  # a file had it for something else: see `config.build`
            checks[key.partition(".")[2]] = full.pop(key)
        full[family] = {name: check for name, check in checks.items() if check is not None}


def problems(full: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what contradicts the checks in a full set of options, as pairs of key and reason."""
    found: list[tuple[str, str]] = []
    by_number: dict[str, str] = {}
    is_silent = full["close_child_stdout"] and full["close_child_stderr"]
    for name, check in full["ready"].items():
        other = by_number.setdefault(check.target, name) if check.kind == "fd" else name
        if other != name:
            reason = f"{check} is that of ready.{other} already; write another number"
            found.append((f"ready.{name}", reason))
        if check.kind == "log" and is_silent:
            reason = "needs output to look in; leave out close_child_stdout or close_child_stderr"
            found.append((f"ready.{name}", reason))
    return found


def is_meant(value: Any) -> bool:
    """Tell whether a value was meant as a check, even if it cannot be read as one."""
    kind, colon, _ = str(value).strip().partition(":")
    return kind.strip().lower() in READY_KINDS and (bool(colon) or kind.strip() == "notify")


def to_dependencies(value: Any) -> dict[str, str]:
    """Return what a watcher depends on: the condition of each by name, "" for the default one.

    Text is `db, migrate:succeeded`; a list has such words; a mapping has conditions by name.
    """
    if isinstance(value, Mapping):
        pairs = [(to_text(name).strip(), to_text(need or "")) for name, need in value.items()]
    else:
        pairs = [_pair(word) for word in to_watcher_names(value)]
    found: dict[str, str] = {}
    wrong = []
    for name, need in pairs:
        if not name or name.endswith(":"):
            wrong.append(f"{shown(name or f':{need}')} lacks a {'condition' if name else 'name'}")
        if name in found:
            wrong.append(f"{name} is there twice, with two conditions")
        need = _SYNONYMS.get(need.strip().lower(), need.strip().lower())
        if need and need not in CONDITIONS:
            near = did_you_mean(need, CONDITIONS) or f": write {', '.join(CONDITIONS)}"
            wrong.append(f"{shown(need)} is not a condition{near}")
        found[name] = need
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def to_watcher_names(value: Any) -> list[str]:
    """Return names of watchers: from text with commas between them, or from a list."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.strip()
        value = (value[:-1] if value.endswith(",") else value).split(",") if value else []
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{shown(value)} is not a list of watchers such as db, cache")
    names = [to_text(word).strip() for word in value]
    if not all(names):
        raise ValueError("a name in the list is empty")
    return list(dict.fromkeys(names))


def to_share(value: Any) -> int | str:
    """Return a number of processes, or a share of them such as "25%"."""
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        try:
            return to_integer(value, low=0)
        except ValueError:
            reason = "is neither a number of processes nor a share such as 25%"
            raise ValueError(f"{shown(value)} {reason}") from None
    if int(found[1]) > 100:
        raise ValueError(f"{shown(value)} is more than 100%")
    return f"{int(found[1])}%"


def processes_of(share: int | str, total: int, up: bool) -> int:
    """Return how many of `total` processes a share is, rounded up or down."""
    if isinstance(share, int):
        return share
    percent = int(share[:-1])
    return -(-total * percent // 100) if up else total * percent // 100


def prove_nothing(checks: Mapping[str, Check]) -> bool:
    """Tell whether an old process can pass all checks of a new one in its place."""
    return bool(checks) and all(check.is_shared for check in checks.values())


def wants_watchdog(live: Mapping[str, Check]) -> bool:
    """Tell whether a process is to say WATCHDOG=1 by these checks of `live`."""
    return any(check.kind == "notify" for check in live.values())


def shown_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return checks as the wire shows them."""
    return {name: str(check) for name, check in checks.items()}


def _why_not(kind: str, target: str) -> str:
    """Say what is wrong with the target of a check, "" for nothing."""
    if kind == "fd" and not (len(target) == 1 and "3" <= target <= "9"):
        return f"{shown(target)} is not a file descriptor: write fd:3 to fd:9"
    if kind == "log" and not 0 < len(target.encode()) <= LONGEST_TEXT:
        return f"log: needs the text to look for, {LONGEST_TEXT} bytes at most"
    if kind in NETWORK_KINDS:
        return _why_no_address(kind, target)
    if kind == "exec":
        try:
            words = split(target)
        except ValueError as error:
            return f"the command cannot be split into words: {error}"
        return "" if words and words[0] else "the command is empty"
    return ""


def _why_no_address(kind: str, target: str) -> str:
    """Say what is wrong with an address, "" for nothing."""
    if kind == "unix" and not (target.startswith("/") and target.strip("/")):
        return f"{shown(target)} is not a path: write {FORMS[kind]}"
    if kind == "unix" and len(target.encode()) > LONGEST_PATH and not names_in(target):
        return f"{shown(target)} is longer than the {LONGEST_PATH} bytes that a path may have here"
    if kind == "tcp" and not _ADDRESS.fullmatch(target):
        return f"{shown(target)} is not an address: write {FORMS[kind]}"
    if kind in ("http", "https") and "@" in target.partition("/")[0]:
        return f"a user in the address is not supported: write {FORMS[kind]}"
    if kind in ("http", "https") and not target.partition("/")[0]:
        return f"{kind}:// needs a host: write {FORMS[kind]}"
    return "" if kind == "unix" else _why_no_port(target)


def _why_no_port(target: str) -> str:
    """Say what is wrong with the port of an address, "" for nothing, also where it has none."""
    authority = _PATH.split(target, maxsplit=1)[0]
    _, colon, port = authority.rpartition("]")[2].rpartition(":")
    if not colon or names_in(port) or (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        return ""
    return f"{shown(port)} is not a port: write a number from 1 to 65535"


def _pair(word: str) -> tuple[str, str]:
    """Split `migrate:succeeded`; a name may have a colon of its own."""
    name, colon, need = word.rpartition(":")
    word_of = need.strip().lower()
    is_condition = (
        word_of in _SYNONYMS or word_of in CONDITIONS or did_you_mean(word_of, CONDITIONS)
    )
    return (name.strip(), need) if colon and is_condition else (word, "")
