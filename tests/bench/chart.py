"""Charts without any library: bars of ratios, lines of growth, in one SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 700
"""Pixels: what a page of the docs has for it."""
LEFT = 240
BAR = 12
COLOURS = {"circus": "#d1495b", "supervisor": "#edae49", "floor": "#66a182"}
OTHER = "#8d96a3"
OURS = "#00798c"

Ratio = tuple[str, Mapping[str, float]]
Line = tuple[str, str, Mapping[int, float]]


class Picture:
    """An SVG that grows downwards. Owned by whoever draws."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.y = 10.0

    def text(self, x: float, y: float, text: str, size: int = 12, anchor: str = "start") -> None:
        """Write."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def bar(self, x: float, y: float, width: float, colour: str) -> None:
        """Draw a bar."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR - 2}" '
            f'fill="{colour}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.5) -> None:
        """Draw a line through points."""
        shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{shown}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def svg(self) -> str:
        """The file."""
        height = self.y + 10
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'font-family="sans-serif" width="{WIDTH}">\n'
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def draw(title: str, ratios: Sequence[Ratio], lines: Sequence[Line]) -> str:
    """Draw both.

    Args:
        title: What stands above.
        ratios: What was measured, and how many times worse than ours each peer is in it.
        lines: Title, unit, and cost by size.
    """
    picture = Picture()
    picture.text(10, picture.y + 12, title, 14)
    picture.y += 30
    if ratios:
        _bars(picture, ratios)
    if lines:
        _curves(picture, lines)
    return picture.svg()


def _bars(picture: Picture, ratios: Sequence[Ratio]) -> None:
    values = [value for _, peers in ratios for value in peers.values() if value > 0]
    low = min(-1.0, math.floor(min(map(math.log10, values), default=0)))
    high = max(1.0, math.ceil(max(map(math.log10, values), default=0)))
    scale = (WIDTH - LEFT - 60) / (high - low)

    def x(value: float) -> float:
        return LEFT + (min(max(math.log10(value), low), high) - low) * scale

    told = "times worse than cvec_circus; left of 1: better"
    picture.text(LEFT, picture.y + 10, told, 11)
    picture.y += 16
    top = picture.y
    for title, peers in ratios:
        picture.text(LEFT - 8, picture.y + BAR, title, 11, "end")
        for name, value in peers.items():
            if value > 0:
                begin, end = sorted((x(1.0), x(value)))
                picture.bar(begin, picture.y + 2, end - begin, COLOURS.get(name, OTHER))
                picture.text(
                    x(value) + 4 if value >= 1 else end + 4,
                    picture.y + BAR - 1,
                    f"{name} {value:.3g}",
                    9,
                )
                picture.y += BAR
        picture.y += 5
    for power in range(int(low), int(high) + 1):
        at = x(10.0**power)
        picture.line([(at, top), (at, picture.y)], OURS if power == 0 else "#dddddd", 1)
        picture.text(at, picture.y + 12, f"{10.0**power:g}", 10, "middle")
    picture.y += 30


def _curves(picture: Picture, lines: Sequence[Line]) -> None:
    width, height, gap = 280.0, 130.0, 60.0
    top = picture.y
    for index, (title, unit, curve) in enumerate(lines):
        left = 45 + (index % 2) * (width + gap)
        upper = top + 20 + (index // 2) * (height + 60)
        _curve(picture, (left, upper, width, height), f"{title} [{unit}]", curve)
        picture.y = upper + height + 30


def _curve(
    picture: Picture, box: tuple[float, float, float, float], title: str, curve: Mapping[int, float]
) -> None:
    left, upper, width, height = box
    logs = [math.log10(max(value, 1e-6)) for value in curve.values()]
    low, high = math.floor(min(logs)), max(math.ceil(max(logs)), math.floor(min(logs)) + 2)
    end = max(math.log10(max(curve)), 1.0)

    def at(size: int, value: float) -> tuple[float, float]:
        share = (math.log10(max(value, 1e-6)) - low) / (high - low)
        return left + math.log10(size) / end * width, upper + height * (1 - share)

    picture.text(left, upper - 6, title, 11)
    for power in range(low, high + 1):
        y = upper + height * (1 - (power - low) / (high - low))
        picture.line([(left, y), (left + width, y)], "#dddddd", 1)
        picture.text(left - 4, y + 4, f"{10.0**power:g}", 9, "end")
    points = [at(size, value) for size, value in curve.items()]
    picture.line(points, OURS, 2)
    for (x, y), (size, value) in zip(points, curve.items()):
        picture.text(x, y - 5, f"{value:.3g}", 9, "middle")
        picture.text(x, upper + height + 12, str(size), 9, "middle")
