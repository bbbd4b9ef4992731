"""Photos: which still-picture format, when it says it was taken, and whether its end is there. Nothing is decoded.

EXIF keeps local time; since version 2.31 also its offset from UTC (CIPA DC-008 4.6.5). Without the offset the time is kept
as if it were UTC with an error bar of 14 hours, the widest offset there is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from pipeline.domain.reading import Truncation
from pipeline.domain.time import ClaimedTime, WallMs

_HEIF: Final = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_ANY_ZONE_MS: Final = 14 * 3600 * 1000
_EXIF_IFD, _TAKEN, _TAKEN_OFFSET = 0x8769, 0x9003, 0x9011
_OFFSET: Final = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")
_ENDS: Final = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}


def still_format(head: bytes) -> str | None:
    """``jpeg``, ``png`` or ``heif`` when a file begins so."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    return "heif" if head[4:8] == b"ftyp" and head[8:12] in _HEIF else None


def missing_end(form: str, tail: bytes) -> Truncation | None:
    """What is wrong with a picture whose last bytes are *tail* (cameras may append a little after the end mark)."""
    mark = _ENDS.get(form)
    if mark is None or mark in tail:
        return None
    return Truncation(expected=f"the end mark of {form}", found="none")


def taken_at(head: bytes) -> tuple[ClaimedTime, ...]:
    """When the picture was taken by its EXIF block, found in its first bytes; empty when it does not say."""
    start = head.find(b"Exif\0\0")
    if start < 0:
        return ()
    fields = _Tiff(head[start + 6 : start + 6 + 65536]).fields()
    try:
        local = datetime.strptime(fields.get(_TAKEN, "")[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return ()
    zone = _OFFSET.fullmatch(fields.get(_TAKEN_OFFSET, "").strip())
    shift_ms = 0
    if zone:
        shift_ms = (int(zone[2]) * 60 + int(zone[3])) * 60_000 * (1 if zone[1] == "+" else -1)
    at = int(local.timestamp()) * 1000 - shift_ms
    if at <= 0:
        return ()
    return (ClaimedTime(at=WallMs(at), origin="container", error_ms=1000 if zone else _ANY_ZONE_MS),)


class _Tiff:
    """The text fields of a TIFF block's first directory and its EXIF directory; offsets beyond the block are ignored."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._big = block[:2] == b"MM"

    def fields(self) -> dict[int, str]:
        found: dict[int, str] = {}
        self._directory(self._number(4, 4), found, nested=False)
        return found

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._block[at : at + size], "big" if self._big else "little")

    def _directory(self, at: int, found: dict[int, str], *, nested: bool) -> None:
        for entry in range(at + 2, at + 2 + 12 * min(self._number(at, 2), 512), 12):
            tag, kind, count = self._number(entry, 2), self._number(entry + 2, 2), self._number(entry + 4, 4)
            value = self._number(entry + 8, 4)
            if tag == _EXIF_IFD and not nested:
                self._directory(value, found, nested=True)
            elif kind == 2:
                where = entry + 8 if count <= 4 else value
                found[tag] = self._block[where : where + min(count, 64)].split(b"\0")[0].decode("ascii", "replace")
