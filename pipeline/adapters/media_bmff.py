"""Boxes: the skeleton of an ISO base media file (ISO/IEC 14496-12 4.2), read without opening a codec.

Says what the box structure promises and the file does not hold (a recorder that lost power), whether it is fragmented,
and which identity a recorder wrote beside the index: MediaMTX puts a full box ``mtxi`` into ``moov/udta`` with the stream's
uuid (16 bytes), the segment's number (64 bit), its decoding time and its wall clock (nanoseconds, signed 64 bit).
Reads headers and small boxes only; nothing here trusts a size further than the file goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple
from uuid import UUID

from pipeline.domain.probe import BandIdentity
from pipeline.domain.reading import Truncation
from pipeline.domain.time import Nanos

_MOST_BOXES: Final = 1_000_000
_MTXI_BYTES: Final = 44
_MOST_NUMBER: Final = 1 << 53
"""No recorder counts so far, and larger integers do not survive every JSON reader."""


class Box(NamedTuple):
    """``start`` of the header, ``body`` of what it holds, ``end`` as stated: it may lie beyond the file's."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """What the walk found."""

    fragmented: bool
    indexed: bool
    identities: tuple[BandIdentity, ...]
    truncation: Truncation | None


def is_bmff(head: bytes) -> bool:
    """Whether a file beginning so is made of boxes."""
    return head[4:8] in (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot")


def walk(file: BinaryIO, size_bytes: int) -> Boxes:
    """Read the skeleton of a whole file; never raises for bad bytes."""
    kinds: set[bytes] = set()
    identities: tuple[BandIdentity, ...] = ()
    truncation = None
    for box in boxes(file, 0, size_bytes):
        if not _printable(box.kind):
            truncation = Truncation(
                expected="boxes to the end of the file", found="bytes that are no box", byte_offset=box.start
            )
            break
        kinds.add(box.kind)
        if box.end > size_bytes:
            name = box.kind.decode("ascii")
            beyond = f"{box.end - size_bytes} bytes of it missing"
            truncation = Truncation(expected=f"the whole box {name}", found=beyond, byte_offset=box.start)
        elif box.kind == b"moov":
            identities = tuple(_identities(file, box))
    return Boxes(
        fragmented=b"moof" in kinds,
        indexed=b"moov" in kinds,
        identities=identities,
        truncation=truncation,
    )


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets. A header that is cut off is a box without a name, ending one byte beyond."""
    for _ in range(_MOST_BOXES):
        if start >= end:
            return
        file.seek(start)
        header = file.read(min(16, end - start))
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


def _identities(file: BinaryIO, moov: Box) -> Iterator[BandIdentity]:
    for child in boxes(file, moov.body, moov.end):
        inner = boxes(file, child.body, min(child.end, moov.end)) if child.kind == b"udta" else (child,)
        for box in inner:
            if box.kind == b"mtxi" and box.end - box.body >= _MTXI_BYTES:
                file.seek(box.body + 4)
                stream, number, dts, ntp = struct.unpack(">16sQqq", file.read(_MTXI_BYTES - 4))
                if number > _MOST_NUMBER:
                    continue
                yield BandIdentity(
                    kind="mtxi", stream_id=str(UUID(bytes=stream)), number=number, dts_ns=Nanos(dts), ntp_ns=Nanos(ntp)
                )


def _printable(kind: bytes) -> bool:
    return kind[:1] == b"\xa9" or all(32 <= letter < 127 for letter in kind)
