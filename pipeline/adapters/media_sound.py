"""What sound files state of their own length, compared with the file: lost tails show here.

MP3: a first frame that counts the bytes behind it (Xing, Info or VBRI); streams written without one promise nothing. FLAC:
the samples in all (RFC 9639 8.2), zero where the recorder did not know. Ogg: the last page says that it is the last
(RFC 3533 6). AAC and AMR promise nothing, and WAV is among RIFF.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from pipeline.domain.reading import FileReading, Truncation

_LONGEST_PAGE: Final = 65_307
_VBRI_AT: Final = 36
_END_OF_STREAM: Final = 4


def truncation(file: BinaryIO, head: bytes, size_bytes: int, reading: FileReading) -> Truncation | None:
    """What the file promises beyond its end; ``None`` for other formats and whole files."""
    if head[:4] == b"OggS":
        return _ogg(file, size_bytes)
    if head[:4] == b"fLaC":
        return _flac(head, reading)
    return _mp3(file, head, size_bytes) if reading.container == "mp3" else None


def _ogg(file: BinaryIO, size_bytes: int) -> Truncation | None:
    start = max(0, size_bytes - _LONGEST_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    body = page + 27 + (tail[page + 26] if 0 <= page < len(tail) - 26 else 0)
    whole = page >= 0 and body <= len(tail) and body + sum(tail[page + 27 : body]) <= len(tail)
    if whole and tail[page + 5] & _END_OF_STREAM:
        return None
    found = "a page without that mark" if whole else "a page cut short"
    return Truncation(expected="a last page marked as the end", found=found, byte_offset=start + max(page, 0))


def _flac(head: bytes, reading: FileReading) -> Truncation | None:
    least, most = int.from_bytes(head[8:10], "big"), int.from_bytes(head[10:12], "big")
    samples = int.from_bytes(head[18:26], "big") & ((1 << 36) - 1)
    if not samples or not most or least != most:
        return None
    blocks, read = -(-samples // most), sum(stream.packets for stream in reading.streams if stream.kind == "audio")
    return Truncation(expected=f"{blocks} blocks as its header says", found=f"{read}") if read < blocks else None


def _mp3(file: BinaryIO, head: bytes, size_bytes: int) -> Truncation | None:
    start = 0
    if head[:3] == b"ID3":  # its size has seven bits a byte
        start = 10 + sum((byte & 127) << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    file.seek(start)
    frame = file.read(512)
    stated = 0
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    if mark >= 0 and frame[mark + 7] & 2:
        at = mark + 8 + (4 if frame[mark + 7] & 1 else 0)
        stated = int.from_bytes(frame[at : at + 4], "big")
    elif frame[_VBRI_AT : _VBRI_AT + 4] == b"VBRI":
        stated = int.from_bytes(frame[_VBRI_AT + 10 : _VBRI_AT + 14], "big")
    if start + stated <= size_bytes:
        return None
    return Truncation(
        expected=f"{stated} bytes of sound as its first frame says", found=f"{size_bytes - start}", byte_offset=start
    )
