"""Photos: which still-picture format, when and by which device it says it was taken, and whether its end is there. Nothing
is decoded.

Cameras describe a picture in an EXIF block, which is a TIFF directory (CIPA DC-008): in an APP1 segment of JPEG, an ``eXIf``
chunk of PNG, an ``EXIF`` chunk of WebP, an ``Exif`` item of HEIF (ISO/IEC 23008-12 A.2), the file itself for TIFF and DNG; BMP has
none. Make, model, serial number and time are kept; where it was taken is not (article 13: no more than the purpose needs).

EXIF keeps local time; since version 2.31 also its offset from UTC (4.6.5). Without the offset the time is kept as if it were
UTC with an error bar of 14 hours, the widest offset there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO, Final, NamedTuple

from pipeline.adapters.media_bmff import Box, boxes
from pipeline.domain.reading import Truncation
from pipeline.domain.time import ClaimedTime, WallMs

_HEIF: Final = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_BMP_HEADERS: Final = (12, 40, 52, 56, 64, 108, 124)
_ANY_ZONE_MS: Final = 14 * 3600 * 1000
_MAKE, _MODEL, _DNG_SERIAL = 0x010F, 0x0110, 0xC62F
_EXIF_IFD, _TAKEN, _TAKEN_OFFSET, _TAKEN_FRACTION, _SERIAL = 0x8769, 0x9003, 0x9011, 0x9291, 0xA431
_OFFSET: Final = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")
_ENDS: Final = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}
_MOST_PARTS: Final = 4096
_MOST_PLACES_BYTES: Final = 1 << 20
_MOST_TEXT: Final = 64


class Description(NamedTuple):
    """What a picture says of itself."""

    clocks: tuple[ClaimedTime, ...] = ()
    device: str = ""


def still_format(head: bytes) -> str | None:
    """``jpeg``, ``png``, ``heif``, ``tiff`` (DNG too), ``webp`` or ``bmp`` when a file begins so."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    return "heif" if head[4:8] == b"ftyp" and head[8:12] in _HEIF else None


def missing_end(form: str, head: bytes, tail: bytes, size_bytes: int) -> Truncation | None:
    """What is wrong with a picture whose last bytes are *tail* (cameras may append a little after the end mark)."""
    mark = _ENDS.get(form)
    if mark is not None and mark not in tail:
        return Truncation(expected=f"the end mark of {form}", found="none")
    stated = {"webp": int.from_bytes(head[4:8], "little") + 8, "bmp": int.from_bytes(head[2:6], "little")}.get(form, 0)
    if stated > size_bytes:
        return Truncation(expected=f"{stated} bytes as its header says", found=f"{size_bytes} bytes")
    return None


def described(file: BinaryIO, head: bytes, form: str, size_bytes: int) -> Description:
    """When and by what the picture was taken, as far as it says."""
    start = _exif(file, head, form, size_bytes)
    if start is None:
        return Description()
    fields = _Tiff(file, start, size_bytes).fields()
    return Description(
        _taken(fields), device(fields.get(_MAKE), fields.get(_MODEL), fields.get(_SERIAL) or fields.get(_DNG_SERIAL))
    )


def device(make: str | None, model: str | None, serial: str | None = None) -> str:
    """Maker, model and serial number in one line, without what is said twice."""
    make, model, serial = (_plain(text) for text in (make, model, serial))
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return f"{name} no. {serial}".strip() if serial else name


def _plain(text: str | None) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text or "").split())[:_MOST_TEXT]


