"""Hooks as they are configured: which there are, and what is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, Union

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import MODULE, regex
from cvec_circus.exc import OptionError
from cvec_circus.options.kinds import shown, to_boolean, to_text
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.renamed import ours
from cvec_circus.options.words import split

NAMES = tuple(
    "before_start after_start before_spawn after_spawn before_signal after_signal"
    " before_reap after_reap before_stop after_stop extended_stats".split()
)

DECIDING = frozenset(
    {"before_start", "after_start", "before_spawn", "after_spawn", "before_signal"}
)
"""The hooks whose answer decides something; the answers of the others are ignored."""

FORGIVEN = frozenset({"before_stop", "after_stop", "before_signal", "after_signal"})
"""The hooks whose failure never counts as a no, whatever their flag says. As in Circus."""

PREFIX = "hooks."
EXEC = "exec:"
"""How a hook begins that is a command instead of the name of a function."""

_FUNCTION = regex(rf"{MODULE}[.:][^\W\d]\w*(?:\.[^\W\d]\w*)*")

Target = Union[str, Callable[..., Any]]


class Hook(NamedTuple):
    """What is called at one of the moments. Immutable."""

    target: Target  # a dotted name, `exec:` and a command, or a function that a program gives
    ignore: bool = False  # whether a failure counts as a yes

    def __str__(self) -> str:
        """Return it as a file gives it."""
        return f"{target_name(self.target)},True" if self.ignore else target_name(self.target)

    @property
    def command(self) -> str:
        """The command to run, "" if a function is to be called."""
        is_command = isinstance(self.target, str) and self.target.startswith(EXEC)
        return str(self.target)[len(EXEC) :].strip() if is_command else ""


class Use(NamedTuple):
    """A hook of a watcher, with what decides where it is found. Immutable."""

    moment: str
    hook: Hook
    pythonpath: str
    path: str  # for programs; "" for that of the daemon
    folder: str  # of its programs; "" for that of the daemon


def uses(hooks: Mapping[str, Hook | None], options: Mapping[str, Any]) -> Iterator[Use]:
    """Yield some hooks of a watcher with all these options, less functions that a program gives."""
    env, folder = options["env"] or {}, options["working_dir"] or ""
    for moment, hook in hooks.items():
        # A virtual environment has more folders, which depend on files.
        if hook is not None and isinstance(hook.target, str) and not options["virtualenv"]:
            yield Use(moment, hook, env.get("PYTHONPATH", ""), env.get("PATH", ""), folder)


def to_hook(value: Any) -> Hook | None:
    """Return a hook as files, messages and programs give it; None for none.

    Text is `package.module.function`, or that with `,True` to ignore failures, or `exec:COMMAND`.
    A list has what is called and whether failures are ignored.
    """
    if value is None or value == "":
        return None
    if isinstance(value, (list, tuple)):
        if len(value) not in (1, 2):
            raise ValueError("a list has two items here: what is called, and True or False")
        return Hook(_target(value[0]), len(value) == 2 and to_boolean(value[1]))
    if not isinstance(value, str) or value.lstrip().startswith(EXEC):
        return Hook(_target(value))
    name, comma, ignore = value.partition(",")
    return Hook(_target(name), bool(comma) and to_boolean(ignore.strip()))


def to_hooks(value: Any) -> dict[str, Hook | None]:
    """Return hooks by name, from a mapping or from text such as `before_start:a.b,after_stop:c.d`.

    None removes a hook.
    """
    if isinstance(value, str):
        pairs = [pair.partition(":") for pair in value.split(",") if pair.strip()]
        value = {name.strip(): target for name, _, target in pairs}
    if not isinstance(value, Mapping):
        raise ValueError(f"{shown(value)} is not a mapping of names to values")
    hooks = {}
    for name, target in value.items():
        if name not in NAMES:
            raise ValueError(f"there is no hook {shown(name)}{_near(name)}")
        try:
            hooks[name] = to_hook(target)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return hooks


def require_name(key: str) -> None:
    """Refuse a key such as `hooks.before_strat`.

    Raises:
        OptionError: There is no such hook.
    """
    name = key[len(PREFIX) :]
    if name not in NAMES:
        raise OptionError(key, f"there is no such hook{_near(name)}")


def take_hooks(full: dict[str, Any], current: Mapping[str, Any] | None) -> None:
    """Merge the given hooks, together or one by one, into a full set of options.

    Others stay as they are, as in Circus.
    """
    hooks = dict((current or {}).get("hooks") or {})
    hooks.update(full.get("hooks") or {})
    for key in [key for key in full if key.startswith(PREFIX)]:
        hooks[key[len(PREFIX) :]] = full.pop(key)
    full["hooks"] = {name: hook for name, hook in hooks.items() if hook is not None}


def target_name(target: Target) -> str:
    """Return the name of a target."""
    if isinstance(target, str):
        return target
    place, name = getattr(target, "__module__", ""), getattr(target, "__qualname__", "")
    return f"{place}.{name}" if place and name else repr(target)


def _target(value: Any) -> Target:
    if callable(value):
        return value  # type: ignore[no-any-return]
    text = to_text(value).strip()
    if not text.startswith(EXEC):
        if not _FUNCTION.fullmatch(text):
            expected = f"neither the dotted name of a function nor {EXEC}COMMAND"
            raise ValueError(f"{shown(text)} is {expected}")
        return ours(text)
    try:
        words = split(text[len(EXEC) :])
    except ValueError as error:
        raise ValueError(f"the command cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise ValueError("the command is empty")
    return text


def _near(name: Any) -> str:
    return did_you_mean(name, NAMES) if isinstance(name, str) else ""
