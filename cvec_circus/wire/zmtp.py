"""ZMTP 3.1, the protocol of ZeroMQ, mainly for the listening side: bytes in, messages out.

A connection begins with a greeting of 64 bytes from each side, then a READY command, then messages
of one or more frames (rfc.zeromq.org/spec/37). A frame is a byte of flags, its length in one byte
or in eight, and its content. Only the NULL mechanism is supported: no passwords, no encryption.

Input may be anything, so it is bounded as it arrives, not once it is complete: of a message, at
most `MAX_FRAME` bytes in two frames are kept, the rest is counted and dropped, and more than
`DROP_MESSAGE` bytes or `DROP_FRAMES` frames are a violation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.wire.messages import DROP_FRAME, MAX_FRAME

#: Frames of a message that are kept: an empty one, as REQ sends it, and the body.
KEPT_FRAMES = 2
#: Bytes and frames of one message above which its connection is closed.
DROP_MESSAGE = DROP_FRAME
DROP_FRAMES = 10_000
#: Frames dropped in one call: other connections have their turn in between.
DROPPED_AT_ONCE = 64
#: Bytes of one command of the protocol; a subscription is one, and topics are short.
MAX_COMMAND = 4096

READY = b"READY"
PING = b"PING"
SUBSCRIBE = b"SUBSCRIBE"
CANCEL = b"CANCEL"

#: The flags of a frame.
MORE, LONG, COMMAND = 1, 2, 4
_SIGNATURE = b"\xff\0\0\0\0\0\0\0\x01\x7f"
#: Bytes with which each side begins.
GREETING_SIZE = 64
_MECHANISM = b"NULL".ljust(20, b"\0")
_GREETING = _SIGNATURE + b"\x03\x01" + _MECHANISM + b"\0" * 32
#: Replaces a frame that was too large to keep; not empty, so that it is not a delimiter.
_DROPPED = b"\0"
#: Bytes from which a frame is large.
_LARGE = 4096
#: Decoded bytes that may stay in the buffer: removing them moves the rest, which costs time.
_SLACK = 1 << 16
#: A decoder's state besides its bytes.
_COUNTED = tuple("_count _greeted _kept _largest _skip _skipping_more _total ready".split())


class Violation(Exception):  # noqa: N818 - the peer's error
    """Input that is not ZMTP 3, or exceeds a limit; the text says which. Immutable."""


class WrongTypeError(Violation):
    """A peer that speaks ZMTP, with a socket that has nothing to say to ours. Immutable."""


class Message(NamedTuple):
    """A complete message. Immutable."""

    frames: tuple[bytes, ...]  # the first two at most; one that was too large is a zero byte
    frame_count: int  # of all
    largest: int  # bytes of the largest one


class Control(NamedTuple):
    """A command of the protocol. Immutable."""

    name: bytes  # READY, PING, SUBSCRIBE, CANCEL or another
    body: bytes


PART = Control(b"", b"")
"""A part of a long message that was dropped: there may be more to decode at once."""


def opening(socket_type: bytes) -> bytes:
    """Make the greeting and READY of a socket of a type: b"ROUTER", b"PUB", b"DEALER"."""
    properties = b"\x0bSocket-Type" + len(socket_type).to_bytes(4, "big") + socket_type
    return _GREETING + control(READY, properties)


def control(name: bytes, body: bytes = b"") -> bytes:
    """Make a command of the protocol, shorter than 256 bytes."""
    content = bytes((len(name),)) + name + body
    return bytes((COMMAND, len(content))) + content


def message(*frames: bytes) -> bytes:
    """Make a message of one or more frames."""
    last = len(frames) - 1
    return b"".join([_frame(frame, number < last) for number, frame in enumerate(frames)])


def _frame(content: bytes, more: bool) -> bytes:
    size = len(content)
    if size < 256:
        return bytes((more, size)) + content
    return bytes((LONG | more,)) + size.to_bytes(8, "big") + content


class Decoder:
    """Decodes what one peer, of one of the given types, sends. Owned by one thread.

    `feed` it what was read, then call `decode` until it returns None.
    """

    __slots__ = tuple(
        "_at _buffer _count _frames _greeted _kept _largest _peers _skip _skipping_more _total"
        " ready".split()
    )

    def __init__(self, peers: frozenset[bytes]) -> None:
        self._peers = peers
        self._buffer = bytearray()
        self._at = 0
        self._greeted = False
        self.ready = False
        self._skip = 0  # bytes of a frame that is not kept, and one
        self._skipping_more = False
        self._frames: list[bytes] = []
        self._kept = self._count = self._largest = self._total = 0

    def to_state(self) -> dict[str, Any]:
        """Return the state of decoding, in JSON's types."""
        plain = {name: getattr(self, name) for name in _COUNTED}
        frames = [frame.decode("latin-1") for frame in self._frames]
        return {**plain, "buffer": self._buffer[self._at :].decode("latin-1"), "frames": frames}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume from what `to_state` returned."""
        for name in _COUNTED:
            setattr(self, name, state[name])
        self._buffer = bytearray(state["buffer"], "latin-1")
        self._frames = [frame.encode("latin-1") for frame in state["frames"]]

    @property
    def held(self) -> int:
        """Bytes in memory of an incomplete message."""
        return len(self._buffer) - self._at + self._kept

    @property
    def is_large(self) -> bool:
        """Whether a large message is incomplete."""
        return self._skip > _LARGE or len(self._buffer) - self._at >= _LARGE

    def feed(self, received: bytes) -> None:
        """Add bytes that were read."""
        self._buffer += received

    def decode(self) -> Message | Control | None:
        """Return the next message or command; None when more must be read first.

        Also returns `PART` (compare with `is`), so that no call takes long.

        Raises:
            Violation: Close the connection.
        """
        if not self._greeted and not self._greet():
            return None
        pause_at = self._count + DROPPED_AT_ONCE
        while True:
            if self._skip:
                if not self._skipped():
                    return None
                is_last = not self._skipping_more
            else:
                frame = self._frame_here()
                if frame is None:
                    if self._skip:
                        continue
                    self._compact()
                    return None
                flags, content = frame
                if flags & COMMAND:
                    return self._command(content)
                self._frames.append(content)
                self._kept += len(content)
                self._counted(len(content))
                is_last = not flags & MORE
            if is_last:
                return self._whole()
            if self._count >= pause_at:
                return PART

    def _greet(self) -> bool:
        """Check the peer's greeting as far as it has arrived; return whether it is complete."""
        greeting = bytes(self._buffer[:GREETING_SIZE])
        if greeting[:1] not in (b"", b"\xff") or (len(greeting) > 9 and not greeting[9] & 1):
            raise Violation("not ZMTP")
        if len(greeting) > 10 and greeting[10] < 3:
            raise Violation("ZMTP before 3.0")
        if len(greeting) < GREETING_SIZE:
            return False
        if greeting[12:32] != _MECHANISM:
            raise Violation("a mechanism other than NULL")
        self._at = GREETING_SIZE
        self._greeted = True
        return True

    def _frame_here(self) -> tuple[int, bytes] | None:
        """Take a complete frame out of the buffer, or begin to skip one that is not kept."""
        buffer, at = self._buffer, self._at
        if len(buffer) - at < 2:
            return None
        flags = buffer[at]
        if flags & LONG:
            if len(buffer) - at < 9:
                return None
            size = int.from_bytes(buffer[at + 1 : at + 9], "big")
            start = at + 9
        else:
            size = buffer[at + 1]
            start = at + 2
        if flags & COMMAND:
            if size > MAX_COMMAND:
                raise Violation(f"a command of {size} bytes")
        elif not self.ready:
            raise Violation("a message before READY")
        elif not self._has_place(size):
            self._at = start
            self._drop(size, bool(flags & MORE))
            return None
        end = start + size
        if len(buffer) < end:
            return None
        self._at = end
        return flags, bytes(buffer[start:end])

    def _has_place(self, size: int) -> bool:
        """Check the limits; return whether to keep a frame. Called again until it is complete."""
        if self._total + size > DROP_MESSAGE or self._count >= DROP_FRAMES:
            raise Violation(f"a message of more than {DROP_MESSAGE} bytes or {DROP_FRAMES} frames")
        return self._count < KEPT_FRAMES and self._kept + size <= MAX_FRAME

    def _drop(self, size: int, more: bool) -> None:
        """Begin to skip a frame."""
        if self._count < KEPT_FRAMES:
            self._frames.append(_DROPPED)
        self._counted(size)
        self._skip = size + 1  # so that an empty one is skipped too
        self._skipping_more = more

    def _skipped(self) -> bool:
        """Skip what has arrived of a frame; return whether that is all of it."""
        step = min(self._skip - 1, len(self._buffer) - self._at)
        self._at += step
        self._skip -= step
        self._compact()
        if self._skip > 1:
            return False
        self._skip = 0
        return True

    def _counted(self, size: int) -> None:
        self._count += 1
        self._total += size
        self._largest = max(self._largest, size)

    def _whole(self) -> Message:
        whole = Message(tuple(self._frames), self._count, self._largest)
        self._frames = []
        self._kept = self._count = self._largest = self._total = 0
        self._compact()
        return whole

    def _command(self, content: bytes) -> Control:
        length = content[0] if content else 0
        found = Control(content[1 : 1 + length], content[1 + length :])
        if self.ready == (found.name == READY):
            raise Violation("READY must come first, and once")
        if not self.ready:
            if _property(found.body, b"socket-type") not in self._peers:
                raise WrongTypeError("a socket of the wrong type")
            self.ready = True
        return found

    def _compact(self) -> None:
        """Remove decoded bytes from the buffer."""
        if self._at == len(self._buffer):
            self._buffer = bytearray()
            self._at = 0
        elif self._at > _SLACK:
            del self._buffer[: self._at]
            self._at = 0


def _property(body: bytes, name: bytes) -> bytes | None:
    """Look up a property of READY by its name in lower case."""
    at = 0
    while at < len(body):
        key_end = at + 1 + body[at]
        value_start = key_end + 4
        value_end = value_start + int.from_bytes(body[key_end:value_start], "big")
        if body[at + 1 : key_end].lower() == name:
            return bytes(body[value_start:value_end])
        at = value_end
    return None
