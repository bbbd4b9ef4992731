"""Digest: SHA-256 of one open file, computed from the same file that a reader looks at meanwhile.

The bytes are read by position, so that nobody else's reading of the file disturbs; the file is the one that was opened,
whatever its name points to later. A file whose size, date or inode differs afterwards was written to while it was read: such
a digest is of no state the file ever had, and is not given out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from typing import Final, NamedTuple

from pipeline.domain.identity import Sha256

_PIECE_BYTES: Final = 4 << 20


class Digested(NamedTuple):
    """The open file as it was, and its digest; ``sha256`` is ``None`` if it changed while it was read."""

    found: os.stat_result
    sha256: Sha256 | None


def open_to_read(path: str) -> int:
    """A descriptor of the regular file at *path*. Not blocking: opening a pipe that took the file's name must not wait for
    somebody to write into it; not following: a link that took its name is not the file that was found. Raises ``OSError``,
    of what is no file too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", path)
    return descriptor


def digest(descriptor: int, found: os.stat_result, come_to: Callable[[int], None]) -> Digested:
    """Digest the whole open file, which was *found* so, in at most 4 MiB of memory; *come_to* is told after each piece how many bytes
    were read so far. Raises ``OSError`` of the medium."""
    whole, at = hashlib.sha256(), 0
    piece = memoryview(bytearray(min(_PIECE_BYTES, found.st_size)))
    while at < found.st_size and (read := os.preadv(descriptor, [piece], at)):
        whole.update(piece[:read])
        at += read
        come_to(at)
    whole_file = at == found.st_size
    return if_unchanged(descriptor, Digested(found, Sha256(whole.hexdigest()) if whole_file else None))


def if_unchanged(descriptor: int, digested: Digested) -> Digested:
    """*digested*, without its digest if the open file is no longer as it was."""
    now, then = os.fstat(descriptor), digested.found
    same = (now.st_size, now.st_mtime_ns, now.st_ino) == (then.st_size, then.st_mtime_ns, then.st_ino)
    return digested if same else digested._replace(sha256=None)
