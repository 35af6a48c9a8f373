"""The screen of cvec_circus-top: curses, the keyboard, and a window that changes its size."""

from __future__ import annotations

import curses
import os
import signal
import sys
from collections.abc import Iterator

from cvec_circus.base.loop import Loop
from cvec_circus.exc import ArgumentError
from cvec_circus.top.view import Line, View, shortened
from cvec_circus.view.facts import Facts

KEYS: dict[int | str, str] = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_PPAGE: "pageup",
    curses.KEY_NPAGE: "pagedown",
    curses.KEY_HOME: "home",
    curses.KEY_END: "end",
    curses.KEY_ENTER: "enter",
    curses.KEY_BACKSPACE: "backspace",
    "\n": "enter",
    "\r": "enter",
    "\x1b": "escape",
    "\x7f": "backspace",
    "\b": "backspace",
}

COLOURS = {
    "active": curses.COLOR_GREEN,
    "starting": curses.COLOR_YELLOW,
    "stopping": curses.COLOR_YELLOW,
    "stopped": curses.COLOR_RED,
}

KEYBOARD = 0
"""Standard input, which is where curses reads."""

ESCAPE_DELAY = 25
"""Milliseconds after which an escape is the key and no longer the beginning of another one."""


class Terminal:
    """Draws lines and reads keys. Owned by the main thread."""

    def __init__(self, loop: Loop, view: View, facts: Facts, where: str) -> None:
        """Prepare; nothing is drawn before `run`.

        Args:
            loop: Turns until somebody wants to leave.
            view: What is shown of the facts.
            facts: What is known.
            where: Which daemon it is.
        """
        self._loop = loop
        self._view = view
        self._facts = facts
        self._where = where
        self._screen: curses.window | None = None
        self._pairs: dict[str, int] = {}

    def run(self) -> None:
        """Show the facts until somebody wants to leave. The terminal is as it was afterwards.

        Raises:
            ArgumentError: Nothing is known of a terminal of this kind.
        """
        os.environ.setdefault("ESCDELAY", str(ESCAPE_DELAY))
        try:
            curses.setupterm()
        except curses.error as error:
            raise ArgumentError(f"TERM={os.environ.get('TERM', '')}: {error}") from None
        ends = [signal.signal(signum, self._end) for signum in (signal.SIGTERM, signal.SIGHUP)]
        # Before curses begins, which leaves a handler that is there alone.
        resized = signal.signal(signal.SIGWINCH, self._resize)
        signal.set_wakeup_fd(self._loop.wakeup.write_fd, warn_on_full_buffer=False)
        try:
            curses.wrapper(self._live)
        except KeyboardInterrupt:
            pass
        except curses.error:
            if _is_there():
                raise
        finally:
            signal.signal(signal.SIGWINCH, resized)
            for signum, former in zip((signal.SIGTERM, signal.SIGHUP), ends):
                signal.signal(signum, former)

    def _live(self, screen: curses.window) -> None:
        self._screen = screen
        screen.nodelay(True)
        _hide_cursor()
        if curses.has_colors() and not os.environ.get("NO_COLOR"):
            curses.use_default_colors()
            for number, (state, colour) in enumerate(COLOURS.items(), 1):
                curses.init_pair(number, colour, -1)
                self._pairs[state] = curses.color_pair(number)
        if os.isatty(KEYBOARD):  # a file would have something to read for ever
            self._loop.add_reader(KEYBOARD, self._read)
        self.draw()
        self._loop.run()

    def _end(self, signum: int, frame: object) -> None:
        self._loop.stop()

    def _resize(self, signum: int, frame: object) -> None:
        self._loop.post(self._resized)

    def _resized(self) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        curses.resizeterm(max(size.lines, 1), max(size.columns, 1))
        self.draw(always=True)

    def _read(self) -> None:
        assert self._screen is not None
        for key in _keys(self._screen):
            self._view.key(key)
        if self._view.is_done or not _is_there():
            self._loop.stop()
        else:
            self.draw(always=True)

    def draw(self, always: bool = False) -> None:
        """Draw what there is now, unless the screen is held."""
        screen = self._screen
        if screen is None or (self._view.is_held and not always):
            return
        height, width = screen.getmaxyx()
        screen.erase()
        for number, line in enumerate(self._view.lines(self._facts, self._where, width, height)):
            # A name may have letters that the terminal has not, or bytes that are none at all.
            text = line.text.encode(screen.encoding, "backslashreplace").decode(screen.encoding)
            if text != line.text:
                line = Line(shortened(text, width), line.style)
            self._put(screen, number, line)
        screen.refresh()

    def _put(self, screen: curses.window, number: int, line: Line) -> None:
        styles = {
            "title": curses.A_BOLD,
            "columns": curses.A_REVERSE,
            "watcher": curses.A_BOLD,
            "prompt": curses.A_REVERSE,
        }
        try:
            screen.addstr(number, 0, line.text, styles.get(line.style, curses.A_NORMAL))
            if line.state is not None and line.state[1] in self._pairs:
                at, state = line.state
                screen.addstr(number, at, state, self._pairs[state])
        except curses.error:
            pass  # curses cannot put anything into the last cell, and has shown it all the same


def _is_there() -> bool:
    """Tell whether there is still a terminal; one that is gone has something to read for ever."""
    return os.isatty(sys.stdout.fileno())


def _keys(screen: curses.window) -> Iterator[str]:
    """Yield what was typed: letters of any alphabet, and the names of other keys."""
    while True:
        try:
            code = screen.get_wch()
        except curses.error:
            return  # nothing is left
        if code in KEYS:
            yield KEYS[code]
        elif isinstance(code, str):
            yield code


def _hide_cursor() -> None:
    try:
        curses.curs_set(0)
    except curses.error:
        pass  # not every terminal can
