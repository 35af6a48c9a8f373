"""Schedules: when a job runs, as a line of cron; cronsim decides what it means."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cvec_circus.base.clock import SYSTEM
from cvec_circus.options.kinds import shown, to_text

FORM = "MINUTE HOUR DAY MONTH WEEKDAY"
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What crontab(5) has for whole lines, and what they mean."""

_FOR_SECONDS = "a newer cronsim, and so Python 3.10 or later"
_INSTALL = "a schedule needs cronsim: pip install 'cvec_circus[schedule]'"


def to_schedule(value: Any) -> str:
    """Return a line of cron with single blanks; one that never comes is refused."""
    text = " ".join(to_text(value).split())
    Calendar().next_after(text, SYSTEM.time())
    return text


def _is_right_in_any_month(schedule: str) -> bool:
    from cronsim import CronSim, CronSimError

    *others, _, weekday = schedule.split(" ")
    try:
        CronSim(" ".join((*others, "*", weekday)), datetime(2000, 1, 1))
    except CronSimError:
        return False
    return True


class Calendar:
    """The time of a zone, with its changes of daylight saving time. Immutable."""

    def __init__(self, zone: tzinfo = timezone.utc) -> None:
        self._zone = zone

    @classmethod
    def local(cls, name: str | None) -> Calendar:
        """Return the one of this machine.

        Args:
            name: What `TZ` says: a name, or the path of a file of a zone; None if it is not set.

        Raises:
            ValueError: It is no such zone.
            OSError: The file cannot be read.
        """
        if name == "":
            return cls()
        path = "/etc/localtime" if name is None else name.lstrip(":")
        if not path.startswith("/"):
            try:
                return cls(ZoneInfo(path))
            except (ValueError, ZoneInfoNotFoundError):
                raise ValueError("it names no zone such as Europe/Berlin") from None
        with open(path, "rb") as file:
            return cls(ZoneInfo.from_file(file))

    def next_after(self, schedule: str, wall: float) -> float:
        """Return when a schedule comes next, in seconds since 1970.

        Args:
            schedule: A line of cron.
            wall: Seconds since 1970; what it returns is later.

        Raises:
            ValueError: It is not a schedule, does not come within 50 years, or cronsim is not
                installed.
        """
        try:
            from cronsim import CronSim, CronSimError
        except ImportError:
            raise ValueError(_INSTALL) from None
        try:
            for found in CronSim(schedule, datetime.fromtimestamp(wall, self._zone)):
                coming = float(found.timestamp())
                # In the hour that a clock goes through twice, cronsim names the first time only.
                if coming > wall:
                    return coming
        except CronSimError as error:
            wrong = str(error)[:1].lower() + str(error)[1:]
            form = NICKNAMES.get(schedule.lower(), FORM)
            said = f"{shown(schedule)} is not a schedule ({wrong}): write {form}"
            if len(schedule.split()) == 6 and "number of fields" in wrong:
                said = f"{shown(schedule)} has seconds, which need {_FOR_SECONDS}"
            elif "day-of-month" in wrong and _is_right_in_any_month(schedule):
                said = f"{shown(schedule)} never comes: no month in it has that day"
            raise ValueError(said) from None
        raise ValueError(f"{shown(schedule)} never comes")

    def shown(self, wall: float) -> str:
        """Return a time as people read it, with seconds only where there are some."""
        moment = datetime.fromtimestamp(wall, self._zone)
        form = "%Y-%m-%d %H:%M:%S %Z" if moment.second else "%Y-%m-%d %H:%M %Z"
        return moment.strftime(form)
