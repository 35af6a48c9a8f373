"""The log of a program: opened by what a configuration says, followed, and closed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Union

from cvec_circus import exc
from cvec_circus.logs.outputs import FollowedFile, Output, Stderr

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LEVELS = ("debug", "info", "warning", "error", "critical")
SYSLOG = "syslog:"
STDERR = (None, "", "-", "stdout")
"""The last one is what Circus calls stderr."""

NO_CONFIG = "default"
"""Circus' word for a logging configuration that is none."""

LoggerConfig = Union[str, Mapping[str, Any], None]


class Log:
    """Where the lines of a logger go. Owned by the thread that made it; logging is for any thread.

    Args:
        target: The logger.

    Attributes:
        target: The logger.
    """

    def __init__(self, target: logging.Logger) -> None:
        self.target = target

    def handlers(self) -> list[logging.Handler]:
        """Every handler that a line of the logger comes to."""
        return []

    @property
    def level(self) -> str:
        """The word for the least severity that is logged."""
        word = logging.getLevelName(self.target.getEffectiveLevel()).lower()
        return word if word in LEVELS else "info"

    def fileno(self) -> int | None:
        """The file that lines go to now, None if there is none."""
        return None

    @property
    def url(self) -> str:
        """How another process writes to the same place: a path, the URL of a syslog, or "-"."""
        return "-"

    def reopen(self) -> None:
        """Opens anew what the lines go to."""

    def close(self) -> None:
        """Ends it, when the program has no more to say."""


class OutputLog(Log):
    """One output with a form of ours. Owned by the thread that made it.

    Whatever was opened for the same logger before is closed.

    Args:
        target: The logger.
        level: One of `LEVELS`, in any case.
        output: The path of a file, "-" or None for stderr, or a `syslog://` URL.

    Raises:
        OSError: The file cannot be opened, or the syslog cannot be reached.
        OptionError: The level or the URL makes no sense.
    """

    def __init__(self, target: logging.Logger, level: str, output: str | None) -> None:
        super().__init__(target)
        if str(level).lower() not in LEVELS:
            raise exc.OptionError("loglevel", f"{level!r} is not one of {', '.join(LEVELS)}")
        self._output = open_output(output)
        self._output.setFormatter(logging.Formatter(FORMAT))
        forget(target)
        target.addHandler(self._output)
        target.setLevel(level.upper())
        target.propagate = False

    def handlers(self) -> list[logging.Handler]:
        """The output."""
        return [self._output]

    def fileno(self) -> int | None:
        """The file that lines go to now, None if there is none."""
        fd = self._output.fileno()
        return None if fd < 0 else fd

    @property
    def url(self) -> str:
        """How another process writes to the same place: a path, the URL of a syslog, or "-"."""
        return self._output.url

    def reopen(self) -> None:
        """Opens the file of that name, which may be another one now."""
        self._output.reopen()

    def close(self) -> None:
        """Ends it; later lines go nowhere."""
        self.target.removeHandler(self._output)
        self._output.close()


def forget(target: logging.Logger) -> None:
    """Ends what was opened for a logger before."""
    for handler in target.handlers[:]:
        if isinstance(handler, Output):
            target.removeHandler(handler)
            handler.close()


def open_output(output: str | None) -> Output:
    """Opens what `OutputLog` calls an output; see there."""
    if output in STDERR:
        return Stderr()
    if str(output).startswith(SYSLOG):
        from cvec_circus.logs.syslog import Syslog

        return Syslog(str(output))
    return FollowedFile(str(output))


def configure_logger(
    logger: logging.Logger,
    level: str = "INFO",
    output: str | None = "-",
    loggerconfig: LoggerConfig = None,
    name: str | None = None,
) -> Log:
    """Opens a log for a logger, mostly for `cvec_circus.logger`, as the daemon does for itself.

    Nothing is logged by an embedded arbiter until this is called, or `logging` is configured.

    Args:
        logger: The logger.
        level: debug, info, warning, error or critical, in any case.
        output: A file, which is followed when it is moved away; `-` or None for stderr; or
            `syslog://HOST[:PORT]?FACILITY`, `syslog:///dev/log?FACILITY`.
        loggerconfig: A file (ini, json or yaml) or a mapping with a configuration of `logging`.
            It decides then, and `level` and `output` do not.
        name: Means nothing, as in Circus.

    Returns:
        The log: `reopen()` after a rotation, `close()` at the end. Calling this again for the same
        logger closes it too.

    Raises:
        OSError: The file cannot be opened, or the syslog cannot be reached.
        OptionError: The level or the URL makes no sense.
        ConfigError: The logging configuration cannot be used.
    """
    if loggerconfig and not (
        isinstance(loggerconfig, str) and loggerconfig.strip().lower() == NO_CONFIG
    ):
        from cvec_circus.logs.configured import ConfiguredLog

        return ConfiguredLog(logger, loggerconfig)
    return OutputLog(logger, level, output)
