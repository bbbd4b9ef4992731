"""Media: one file in, its facts out; which reader reads it is decided here, by its first bytes alone.

Runs inside a media process (:mod:`media_process`), one file at a time. Equal bytes give equal facts: whether PyAV is asked for a
second reading (:mod:`pipeline.domain.referee`) is decided by the bytes as well.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pipeline.adapters import (
    media_av,
    media_bmff,
    media_init,
    media_mp4,
    media_photo,
    media_riff,
    media_sound,
    media_ts,
    media_ts_packets,
)
from pipeline.adapters.media_bmff import Joined
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.facts import judge, photo, unreadable
from pipeline.domain.findings import Finding
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import FileReading, Truncation
from pipeline.domain.referee import compare, unread

VERSION: Final = f"2/av-{version('av')}"
"""Rules and library: facts are comparable under one version."""

_HEAD_BYTES: Final = 256 << 10
_TAIL_BYTES: Final = 4 << 10
_DRAWN_FROM: Final = 64 << 10
_ONE_IN: Final = 64
"""A second reading of a two-second file takes five times as long as the first; one in so many adds a twelfth, and of a
camera's files some thirty are still read twice every hour."""
_REFEREED: Final = ("isobmff", "ts")
"""Readers whose readings PyAV is asked about."""

Referee = Literal["drawn", "always"]
"""Which direct readings PyAV witnesses: those with a finding above a note and a draw of the rest, or all."""


def facts(path: str, tolerance: Tolerance, init: str | None = None, referee: Referee = "drawn") -> MediaFacts:
    """Facts of the file at *path*; bad bytes are facts too. *init*: the init segment beside it, used when the file is a media
    segment without an index of its own. Raises ``MemoryError`` and ``OSError`` of the disk."""
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
            missing = media_photo.missing_end(form, head, file.read(), size_bytes)
            said = media_photo.described(file, head, form, size_bytes)
            return photo(form, "header", said.clocks, missing, said.device)
        try:
            apart = _Apart(file, init)
            reading = _read(where, file, head, size_bytes, apart)
            found = judge(reading, tolerance)
        except MediaUnreadable as exc:
            return unreadable(str(exc))
        if reading.reader in _REFEREED and (referee == "always" or _asked(found, head, size_bytes)):
            found = replace(found, findings=(*found.findings, *_witnessed(reading, apart.joined or where, tolerance)))
        return found


def _asked(found: MediaFacts, head: bytes, size_bytes: int) -> bool:
    """Whether the referee is asked: when something was found, and else by the bytes themselves."""
    serious = any(finding.level != "note" for finding in found.findings)
    return serious or zlib.crc32(head[:_DRAWN_FROM], size_bytes & 0xFFFFFFFF) % _ONE_IN == 0


def _witnessed(reading: FileReading, source: Path | BinaryIO, tolerance: Tolerance) -> tuple[Finding, ...]:
    try:
        return compare(reading, media_av.read(source), tolerance)
    except MediaUnreadable as exc:
        return (unread(reading, "pyav", str(exc)),)
    except MemoryError:
        return (unread(reading, "pyav", "a count in it asks for more memory than a file may have"),)


class _Apart:
    """An init segment apart from the file (ISO/IEC 23000-19 7.3.2). ``joined``: both as one, once it was needed."""

    def __init__(self, file: BinaryIO, path: str | None) -> None:
        self._file, self._path = file, path
        self.joined: BinaryIO | None = None

    def index(self) -> bytes:
        """The body of its index. Raises ``MediaUnreadable``."""
        if self._path is None:
            raise MediaUnreadable(
                "a media segment without an index (moov): its init segment is needed, none was found beside it"
            )
        with Path(self._path).open("rb") as init:
            data = init.read(media_init.MOST_BYTES)
            index = media_bmff.index(init, media_bmff.walk(init, init.seek(0, 2)))
        if index is None:
            raise MediaUnreadable(
                "a media segment without an index (moov), and there is none in the init segment beside it"
            )
        self.joined = Joined(data, self._file)
        return index


def _read(path: Path, file: BinaryIO, head: bytes, size_bytes: int, apart: _Apart) -> FileReading:
    if media_bmff.is_bmff(head):
        return _read_bmff(path, file, size_bytes, apart)
    frame = None if media_riff.is_known(head) else media_ts_packets.framing(head)
    if frame is not None:
        return media_ts.read(path, frame)
    reading = media_av.read(path, first_page=media_sound.first_page(head))
    lost = media_riff.truncation(file, head, size_bytes) or media_sound.truncation(file, head, size_bytes, reading)
    return _truncated(reading, lost)


def _read_bmff(path: Path, file: BinaryIO, size_bytes: int, apart: _Apart) -> FileReading:
    boxes = media_bmff.walk(file, size_bytes)
    if boxes.index is None and not boxes.fragmented:
        what = boxes.truncation.found if boxes.truncation else "the file ends before it"
        raise MediaUnreadable(f"no index (moov): the recorder did not finish the file; {what}")
    moov = media_bmff.index(file, boxes) if boxes.index else apart.index()
    try:
        return media_mp4.read(file, boxes, moov)
    except media_av.NotExactlyError as exc:
        reading = media_av.read(apart.joined or path, reader=f"pyav (isobmff: {exc})")
    return replace(
        _truncated(reading, boxes.truncation),
        container="fmp4" if boxes.fragmented else reading.container,
        identities=media_bmff.identities(moov or b""),
    )


def _truncated(reading: FileReading, truncation: Truncation | None) -> FileReading:
    return replace(reading, truncation=truncation or reading.truncation)
