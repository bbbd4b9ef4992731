"""Boxes: the skeleton of an ISO base media file (ISO/IEC 14496-12 4.2), read without opening a codec.

Says where the index, the fragments and the media data lie, what the box structure promises and the file does not hold (a
recorder that lost power), and which identity a recorder wrote beside the index: MediaMTX puts a full box ``mtxi`` into
``moov/udta`` with the stream's uuid (16 bytes), the segment's number (64 bit), its decoding time and its wall clock
(nanoseconds, signed 64 bit). Reads headers and small boxes only; nothing here trusts a size further than the file goes.
"""

from __future__ import annotations

import io
import os
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple
from uuid import UUID

from pipeline.domain.probe import BandIdentity
from pipeline.domain.reading import Truncation
from pipeline.domain.time import Nanos

_MOST_BOXES: Final = 1_000_000
_MOST_INNER: Final = 1 << 17
"""Runs of samples in a fragment of an hour, one a frame."""
_MOST_CLOCK_BOXES: Final = 100_000
"""A reference time every two seconds for two days."""
_MOST_INDEX_BYTES: Final = 128 << 20
"""Forty hours of picture and sound."""
_MTXI_BYTES: Final = 44
_FILL_BYTES: Final = 1 << 20
_MOST_NUMBER: Final = 1 << 53
"""No recorder counts so far, and larger integers do not survive every JSON reader."""
_FIRST: Final = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"sidx", b"prft", b"emsg")
)
"""What files and segments begin with."""
_STRUCTURE: Final = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"ssix", b"mfra", b"prft", b"emsg", b"pdin", b"meta", b"cut")
)
"""Boxes that hold no samples. All others may: the standard names four for media data, recorders use more."""


class Box(NamedTuple):
    """``start`` of the header, ``body`` of what it holds, ``end`` as stated: it may lie beyond the file's."""

    kind: bytes
    start: int
    body: int
    end: int


class Inner(NamedTuple):
    """A box in memory; ``end`` never lies beyond the box around it."""

    kind: bytes
    body: int
    end: int


@dataclass(slots=True, kw_only=True)
class Boxes:
    """What the walk found. ``fragments``: where each ``moof`` starts; ``media_starts`` and ``media_ends``: the bodies of
    boxes that may hold samples, as far as the file goes; ``reference_times``: bodies of ``prft`` boxes; ``crowded``: there
    were more boxes than are walked."""

    size_bytes: int
    index: Box | None = None
    index_whole: bool = False
    fragments: array[int] = field(default_factory=lambda: array("q"))
    media_starts: array[int] = field(default_factory=lambda: array("q"))
    media_ends: array[int] = field(default_factory=lambda: array("q"))
    reference_times: list[bytes] = field(default_factory=list)
    segment_index: bool = False
    fragmented: bool = False
    crowded: bool = False
    truncation: Truncation | None = None


def is_bmff(head: bytes) -> bool:
    """Whether a file beginning so is made of boxes."""
    return head[4:8] in _FIRST


def walk(file: BinaryIO, size_bytes: int) -> Boxes:
    """Read the skeleton of a whole file; never raises for bad bytes."""
    found = Boxes(size_bytes=size_bytes)
    count = 0
    for count, box in enumerate(boxes(file, 0, size_bytes), 1):  # noqa: B007
        if not _printable(box.kind):
            if found.index_whole and not found.fragmented and _filled(file, box.start):
                break
            found.truncation = Truncation(
                expected="boxes to the end of the file", found="bytes that are no box", byte_offset=box.start
            )
            break
        whole = box.end <= size_bytes
        if not whole:
            name = box.kind.decode("latin-1")
            beyond = f"{box.end - size_bytes} bytes of it missing"
            found.truncation = Truncation(expected=f"the whole box {name}", found=beyond, byte_offset=box.start)
        _note(found, file, box, whole)
    found.crowded = count >= _MOST_BOXES
    return found


def _filled(file: BinaryIO, start: int) -> bool:
    """Whether all behind *start* is one byte of filling, as of memory that was never written or a card that was carved. An
    index before it names every sample, so that none was there; fragments behind others have no index to name them."""
    file.seek(start)
    fill = file.read(1)
    if fill not in (b"\x00", b"\xff"):
        return False
    while chunk := file.read(_FILL_BYTES):
        if chunk.count(fill) != len(chunk):
            return False
    return True


