"""Sizes that RIFF (AVI, WAV) and Matroska files state about themselves, compared with the file: lost tails show here.

Both formats have a value for "not known" (a recorder that streams), which promises nothing.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from pipeline.domain.reading import Truncation

_RIFF_UNKNOWN: Final = (0, 0xFFFFFFFF)
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_MOST_ELEMENTS: Final = 1_000_000


def truncation(file: BinaryIO, head: bytes, size_bytes: int) -> Truncation | None:
    """What the file's outermost sizes promise beyond its end; ``None`` for other formats and whole files."""
    if head[:4] == b"RIFF":
        stated = int.from_bytes(head[4:8], "little")
        return None if stated in _RIFF_UNKNOWN else _beyond("RIFF chunk", 0, stated + 8, size_bytes)
    if head[:4] == _EBML:
        return _matroska(file, size_bytes)
    return None


def is_known(head: bytes) -> bool:
    """Whether the file begins as a format does that says so in its first bytes, whatever follows."""
    return head[:4] in (b"RIFF", _EBML, b"OggS", b"fLaC")


def _matroska(file: BinaryIO, size_bytes: int) -> Truncation | None:
    """Walk the elements at the top and, inside the segment, the clusters (RFC 8794 4, RFC 9559 5)."""
    at = 0
    for _ in range(_MOST_ELEMENTS):
        if at >= size_bytes:
            return None
        file.seek(at)
        header = file.read(12)
        name_length, length_length = _width(header, 0, 4), 0
        if name_length:
            length_length = _width(header, name_length, 8)
        if not length_length:
            return None
        body = at + name_length + length_length
        raw = int.from_bytes(header[name_length : name_length + length_length], "big")
        unknown = (1 << (7 * length_length)) - 1
        stated = raw & unknown
        name = header[:name_length]
        if stated != unknown and body + stated > size_bytes:
            what = "segment" if name == _SEGMENT else "element"
            return _beyond(f"Matroska {what}", at, body + stated, size_bytes)
        if name == _SEGMENT and stated != unknown:
            return None
        at = body if stated == unknown else body + stated
    return None


def _width(header: bytes, at: int, most: int) -> int:
    """Bytes of the variable-length number at *at*; 0 when there is none."""
    if at >= len(header) or not header[at]:
        return 0
    width = 9 - header[at].bit_length()
    return width if width <= most and at + width <= len(header) else 0


def _beyond(what: str, start: int, end: int, size_bytes: int) -> Truncation | None:
    if end <= size_bytes:
        return None
    return Truncation(expected=f"the whole {what}", found=f"{end - size_bytes} bytes of it missing", byte_offset=start)
