"""All rows."""

from __future__ import annotations

from tests.bench.row import Row
from tests.bench.rows import (
    asking,
    dying,
    lasting,
    logs,
    measuring,
    plugging,
    starting,
    telling,
    thousand,
)

ROWS: tuple[Row, ...] = (
    starting.START,
    dying.RESPAWN,
    dying.FLOOD,
    dying.MASS,
    thousand.THOUSAND,
    asking.REQUEST,
    asking.CLIENTS,
    asking.STATS_ROW,
    asking.STATUS,
    telling.HEARD_ROW,
    telling.EVENTS,
    logs.PLAIN,
    logs.ROTATING,
    logs.STAMPED,
    lasting.FLAPPING,
    lasting.DEATHS,
    lasting.RELOADS,
    plugging.PLUGINS,
    measuring.STATISTICS,
)