def _note(found: Boxes, file: BinaryIO, box: Box, whole: bool) -> None:
    if box.kind not in _STRUCTURE:
        found.media_starts.append(box.body)
        found.media_ends.append(min(box.end, found.size_bytes))
    elif box.kind == b"moof":
        found.fragmented = True
        if whole:
            found.fragments.append(box.start)
    elif box.kind == b"moov" and found.index is None:
        found.index, found.index_whole = box, whole
    elif box.kind == b"moov" and found.index and whole and not _same(file, found.index, box):
        found.truncation = found.truncation or Truncation(
            expected="one index (moov)", found="another one, whose media is not read", byte_offset=box.start
        )
    elif box.kind == b"sidx":
        found.segment_index = True
    elif box.kind == b"prft" and whole and len(found.reference_times) < _MOST_CLOCK_BOXES:
        found.reference_times.append(os.pread(file.fileno(), min(box.end - box.body, 28), box.body))


def _same(file: BinaryIO, one: Box, other: Box) -> bool:
    """Whether two boxes are the same bytes: an index sent again with later fragments is."""
    length = one.end - one.body
    if other.end - other.body != length or length > _MOST_INDEX_BYTES:
        return False
    return os.pread(file.fileno(), length, one.body) == os.pread(file.fileno(), length, other.body)


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets. A header that is cut off is a box without a name, ending one byte beyond."""
    descriptor = file.fileno()
    for _ in range(_MOST_BOXES):
        if start >= end:
            return
        header = os.pread(descriptor, min(16, end - start), start)
        if len(header) < 8:
            yield Box(b"cut", start, end, end + 8 - len(header))
            return
        size, kind, body = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1 and len(header) == 16:
            size, body = int.from_bytes(header[8:16], "big"), start + 16
        elif size == 0 and _printable(kind):
            size = end - start
        if size < body - start:
            yield Box(b"\0\0\0\0", start, body, end)
            return
        yield Box(kind, start, body, start + size)
        start += size


def index(file: BinaryIO, boxes: Boxes) -> bytes | None:
    """The body of the index; ``None`` when there is none that is whole and of a size we hold."""
    box = boxes.index
    if box is None or not boxes.index_whole or box.end - box.body > _MOST_INDEX_BYTES:
        return None
    return os.pread(file.fileno(), box.end - box.body, box.body)


def inside(data: bytes, start: int, end: int) -> Iterator[Inner]:
    """The boxes between two places of *data*, up to the first that does not fit. Raises ``ValueError`` for a crowd."""
    for _ in range(_MOST_INNER):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and start + 16 <= end:
            size, body = int.from_bytes(data[body : body + 8], "big"), start + 16
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            return
        yield Inner(kind, body, start + size)
        start += size
    raise ValueError(f"more than {_MOST_INNER} boxes in one")


def firsts(data: bytes, start: int, end: int) -> dict[bytes, Inner]:
    """The first box of each kind between two places of *data*."""
    found: dict[bytes, Inner] = {}
    for box in inside(data, start, end):
        found.setdefault(box.kind, box)
    return found


def identities(moov: bytes) -> tuple[BandIdentity, ...]:
    """What recorders wrote about themselves into the body of an index; nothing is looked for in a crowd."""
    try:
        return tuple(_identities(moov))
    except ValueError:
        return ()


def _identities(moov: bytes) -> Iterator[BandIdentity]:
    for child in inside(moov, 0, len(moov)):
        for box in inside(moov, child.body, child.end) if child.kind == b"udta" else (child,):
            if box.kind == b"mtxi" and box.end - box.body >= _MTXI_BYTES:
                stream, number, dts, ntp = struct.unpack_from(">16sQqq", moov, box.body + 4)
                if number <= _MOST_NUMBER:
                    yield BandIdentity(
                        kind="mtxi",
                        stream_id=str(UUID(bytes=stream)),
                        number=number,
                        dts_ns=Nanos(dts),
                        ntp_ns=Nanos(ntp),
                    )


class Joined(io.RawIOBase, BinaryIO):
    """An init segment and a file that needs it, as one file and without a copy of it."""

    def __init__(self, head: bytes, file: BinaryIO) -> None:
        self._head, self._file, self._at = head, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._at < len(self._head):
            data = self._head[self._at :] if size < 0 else self._head[self._at : self._at + size]
        else:
            self._file.seek(self._at - len(self._head))
            data = self._file.read(size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:
            offset += len(self._head) + self._file.seek(0, io.SEEK_END)
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def tell(self) -> int:
        return self._at


def _printable(kind: bytes) -> bool:
    return kind[:1] == b"\xa9" or all(32 <= letter < 127 for letter in kind)
