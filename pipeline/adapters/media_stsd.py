"""Sample entries: which coding a track of an ISO base media file holds, in the words PyAV uses for it.

Only codings are named here whose entry says everything that is kept of them; for all others :class:`UnknownEntry` sends the
file to PyAV. Picture sizes come from the first sequence parameter set where there is one, because an entry's own size may be
rounded; sound from the decoder's configuration (ISO/IEC 14496-3 1.6, RFC 7845).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from pipeline.adapters.media_bmff import Inner, firsts, inside
from pipeline.adapters.media_es import video_format

_VIDEO: Final = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"jpeg": "mjpeg",
    b"mjpa": "mjpeg", b"av01": "libdav1d", b"vp09": "vp9", b"s263": "h263", b"h263": "h263",
}  # fmt: skip
_MPEG4_VIDEO: Final = {0x20: "mpeg4", 0x6C: "mjpeg"}
"""By object type (ISO/IEC 14496-1 table 5)."""
_PCM: Final = {
    b"sowt": ("pcm_s16le", 16), b"twos": ("pcm_s16be", 16), b"alaw": ("pcm_alaw", 8), b"ulaw": ("pcm_mulaw", 8),
    b"raw ": ("pcm_u8", 8),
}  # fmt: skip
"""Codings of a fixed size with that many bits a sample."""
_PCM_EITHER_END: Final = {
    b"in24": ("pcm_s24", 24),
    b"in32": ("pcm_s32", 32),
    b"fl32": ("pcm_f32", 32),
    b"fl64": ("pcm_f64", 64),
}
"""Codings whose byte order a box ``enda`` states; big-endian without it."""
_RATES_HZ: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_AAC_LC: Final = 2
_START: Final = b"\0\0\0\1"


class UnknownEntry(Exception):
    """Not a coding this reader names; the text says which."""


class Entry(NamedTuple):
    """``sample_bytes``: of one uncompressed sound sample of all channels, 0 for everything else."""

    codec: str
    format: str
    sample_bytes: int = 0


def entry(moov: bytes, stsd: Inner, handler: bytes) -> Entry:
    """The one sample entry of a track. Raises ``UnknownEntry``."""
    entries = list(inside(moov, stsd.body + 8, stsd.end))
    if handler not in (b"vide", b"soun"):
        return Entry("unknown", "")
    if len(entries) != 1:
        raise UnknownEntry(f"{len(entries)} sample entries")
    box = entries[0]
    try:
        return _picture(moov, box) if handler == b"vide" else _sound(moov, box)
    except (struct.error, IndexError) as exc:
        raise UnknownEntry(f"a cut entry {_name(box)}") from exc


def _name(box: Inner) -> str:
    return box.kind.decode("latin-1").strip() if box.kind.isalnum() else box.kind.hex()


def _picture(moov: bytes, box: Inner) -> Entry:
    width, height = struct.unpack_from(">HH", moov, box.body + 24)
    children = firsts(moov, box.body + 78, box.end)
    codec = _MPEG4_VIDEO.get(_object_type(moov, children.get(b"esds"))) if box.kind == b"mp4v" else _VIDEO.get(box.kind)
    if codec is None:
        raise UnknownEntry(f"coding {_name(box)}")
    form = ""
    if b"avcC" in children:
        at, end = children[b"avcC"].body, children[b"avcC"].end
        length = int.from_bytes(moov[at + 6 : at + 8], "big") if moov[at + 5] & 31 else 0
        form = video_format("h264", _START + moov[at + 8 : min(end, at + 8 + length)])
    elif b"hvcC" in children:
        form = video_format("hevc", _parameter_sets(moov, children[b"hvcC"]))
    return Entry(codec, form or (f"{width}x{height}" if width and height else ""))


def _parameter_sets(moov: bytes, box: Inner) -> bytes:
    """The parameter sets of an ``hvcC`` box with start codes before them."""
    at, found = box.body + 23, b""
    for _ in range(moov[box.body + 22]):
        count = int.from_bytes(moov[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(moov[at : at + 2], "big")
            if at + 2 + length > box.end:
                return found
            found += _START + moov[at + 2 : at + 2 + length]
            at += 2 + length
    return found


def _sound(moov: bytes, box: Inner) -> Entry:
    version, channels, bits, rate = struct.unpack_from(">H6xHH4xI", moov, box.body + 8)
    rate_hz = rate >> 16
    if version > 1:
        raise UnknownEntry(f"sound entry of version {version}")
    children = firsts(moov, box.body + (44 if version == 1 else 28), box.end)
    if b"wave" in children:
        children |= firsts(moov, children[b"wave"].body, children[b"wave"].end)
    if box.kind in _PCM:
        codec, width = _PCM[box.kind]
        if bits != width and box.kind not in (b"alaw", b"ulaw"):
            raise UnknownEntry(f"coding {_name(box)} with {bits} bits")
        return Entry(codec, _form(rate_hz, channels), channels * width // 8)
    if box.kind in _PCM_EITHER_END:
        codec, width = _PCM_EITHER_END[box.kind]
        little = b"enda" in children and moov[children[b"enda"].body + 1] == 1
        return Entry(codec + ("le" if little else "be"), _form(rate_hz, channels), channels * width // 8)
    if box.kind == b"mp4a":
        return _mpeg4_sound(moov, children.get(b"esds"))
    if box.kind in (b"samr", b"sawb"):
        return Entry("amrnb" if box.kind == b"samr" else "amrwb", _form(8000 if box.kind == b"samr" else 16000, 1))
    if box.kind == b"Opus" and b"dOps" in children:
        return Entry("opus", _form(48000, moov[children[b"dOps"].body + 1]))
    if box.kind == b"alac" and b"alac" in children:
        at = children[b"alac"].body + 4
        return Entry("alac", _form(int.from_bytes(moov[at + 20 : at + 24], "big"), moov[at + 9]))
    if box.kind == b"fLaC":
        return Entry("flac", _form(rate_hz, channels))
    raise UnknownEntry(f"coding {_name(box)}")


def _form(rate_hz: int, channels: int) -> str:
    if not rate_hz or not channels:
        raise UnknownEntry("sound without a rate")
    return f"{rate_hz} Hz {channels} ch"


def _mpeg4_sound(moov: bytes, esds: Inner | None) -> Entry:
    """AAC LC by its AudioSpecificConfig. What extends it (SBR, PS) is PyAV's, and so is MP3, whose channels only a frame
    tells."""
    coding = _object_type(moov, esds)
    if esds is None or coding != 0x40:
        raise UnknownEntry(f"coding mp4a with object type {coding}")
    config = _descriptors(moov, esds).get(0x05, b"")
    if len(config) != 2 and not (len(config) > 2 and config[2:5] == b"\x56\xe5\x00"):
        raise UnknownEntry("extended AAC")
    object_type, index, channels = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7, config[1] >> 3 & 15
    if object_type != _AAC_LC or index >= len(_RATES_HZ) or not channels:
        raise UnknownEntry("extended AAC")
    return Entry("aac", _form(_RATES_HZ[index], 8 if channels == 7 else channels))


def _object_type(moov: bytes, esds: Inner | None) -> int:
    config = _descriptors(moov, esds).get(0x04, b"") if esds is not None else b""
    return config[0] if config else 0


def _descriptors(moov: bytes, esds: Inner) -> dict[int, bytes]:
    """The decoder's descriptors in an ``esds`` box by tag (ISO/IEC 14496-1 7.2.6)."""
    found: dict[int, bytes] = {}
    at, end = esds.body + 4, esds.end
    while at + 2 <= end:
        tag, length = moov[at], 0
        at += 1
        for _ in range(4):
            byte = moov[at]
            at += 1
            length = length << 7 | byte & 127
            if not byte & 128:
                break
        body = moov[at : min(end, at + length)]
        if tag == 0x03:
            flags = body[2]
            at += 3 + (2 if flags & 0x80 else 0) + (1 + body[3] if flags & 0x40 else 0) + (2 if flags & 0x20 else 0)
            continue
        found[tag] = body
        at += 13 if tag == 0x04 else length
    return found
