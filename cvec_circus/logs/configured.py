"""A log described by a user's logging configuration: ini, json, yaml, or a mapping."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.logs.log import Log, close_outputs, lock_of, report
from cvec_circus.system import importing

CIRCUS = "circus"

MOST_TROUBLES = 100
"""How many different errors of a handler are reported, each once."""


class ConfiguredLog(Log):
    """A log with the user's handlers. Owned by the thread that made it.

    None of them can stop the program: their exceptions are reported on stderr.

    Args:
        target: The logger. It is never disabled, whatever the configuration says of other loggers.
        config: The path of a file, or a mapping.

    Raises:
        ConfigError: The configuration cannot be used; in one line.
    """

    def __init__(self, target: logging.Logger, config: str | Mapping[str, Any]) -> None:
        path = "" if isinstance(config, Mapping) else config
        where = f" {path}" if path else ""
        close_outputs(target, target.handlers)
        target.propagate = True
        try:
            apply(config)
        except Exception as error:  # the user's classes may raise anything
            raise exc.ConfigError([f"loggerconfig{where}: {describe(error, path)}"]) from error
        target.disabled = False
        super().__init__(target, list(found(target)))
        for handler in self.handlers:
            guard(handler)
        has_own = any(not isinstance(each, logging.NullHandler) for each in target.handlers)
        if not has_own and logging.getLogger(CIRCUS).handlers:
            said = "the logging configuration%s names the logger %r; this one is %r"
            target.warning(said, where, CIRCUS, target.name)

    def fileno(self) -> int | None:
        """Return the descriptor that lines go to: the first of several; None if there is none."""
        for handler in self.handlers:
            stream = handler.stream if isinstance(handler, logging.FileHandler) else None
            if stream is not None:
                with contextlib.suppress(ValueError):  # another thread is opening it anew
                    return int(stream.fileno())
        return None

    def reopen(self) -> None:
        """Reopen every file with its next line, except those that would lose their content."""
        for handler in self.handlers:
            if isinstance(handler, logging.FileHandler) and "w" not in handler.mode:
                with lock_of(handler):
                    stream, handler.stream = handler.stream, None
                    if stream is not None:
                        stream.close()


def found(target: logging.Logger | None) -> Iterator[logging.Handler]:
    """Yield every handler that a line of a logger reaches."""
    while target is not None:
        yield from target.handlers
        target = target.parent if target.propagate else None


def apply(config: str | Mapping[str, Any]) -> None:
    """Configure `logging`. Classes that a file names are found as hooks are.

    Raises:
        Exception: The configuration is invalid, or cannot be applied.
    """
    from configparser import RawConfigParser
    from logging.config import dictConfig, fileConfig

    if isinstance(config, Mapping):
        loaded = config
    else:
        importing.search_here()
        loaded = read(config)
    if isinstance(loaded, RawConfigParser):
        fileConfig(loaded, disable_existing_loggers=False)
    else:
        dictConfig({"version": 1, "disable_existing_loggers": False, **loaded})


def read(path: str) -> Mapping[str, Any]:
    """Return what a file says; that of an INI file is a `ConfigParser`.

    Raises:
        Exception: It cannot be read, or is not understood.
    """
    ending = os.path.splitext(path)[1].lower()
    with open(path, encoding="utf-8") as file:
        if ending == ".json":
            loaded = json.load(file)
        elif ending in (".yaml", ".yml"):
            loaded = yaml().safe_load(file)
        else:
            from configparser import ConfigParser

            loaded = ConfigParser()
            loaded.read_file(file)
    if not isinstance(loaded, Mapping):
        raise ValueError("this is not a mapping of names to values")
    return loaded


def yaml() -> Any:
    """Return PyYAML.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise ImportError(
            "yaml needs PyYAML, which is not installed: pip install 'cvec_circus[yaml]'"
        ) from None


def describe(error: BaseException, path: str = "") -> str:
    """Return the error in one line, with its underlying cause.

    Args:
        error: What was raised.
        path: The file of the configuration, which is named beside it anyway.
    """
    if isinstance(error, OSError) and error.strerror:
        is_other = error.filename not in (None, path)
        text = f"{error.filename}: {error.strerror}" if is_other else error.strerror
    elif isinstance(error, KeyError):
        text = f"there is no {error}"
    else:
        text = str(error) or type(error).__name__
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    reason = "" if cause is None else describe(cause, path)
    text = " ".join(text.split())
    return f"{text}: {reason}" if reason not in text else text


def guard(handler: logging.Handler) -> None:
    """Make a handler report each error once, on stderr, without waiting for a reader.

    Most would print a traceback for each line, and wait. Some raise in the middle of the code that
    logs, such as `WatchedFileHandler` where the folder is gone.
    """
    emit = handler.emit
    said: set[str] = set()

    def report_once(record: logging.LogRecord) -> None:
        text = f"cannot write the log by {type(handler).__name__}: {sys.exc_info()[1]}"
        if text not in said and len(said) < MOST_TROUBLES:
            said.add(text)
            report(text)

    def emit_safely(record: logging.LogRecord) -> None:
        try:
            emit(record)
        except Exception:
            report_once(record)

    handler.emit = emit_safely  # type: ignore[method-assign]
    handler.handleError = report_once  # type: ignore[method-assign]
