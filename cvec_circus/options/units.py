"""Sizes as people write them."""

from __future__ import annotations

import re

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
