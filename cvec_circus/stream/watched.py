"""The streams that follow their file when somebody else rotates it."""

from __future__ import annotations

from typing import Any

from cvec_circus.stream.file import CHECK_DELAY, FileStream


class FollowingFileStream(FileStream):
    """Appends to the file of a name, whichever file that is. Owned by the thread that calls it.

    Where a FileStream writes on in a file that was moved away, until `reopen`, this one looks
    before every write.
    """

    _follow_at = 0.0

    def _follow(self) -> None:
        if self._file.is_open and self._file.regular and not self._file.is_current():
            now = self._clock.monotonic()
            if now >= self._follow_at:
                self._follow_at = now + CHECK_DELAY
                self.reopen()
                if self._file.is_open and self._file.is_current():
                    self._follow_at = now  # it may be moved again before a second is over
        super()._follow()


class WatchedFileStream(FollowingFileStream):
    """Follows its file, and never rotates it. Owned by the pump thread.

    What Circus does by itself; `max_bytes` and `backup_count` mean nothing.
    """

    def __init__(self, filename: Any = "", time_format: str | None = None, **options: Any) -> None:
        """Make the stream; see FileStream."""
        super().__init__(filename, 0, 0, time_format, **without_size(options))
        self._follow_at = self._clock.monotonic()


def without_size(options: dict[str, Any]) -> dict[str, Any]:
    """Return options without those of a rotation by size."""
    return {k: v for k, v in options.items() if k not in ("max_bytes", "backup_count")}
