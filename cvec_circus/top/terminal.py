"""The terminal of cvec_circus-top: curses, the keyboard, and changes of the size."""

from __future__ import annotations

import codecs
import contextlib
import curses
import locale
import os
import signal
import sys
from collections.abc import Iterator

from cvec_circus.base.loop import Loop
from cvec_circus.ctl.output import shortened
from cvec_circus.exc import ArgumentError
from cvec_circus.top.screen import Line, Screen
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
    **dict.fromkeys(("active", "up"), curses.COLOR_GREEN),
    **dict.fromkeys(("starting", "stopping", "waiting", "reloading"), curses.COLOR_YELLOW),
    **dict.fromkeys(("stopped", "unready", "backoff", "failed", "invalid"), curses.COLOR_RED),
}
"""Keyed by phase, or by the state that an older daemon reports."""

STYLES = {
    "title": curses.A_BOLD,
    "columns": curses.A_REVERSE,
    "watcher": curses.A_BOLD,
    "prompt": curses.A_REVERSE,
}

KEYBOARD = 0
"""Standard input, which is where curses reads."""

ESCAPE_DELAY = 25
"""Milliseconds after which an escape is a key, and not the beginning of another."""


class Terminal:
    """Draws lines and reads keys. Owned by the main thread."""

    def __init__(self, loop: Loop, screen: Screen, facts: Facts, where: str) -> None:
        """Prepare; nothing is drawn before `run`. `where` is the daemon's endpoint."""
        self._loop = loop
        self._screen = screen
        self._facts = facts
        self._where = where
        self._window: curses.window | None = None
        self._pairs: dict[str, int] = {}

    def run(self) -> None:
        """Show the facts until the user quits, then restore the terminal.

        Raises:
            ArgumentError: TERM names no known terminal, or one without a screen.
        """
        os.environ.setdefault("ESCDELAY", str(ESCAPE_DELAY))
        try:
            curses.setupterm()
        except curses.error as error:
            raise ArgumentError(f"TERM={os.environ.get('TERM', '')}: {error}") from None
        if not curses.tigetstr("cup"):
            raise ArgumentError(
                f"TERM={os.environ.get('TERM', '')}: its cursor cannot be moved: use --once"
            )
        _prefer_utf8()
        ends = [signal.signal(signum, self._end) for signum in (signal.SIGTERM, signal.SIGHUP)]
        # Before curses, which does not replace a handler.
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

    def _live(self, window: curses.window) -> None:
        self._window = window
        self._screen.encoding = window.encoding
        window.nodelay(True)
        with contextlib.suppress(curses.error):  # not every terminal can hide it
            curses.curs_set(0)
        if curses.has_colors() and not os.environ.get("NO_COLOR"):
            curses.use_default_colors()
            for number, (state, colour) in enumerate(COLOURS.items(), 1):
                curses.init_pair(number, colour, -1)
                self._pairs[state] = curses.color_pair(number)
        if os.isatty(KEYBOARD):  # a file is always readable
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
        assert self._window is not None
        for key in _keys(self._window):
            self._screen.key(key)
        if self._screen.is_done or not _is_there():
            self._loop.stop()
        else:
            self.draw(always=True)

    def draw(self, always: bool = False) -> None:
        """Draw the screen, unless it is frozen."""
        window = self._window
        if window is None or (self._screen.is_held and not always):
            return
        height, width = window.getmaxyx()
        window.erase()
        for number, line in enumerate(self._screen.lines(self._facts, self._where, width, height)):
            # A name may have letters that the terminal lacks, or bytes that are no letters.
            text = line.text.encode(window.encoding, "backslashreplace").decode(window.encoding)
            if text != line.text:
                line = Line(shortened(text, width), line.style)
            # curses fails after it has written the last cell.
            with contextlib.suppress(curses.error):
                window.addstr(number, 0, line.text, STYLES.get(line.style, curses.A_NORMAL))
                pair = line.state and self._pairs.get(line.state[1].partition(" ")[0])
                if line.state is not None and pair is not None:
                    window.addstr(number, *line.state, pair)
        window.refresh()


def _prefer_utf8() -> None:
    """Let curses write UTF-8 in a locale whose letters are ASCII, as Python does."""
    if codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "ascii":
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")


def _is_there() -> bool:
    """Tell whether the terminal is still there; one that is gone is always readable."""
    return os.isatty(sys.stdout.fileno())


def _keys(window: curses.window) -> Iterator[str]:
    """Yield what was typed: letters of any alphabet, and the names of other keys."""
    while True:
        try:
            code = window.get_wch()
        except curses.error:
            return  # nothing is left
        if code in KEYS:
            yield KEYS[code]
        elif isinstance(code, str):
            yield code