def _taken(fields: dict[int, str]) -> tuple[ClaimedTime, ...]:
    try:
        local = datetime.strptime(fields.get(_TAKEN, "")[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return ()
    zone = _OFFSET.fullmatch(fields.get(_TAKEN_OFFSET, "").strip())
    shift_ms = 0
    if zone:
        shift_ms = (int(zone[2]) * 60 + int(zone[3])) * 60_000 * (1 if zone[1] == "+" else -1)
    fraction = fields.get(_TAKEN_FRACTION, "").strip()
    known = fraction[:3] if fraction.isascii() and fraction.isdigit() else ""
    at = int(local.timestamp()) * 1000 + int(known.ljust(3, "0")) - shift_ms
    if at <= 0:
        return ()
    return (ClaimedTime(at=WallMs(at), origin="container", error_ms=10 ** (3 - len(known)) if zone else _ANY_ZONE_MS),)


# Where the block is.


def _exif(file: BinaryIO, head: bytes, form: str, size_bytes: int) -> int | None:
    """The first byte of the picture's TIFF block."""
    if form == "tiff":
        return 0
    if form == "jpeg":
        at = head.find(b"Exif\0\0")
        return at + 6 if at >= 0 else None
    if form == "png":
        return next((at for name, at, _ in _png_chunks(file, size_bytes) if name == b"eXIf"), None)
    if form == "webp":
        at = next((at for name, at, _ in _riff_chunks(file, size_bytes) if name == b"EXIF"), -1)
        return (at + 6 if _read(file, at, 6) == b"Exif\0\0" else at) if at >= 0 else None
    return _heif_exif(file, size_bytes) if form == "heif" else None


_Parts = Iterator[tuple[bytes, int, int]]
"""Name, first byte of the body, its length."""


def _png_chunks(file: BinaryIO, size_bytes: int) -> _Parts:
    at = 8
    for _ in range(_MOST_PARTS):
        if at + 8 > size_bytes:
            return
        length, name = int.from_bytes(_read(file, at, 4), "big"), _read(file, at + 4, 4)
        yield name, at + 8, length
        at += length + 12


def _riff_chunks(file: BinaryIO, size_bytes: int) -> _Parts:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > size_bytes:
            return
        name, length = _read(file, at, 4), int.from_bytes(_read(file, at + 4, 4), "little")
        yield name, at + 8, length
        at += 8 + length + length % 2


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    return islice(boxes(file, start, end), _MOST_PARTS)


def _heif_exif(file: BinaryIO, size_bytes: int) -> int | None:
    """The Exif item: its number by ``iinf``, its place by ``iloc``, and in it where the TIFF header begins."""
    meta = next((box for box in _boxes(file, 0, size_bytes) if box.kind == b"meta"), None)
    if meta is None:
        return None
    inside = {box.kind: box for box in _boxes(file, meta.body + 4, meta.end)}
    items, places = inside.get(b"iinf"), inside.get(b"iloc")
    number = _exif_item(file, items) if items and places else None
    if number is None or places is None:
        return None
    at = _item_place(_read(file, places.body, min(places.end - places.body, _MOST_PLACES_BYTES)), number)
    return None if at is None else at + 4 + int.from_bytes(_read(file, at, 4), "big")


def _exif_item(file: BinaryIO, items: Box) -> int | None:
    wide = _read(file, items.body, 1) != b"\0"
    for box in _boxes(file, items.body + (8 if wide else 6), items.end):
        version = int.from_bytes(_read(file, box.body, 1), "big")
        width = 4 if version == 3 else 2
        if box.kind == b"infe" and version >= 2 and _read(file, box.body + 6 + width, 4) == b"Exif":
            return int.from_bytes(_read(file, box.body + 4, width), "big")
    return None


def _item_place(iloc: bytes, wanted: int) -> int | None:
    """The first extent of an item whose bytes lie in the file itself (ISO/IEC 14496-12 8.11.3)."""
    if len(iloc) < 8:
        return None
    version, sizes = iloc[0], iloc[4:6]
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    cursor = _Cursor(iloc, 6)
    for _ in range(min(cursor.take(2 if version < 2 else 4), _MOST_PARTS)):
        number = cursor.take(2 if version < 2 else 4)
        method = cursor.take(2) & 15 if version else 0
        cursor.take(2)
        base, extents = cursor.take(base_size), cursor.take(2)
        for extent in range(min(extents, _MOST_PARTS)):
            cursor.take(index_size)
            offset = cursor.take(offset_size)
            cursor.take(length_size)
            if number == wanted and not extent:
                return base + offset if method == 0 else None
    return None


class _Cursor:
    def __init__(self, block: bytes, at: int) -> None:
        self._block, self._at = block, at

    def take(self, size: int) -> int:
        self._at += size
        return int.from_bytes(self._block[self._at - size : self._at], "big")


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


class _Tiff:
    """The text fields of a TIFF block's first directory and its EXIF directory; what lies beyond the file is empty."""

    def __init__(self, file: BinaryIO, start: int, size_bytes: int) -> None:
        self._file, self._start, self._size = file, start, size_bytes
        self._big = self._bytes(0, 2) == b"MM"

    def fields(self) -> dict[int, str]:
        found: dict[int, str] = {}
        self._directory(self._number(4, 4), found, nested=False)
        return found

    def _bytes(self, at: int, size: int) -> bytes:
        return _read(self._file, self._start + at, size) if self._start + at < self._size else b""

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._bytes(at, size), "big" if self._big else "little")

    def _directory(self, at: int, found: dict[int, str], *, nested: bool) -> None:
        for entry in range(at + 2, at + 2 + 12 * min(self._number(at, 2), 512), 12):
            tag, kind, count = self._number(entry, 2), self._number(entry + 2, 2), self._number(entry + 4, 4)
            value = self._number(entry + 8, 4)
            if tag == _EXIF_IFD and not nested:
                self._directory(value, found, nested=True)
            elif kind == 2:
                where = entry + 8 if count <= 4 else value
                found[tag] = self._bytes(where, min(count, _MOST_TEXT)).split(b"\0")[0].decode("ascii", "replace")
