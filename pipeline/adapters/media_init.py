"""Init segments and the fragments they describe (ISO/IEC 23000-19 7.3, ISO/IEC 14496-12 8.8): which belongs to which.

An init segment holds an index (``moov``) that promises fragments (``mvex``) and no media; a fragment holds media
(``moof``) and no index. Both number their tracks; a segment index (``sidx``) states a time scale as well. Only headers and the
index are read.
"""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from pipeline.adapters.digest import open_to_read
from pipeline.adapters.media_bmff import Box, boxes

MOST_BYTES: Final = 16 << 20
"""No init segment is longer; MediaMTX writes 1 kB."""
_MOST_BOXES: Final = 64
"""Boxes looked at before the first fragment: brands, indexes, events, reference times."""


class Fragment(NamedTuple):
    """Media without a description. ``tracks``: of its first fragment; ``scales``: ticks a second its indexes state."""

    tracks: frozenset[int]
    scales: frozenset[int]


class Init(NamedTuple):
    """A description without media: each track's ticks a second."""

    scales: dict[int, int]

    def fits(self, fragment: Fragment) -> bool:
        """Whether it can describe *fragment*: it knows its tracks, and one of them ticks as stated."""
        known = [self.scales[track] for track in fragment.tracks if track in self.scales]
        ticks = not fragment.scales or not fragment.scales.isdisjoint(known)
        return len(known) == len(fragment.tracks) and ticks


def look(path: Path) -> Init | Fragment | None:
    """What the file at *path* is; ``None`` if it describes itself, or cannot be looked at."""
    try:
        with FileIO(open_to_read(str(path)), "rb") as raw:
            file = cast(BinaryIO, raw)
            return _look(file, raw.seek(0, 2))
    except OSError:
        return None


def _look(file: BinaryIO, size_bytes: int) -> Init | Fragment | None:
    index: Box | None = None
    scales: set[int] = set()
    for number, box in enumerate(boxes(file, 0, size_bytes)):
        if number == _MOST_BOXES or box.end > size_bytes:
            return None
        if box.kind == b"moof":
            return None if index else Fragment(frozenset(_track_ids(file, box)), frozenset(scales))
        if box.kind == b"mdat":
            return None
        if box.kind == b"sidx":
            scales.add(_number(file, box.body + 8))
        elif box.kind == b"moov":
            index = box
    return _init(file, index) if index and size_bytes <= MOST_BYTES else None


def _init(file: BinaryIO, index: Box) -> Init | None:
    inside = list(boxes(file, index.body, index.end))
    if not any(box.kind == b"mvex" for box in inside):
        return None
    scales: dict[int, int] = {}
    for track in inside:
        if track.kind != b"trak":
            continue
        parts = {box.kind: box for box in boxes(file, track.body, track.end)}
        media = {box.kind: box for box in _within(file, parts.get(b"mdia"))}
        head, times = parts.get(b"tkhd"), media.get(b"mdhd")
        if head and times:
            scales[_versioned(file, head)] = _versioned(file, times)
    return Init(scales)


def _track_ids(file: BinaryIO, fragment: Box) -> set[int]:
    return {
        _number(file, head.body + 4)
        for part in boxes(file, fragment.body, fragment.end)
        if part.kind == b"traf"
        for head in boxes(file, part.body, part.end)
        if head.kind == b"tfhd"
    }


def _within(file: BinaryIO, box: Box | None) -> list[Box]:
    return list(boxes(file, box.body, box.end)) if box else []


def _versioned(file: BinaryIO, box: Box) -> int:
    """The number behind the two times a ``tkhd`` or ``mdhd`` begins with: 32 bit each, or 64 in version 1."""
    file.seek(box.body)
    wide = file.read(1) == b"\x01"
    return _number(file, box.body + (20 if wide else 12))


def _number(file: BinaryIO, at: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(4), "big")
