"""The options of cgroups: where they are made, and what the processes of a watcher may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus.options.kinds import shown, to_boolean, to_float, to_text

LIMITS = {"memory_limit": "memory", "cpu_limit": "cpu", "pids_limit": "pids"}
"""The limits of a watcher, each with the controller that keeps it."""

OFF, AUTO = "off", "auto"

FEWEST, MOST = 0.01, 100_000.0
"""Processors; the kernel has no smaller share of a tenth of a second than a hundredth."""

PERIOD = 100_000
"""Microseconds in which a share of the processors is counted, the kernel's usual value."""


def to_cgroup(value: Any) -> str:
    """Return where cgroups are made: "off", "auto", or a folder."""
    text = to_text(value).strip() if isinstance(value, (str, os.PathLike)) else value
    if isinstance(text, str) and text.startswith("/"):
        return text.rstrip("/") or "/"
    if isinstance(text, str) and text.lower() in (OFF, AUTO):
        return text.lower()
    try:
        return AUTO if to_boolean(text) else OFF
    except ValueError:
        raise ValueError(
            f"{shown(value)} is neither off nor auto, nor the path of a folder"
        ) from None


def to_processors(value: Any) -> float:
    """Return a number of processors; "50%" is half of one."""
    text = value.strip() if isinstance(value, str) else value
    is_share = isinstance(text, str) and text.endswith("%")
    try:
        number = to_float(text[:-1], FEWEST * 100, MOST * 100) if is_share else to_float(text)
    except ValueError as error:
        reason = str(error) if is_share else f"{shown(value)} is not a number of processors"
        raise ValueError(f"{reason}: write 0.5, 2 or 150%") from None
    number = number / 100 if is_share else number
    if not FEWEST <= number <= MOST:
        raise ValueError(f"{shown(value)} is not from {FEWEST:g} to {MOST:g} processors")
    return number


def limit_files(options: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what the kernel is to be told: the file and its text for each limit."""
    memory, cpu, pids = (options[name] for name in LIMITS)
    quota = "max" if cpu is None else str(int(cpu * PERIOD))
    return {
        "memory_limit": ("memory.max", "max" if memory is None else str(memory)),
        "cpu_limit": ("cpu.max", f"{quota} {PERIOD}"),
        "pids_limit": ("pids.max", "max" if pids is None else str(pids)),
    }


def limited(options: Any) -> list[str]:
    """Return the names of the limits that are given."""
    return [name for name in LIMITS if getattr(options, name) is not None]
