"""A log that a logging configuration of the user's describes: ini, json, yaml, or a mapping."""

from __future__ import annotations

import configparser
import contextlib
import importlib
import json
import logging
import logging.config
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.logs.log import Log, forget
from cvec_circus.logs.outputs import write_to_stderr

YAML = (".yaml", ".yml")
CIRCUS = "circus"

MOST_TROUBLES = 100
"""Troubles of a handler that are told; each of them is told once."""


class ConfiguredLog(Log):
    """A log whose handlers are the user's. Owned by the thread that made it.

    None of them can stop the program: what one raises goes where `logging` reports such things.

    Args:
        target: The logger. It is never disabled, whatever the configuration says of other loggers.
        config: The path of a file, or a mapping.

    Raises:
        ConfigError: It cannot be used; in one line.
    """

    def __init__(self, target: logging.Logger, config: str | Mapping[str, Any]) -> None:
        super().__init__(target)
        where = "" if isinstance(config, Mapping) else f" {config}"
        forget(target)
        target.propagate = True
        try:
            apply(config)
        except Exception as error:  # there is no end to what classes of the user's may raise
            raise exc.ConfigError([f"loggerconfig{where}: {describe(error)}"]) from error
        target.disabled = False
        self._handlers = list(found(target))
        for handler in self._handlers:
            guard(handler)
        has_own = any(not isinstance(each, logging.NullHandler) for each in target.handlers)
        if not has_own and logging.getLogger(CIRCUS).handlers:
            target.warning(
                "the logging configuration%s names the logger %r; this one is %r",
                where,
                CIRCUS,
                target.name,
            )

    def fileno(self) -> int | None:
        """The file that lines go to; the first one of several, None if there is none."""
        for handler in self._handlers:
            stream = handler.stream if isinstance(handler, logging.FileHandler) else None
            if stream is not None:
                with contextlib.suppress(ValueError):  # it is being opened anew
                    return int(stream.fileno())
        return None

    def handlers(self) -> list[logging.Handler]:
        """Every handler that a line of the logger comes to."""
        return self._handlers

    def reopen(self) -> None:
        """Opens every file anew, but those that would lose what is in them."""
        for handler in self._handlers:
            if isinstance(handler, logging.FileHandler) and "w" not in handler.mode:
                reopen(handler)


def found(target: logging.Logger | None) -> Iterator[logging.Handler]:
    """Yields every handler that a line of a logger comes to."""
    while target is not None:
        yield from target.handlers
        target = target.parent if target.propagate else None


def apply(config: str | Mapping[str, Any]) -> None:
    """Has `logging` do what a configuration says.

    Raises:
        Exception: Whatever it says is not understood, or cannot be done.
    """
    if isinstance(config, Mapping):
        loaded: Any = config
    else:
        ending = os.path.splitext(config)[1].lower()
        with open(config, encoding="utf-8") as file:
            if ending == ".json":
                loaded = json.load(file)
            elif ending in YAML:
                loaded = yaml().safe_load(file)
            else:
                ini = configparser.ConfigParser()
                ini.read_file(file)
                logging.config.fileConfig(ini, disable_existing_loggers=False)
                return
        if not isinstance(loaded, Mapping):
            raise ValueError("this is no mapping of names to values")
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **loaded})


def yaml() -> Any:
    """Returns PyYAML.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise ImportError(
            "yaml needs PyYAML, which is not installed: pip install 'cvec_circus[yaml]'"
        ) from None


def describe(error: BaseException) -> str:
    """Returns what is wrong in one line, with the reason under the reason."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    elif isinstance(error, KeyError):
        text = f"there is no {error}"
    else:
        text = str(error) or type(error).__name__
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    reason = "" if cause is None else describe(cause)
    text = " ".join(text.split())
    return f"{text}: {reason}" if reason not in text else text


def guard(handler: logging.Handler) -> None:
    """Has a handler say on stderr what goes wrong with it, once, and without waiting for a reader.

    Most would print a traceback for each line, and wait. Some raise in the midst of whoever logs,
    such as `WatchedFileHandler` where the folder is gone.
    """
    emit = handler.emit
    said: set[str] = set()

    def report(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        text = f"cvec_circus: cannot write the log by {type(handler).__name__}: {error}\n"
        if text not in said and len(said) < MOST_TROUBLES:
            said.add(text)
            write_to_stderr(text.encode(errors="backslashreplace"))

    def emit_safely(record: logging.LogRecord) -> None:
        try:
            emit(record)
        except Exception:
            report(record)

    handler.emit = emit_safely  # type: ignore[method-assign]
    handler.handleError = report  # type: ignore[method-assign]


def reopen(handler: logging.FileHandler) -> None:
    """Has a handler open its file with the next line."""
    handler.acquire()
    try:
        stream, handler.stream = handler.stream, None
        if stream is not None:
            stream.close()
    finally:
        handler.release()
