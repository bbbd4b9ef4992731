"""What sound files state of their own length, compared with the file: lost tails show here.

MP3: a first frame that counts the bytes behind it (Xing, Info or VBRI); streams written without one promise nothing. FLAC:
the samples in all (RFC 9639 8.2), zero where the recorder did not know. Ogg: pages are numbered in each stream, and the
last one says that it is the last (RFC 3533 6). AAC and AMR promise nothing, and WAV is among RIFF.
"""

from __future__ import annotations

from typing import BinaryIO, Final, NamedTuple

from pipeline.domain.reading import FileReading, Truncation

_VBRI_AT: Final = 36
_BEGIN_OF_STREAM: Final = 2
_END_OF_STREAM: Final = 4


def truncation(file: BinaryIO, head: bytes, size_bytes: int, reading: FileReading) -> Truncation | None:
    """What the file promises beyond its end; ``None`` for other formats and whole files."""
    if head[:4] == b"OggS":
        return _ogg(file, size_bytes)
    if head[:4] == b"fLaC":
        return _flac(head, reading)
    return _mp3(file, head, size_bytes) if reading.container == "mp3" else None


class FirstPage(NamedTuple):
    """The first page of an Ogg stream with sound in it: how many packets end on it, and when the last of them does."""

    packets: int
    ends_ticks: int


def first_page(head: bytes) -> FirstPage | None:
    """Of FLAC in Ogg (RFC 9639 10.1), whose first page libavformat counts from zero, wherever it begins; ``None`` for other files."""
    if head[:4] != b"OggS" or head[27 + head[26] :][:5] != b"\x7fFLAC":
        return None
    at = 0
    while len(head) >= at + 27 and head[at : at + 4] == b"OggS":
        sizes = head[at + 27 : at + 27 + head[at + 26]]
        granule = int.from_bytes(head[at + 6 : at + 14], "little", signed=True)
        if granule > 0:
            return FirstPage(sum(size < 255 for size in sizes), granule)
        at += 27 + len(sizes) + sum(sizes)
    return None


def _ogg(file: BinaryIO, size_bytes: int) -> Truncation | None:
    """Walk the pages (RFC 3533 6): one after the other, numbered in each stream, the last one marked."""
    at, marked, numbers = 0, False, dict[bytes, int]()
    while at < size_bytes:
        file.seek(at)
        header = file.read(27 + 255)
        if header[:4] != b"OggS" or len(header) < 27 or len(header) < 27 + header[26]:
            return Truncation(expected="page after page", found="something else or a part of one", byte_offset=at)
        stream, number = header[14:18], int.from_bytes(header[18:22], "little")
        follows = number == numbers[stream] + 1 if stream in numbers else bool(header[5] & _BEGIN_OF_STREAM)
        if not follows:
            expected = f"page {numbers.get(stream, -1) + 1} of its stream"
            return Truncation(expected=expected, found=f"page {number}", byte_offset=at)
        numbers[stream], marked = number, bool(header[5] & _END_OF_STREAM)
        end = at + 27 + header[26] + sum(header[27 : 27 + header[26]])
        if end > size_bytes:
            return Truncation(expected="a whole page", found=f"{end - size_bytes} bytes of it missing", byte_offset=at)
        at = end
    return None if marked else Truncation(expected="a page marked as the last", found="none")


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
