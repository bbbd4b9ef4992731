"""Media: one file in, its facts out; which reader reads it is decided here, by its first bytes alone.

Runs inside a media process (:mod:`media_pool`), one file at a time. Equal bytes give equal facts.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final

from pipeline.adapters import media_av, media_bmff, media_photo, media_riff, media_ts
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import FileReading, Truncation, judge, photo, unreadable

VERSION: Final = f"1/av-{version('av')}"
"""Rules and library: facts are comparable under one version."""

_HEAD_BYTES: Final = 256 << 10
_TAIL_BYTES: Final = 4 << 10


def facts(path: str, tolerance: Tolerance) -> MediaFacts:
    """Facts of the file at *path*; bad bytes are facts too. Raises ``MemoryError`` and ``OSError`` of the disk."""
    where = Path(path)
    with where.open("rb") as file:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        head = file.read(_HEAD_BYTES)
        if not size_bytes:
            return unreadable("0 bytes")
        form = media_photo.still_format(head)
        if form:
            file.seek(max(0, size_bytes - _TAIL_BYTES))
            missing = media_photo.missing_end(form, file.read())
            return photo(form, "header", media_photo.taken_at(head), missing)
        try:
            return judge(_read(where, file, head, size_bytes), tolerance)
        except MediaUnreadable as exc:
            return unreadable(str(exc))


def _read(path: Path, file: BinaryIO, head: bytes, size_bytes: int) -> FileReading:
    if media_bmff.is_bmff(head):
        return _read_bmff(path, file, size_bytes)
    frame = media_ts.framing(head)
    if frame is not None:
        return media_ts.read(path, frame)
    reading = media_av.read(path)
    return _truncated(reading, media_riff.truncation(file, head, size_bytes))


def _read_bmff(path: Path, file: BinaryIO, size_bytes: int) -> FileReading:
    skeleton = media_bmff.walk(file, size_bytes)
    if not skeleton.indexed:
        what = skeleton.truncation.found if skeleton.truncation else "the file ends before it"
        raise MediaUnreadable(f"no index (moov): the recorder did not finish the file; {what}")
    reading = media_av.read(path, reader="isobmff+pyav")
    return replace(
        _truncated(reading, skeleton.truncation),
        container="fmp4" if skeleton.fragmented else reading.container,
        identities=skeleton.identities,
    )


def _truncated(reading: FileReading, truncation: Truncation | None) -> FileReading:
    return replace(reading, truncation=truncation or reading.truncation)
