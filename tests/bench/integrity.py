"""`python -m tests.bench.integrity`: does every byte come through a rotating log, in order?

A child writes numbered lines of many lengths in blocks that end anywhere; a daemon writes them to a
file that it rotates. Then all of the files, oldest first, are compared with what was written.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import CircusClient
from cvec_circus.exc import CallError
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
LINES = 10_000
FILLER = bytes(range(0x20, 0x7F)) * 4

TEXT = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events
logoutput = {folder}/daemon.log

[watcher:flood]
cmd = {python} -m tests.bench.integrity --write {size}
working_dir = {root}
copy_env = True
respawn = False
stdout_stream.class = FileStream
stdout_stream.filename = {folder}/flood.log
stdout_stream.max_bytes = {file_size}
stdout_stream.backup_count = {count}
"""


class Found(NamedTuple):
    """What came of it. Immutable.

    Attributes:
        written: Bytes that the child has written.
        same: Bytes from the beginning on that are as they were written.
        there: Bytes that there are.
        files: How many files they are in.
        largest: The size of the largest one.
        seconds: What the child took, from the start of the daemon on.
    """

    written: int
    same: int
    there: int
    files: int
    largest: int
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it is all there."""
        return self.written == self.same == self.there


def text(size: int) -> Iterator[bytes]:
    """Yield what the child writes, about `size` bytes, in parts of whole lines."""
    number = done = 0
    while done < size:
        part = b"".join(
            b"%012d %s\n" % (line, FILLER[: line * 7919 % 300])
            for line in range(number, number + LINES)
        )
        number += LINES
        done += len(part)
        yield part


def write(size: int) -> None:
    """Be the child."""
    chance = random.Random(size)
    for part in text(size):
        rest = memoryview(part)
        while rest:
            end = chance.randrange(1, 100_000)
            _write_all(rest[:end])
            rest = rest[end:]


def _write_all(block: memoryview) -> None:
    while block:
        block = block[os.write(1, block) :]


def check(folder: Path, size: int, file_size: int) -> Found:
    """Run it once.

    Args:
        folder: Where the logs go; it has room for all of it.
        size: Bytes to write, about.
        file_size: Where a file is rotated.
    """
    config = folder / "circus.ini"
    config.write_text(
        TEXT.format(
            folder=folder,
            python=sys.executable,
            root=ROOT,
            size=size,
            file_size=file_size,
            count=size // file_size + 10,
        )
    )
    began = SYSTEM.monotonic()
    argv = [sys.executable, "-m", "cvec_circus.daemon.main", str(config)]
    with subprocess.Popen(argv, cwd=ROOT) as daemon:
        try:
            with CircusClient(endpoint=f"ipc://{folder}/control", timeout=1.0) as client:
                is_done = eventually(lambda: _is_done(client, folder), 600.0)
                seconds = SYSTEM.monotonic() - began
                client.send_message("quit")
                if not is_done:
                    raise RuntimeError("the child has not ended")
            daemon.wait(60)
        finally:
            daemon.kill()
    return compare(folder, size, seconds)


def _is_done(client: CircusClient, folder: Path) -> bool:
    """Whether the child has written something and has ended."""
    try:
        state = client.send_message("status", name="flood")["status"]
        return state == "stopped" and any(path.stat().st_size for path in folder.glob("flood.log"))
    except CallError:
        return False  # not up yet


def compare(folder: Path, size: int, seconds: float) -> Found:
    """Hold the files against what was written."""
    numbered = {int(re.sub(r"\D", "", path.name) or 0): path for path in folder.glob("flood.log*")}
    paths = [numbered[number] for number in sorted(numbered, reverse=True)]
    written = same = 0
    blocks = _blocks(paths)
    rest = b""
    for part in text(size):
        written += len(part)
        while len(rest) < len(part) and (block := next(blocks, b"")):
            rest += block
        if same == written - len(part):
            same += _common(part, rest)
        rest = rest[len(part) :]
    sizes = [path.stat().st_size for path in paths]
    return Found(written, same, sum(sizes), len(sizes), max(sizes, default=0), seconds)


def _common(one: bytes, other: bytes) -> int:
    """Count the bytes from the beginning on that are the same."""
    if other.startswith(one):
        return len(one)
    return next(
        (n for n, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other))
    )


def _blocks(paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(MIB):
                yield block


def main() -> int:
    """Run it once, say what came of it, and return 0 if it is all there."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.integrity", description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="MiB to write; 1024 by default")
    parser.add_argument("--file-size", type=int, default=16, help="MiB of a file; 16 by default")
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(given.write)
        return 0
    with tempfile.TemporaryDirectory(prefix="integrity-") as folder:
        found = check(Path(folder), given.size * MIB, given.file_size * MIB)
    rate = found.there / MIB / found.seconds
    print(
        f"{found.written} bytes written, {found.there} there, the first {found.same} as written;\n"
        f"{found.files} files, the largest of {found.largest} bytes; "
        f"{found.seconds:.1f} s, {rate:.0f} MiB/s with the writing of the child"
    )
    print(
        "every byte is there, in order" if found.is_right else "BYTES ARE MISSING OR OUT OF ORDER"
    )
    return 0 if found.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
