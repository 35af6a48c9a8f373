"""The streams that write files, at their path in Circus."""

from cvec_circus.stream.file import FileStream, WatchedFileStream
from cvec_circus.stream.timed import TimedRotatingFileStream

__all__ = ["FileStream", "TimedRotatingFileStream", "WatchedFileStream"]
