"""Functions that programs written for Circus use."""

from __future__ import annotations

import logging
import re

from cvec_circus.connect import (
    DEFAULT_ENDPOINT_DEALER,
    DEFAULT_ENDPOINT_STATS,
    DEFAULT_ENDPOINT_SUB,
)
from cvec_circus.logs.log import Log, LoggerConfig, configure

__all__ = [
    "DEFAULT_ENDPOINT_DEALER",
    "DEFAULT_ENDPOINT_STATS",
    "DEFAULT_ENDPOINT_SUB",
    "configure_logger",
    "human2bytes",
]

_UNITS = (
    ("B", "byte", ""),
    ("K", "kilo", "Ki", "kibi"),
    ("M", "mega", "Mi", "mebi"),
    ("G", "giga", "Gi", "gibi"),
    ("T", "tera", "Ti", "tebi"),
    ("P", "peta", "Pi", "pebi"),
    ("E", "exa", "Ei", "exbi"),
    ("Z", "zetta", "Zi", "zebi"),
    ("Y", "yotta", "iotta", "Yi", "yobi"),
)
_POWERS = {name.lower(): power for power, names in enumerate(_UNITS) for name in names}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)\s*", re.ASCII)


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
    return configure(logger, level, output, loggerconfig)


def human2bytes(s: str) -> int:
    """Returns how many bytes a size for people is: "1.5 M" is 1572864, "10kilo" is 10240.

    Units are powers of 1024, in any case: K, Ki, kilo, kibi; the same for the larger ones. Without
    one, or with B, it is bytes.

    Raises:
        ValueError: It is no size.
    """
    found = _SIZE.fullmatch(s)
    power = _POWERS.get(found[2].lower()) if found else None
    if found is None or power is None:
        raise ValueError(f"{s!r} is no size such as 1.5M")
    return int(float(found[1]) * 1024**power)
