"""Payload: what of a stream a copy must keep, and the digest that shows that it did.

When packaging changes, a file's bytes change; what was encoded does not. Rule 1: the payload of a stream is the sequence
of its *units* in the order of the file. Of H.264 and H.265 these are NAL units (ITU-T H.264 7.3.1, H.265 7.3.1.1), whether
start codes part them (Annex B) or lengths stand before them (ISO/IEC 14496-15), without the zero bytes that may follow
one; of AAC the frames without their ADTS header (ISO/IEC 13818-7 6.2); of anything else the packets. Rule 2: delimiters and
parameter sets are not in the sequence, because packaging moves and repeats them; parameter sets are a digest of their own, each
distinct one once and in the order of their bytes, from the stream's header and from its packets alike. Rule 3: a digest is
SHA-256 over ``unbroken/payload/v1\\0`` and then each unit: its length in four bytes, most significant first, and its bytes.

Equal digests prove that nothing was encoded anew, left out in between, or put elsewhere in the order. They say nothing of times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.domain.identity import Sha256, sha256

_DOMAIN: Final = b"unbroken/payload/v1\0"
_START: Final = b"\0\0\1"
_ADTS_BYTES: Final = 7
_H264_SETS: Final = (7, 8, 13, 15)
"""Sequence, picture, extension and subset parameter sets."""
_H265_SETS: Final = (32, 33, 34)
_H264_DELIMITER: Final = 9
_H265_DELIMITER: Final = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadDigest:
    """Of one stream: how many units, the digest of their sequence, the digest of the parameter sets."""

    units: int
    sha256: Sha256
    parameter_sets_sha256: Sha256

    def __post_init__(self) -> None:
        sha256(self.sha256)
        sha256(self.parameter_sets_sha256)
        if self.units < 0:
            raise ValueError(f"a number of units is not negative, found {self.units}")


class Payload:
    """The digest of one stream while its packets come. *codec*: its name; *header*: what the container holds beside the
    packets to start a decoder. Malformed packets are cut where they end; both sides of a comparison are cut alike."""

    def __init__(self, codec: str, header: bytes) -> None:
        self._codec = codec
        self._sequence = hashlib.sha256(_DOMAIN)
        self._sets: set[bytes] = set()
        self._units = 0
        self._length_bytes = 0
        if codec == "h264" and header[:1] == b"\1":
            self._length_bytes = (header[4] & 3) + 1 if len(header) > 4 else 4
            self._take(_avc_sets(header))
        elif codec == "hevc" and header[:1] == b"\1":
            self._length_bytes = (header[21] & 3) + 1 if len(header) > 21 else 4
            self._take(_hevc_sets(header))
        elif codec in ("h264", "hevc"):
            self._take(_parted(header))

    def add(self, packet: bytes) -> None:
        """The stream's next packet."""
        if self._codec in ("h264", "hevc"):
            self._take(_counted(packet, self._length_bytes) if self._length_bytes else _parted(packet))
        elif self._codec == "aac":
            self._count(_without_adts(packet))
        else:
            self._count(packet)

    def digest(self) -> PayloadDigest:
        """Of everything so far."""
        sets = hashlib.sha256(_DOMAIN)
        for unit in sorted(self._sets):
            sets.update(_framed(unit))
        return PayloadDigest(
            units=self._units,
            sha256=Sha256(self._sequence.hexdigest()),
            parameter_sets_sha256=Sha256(sets.hexdigest()),
        )

    def _take(self, units: Iterator[bytes]) -> None:
        for padded in units:
            unit = padded.rstrip(b"\0")
            if not unit:
                continue
            kind = unit[0] & 31 if self._codec == "h264" else unit[0] >> 1 & 63
            if kind in (_H264_SETS if self._codec == "h264" else _H265_SETS):
                self._sets.add(unit)
            elif kind != (_H264_DELIMITER if self._codec == "h264" else _H265_DELIMITER):
                self._count(unit)

    def _count(self, unit: bytes) -> None:
        self._sequence.update(_framed(unit))
        self._units += 1


def _framed(unit: bytes) -> bytes:
    return len(unit).to_bytes(4, "big") + unit


def _parted(data: bytes) -> Iterator[bytes]:
    """Units between start codes."""
    at = data.find(_START)
    while at >= 0:
        begin = at + len(_START)
        at = data.find(_START, begin)
        yield data[begin:] if at < 0 else data[begin:at]


def _counted(data: bytes, length_bytes: int) -> Iterator[bytes]:
    """Units behind their lengths."""
    at = 0
    while at + length_bytes <= len(data):
        begin = at + length_bytes
        at = begin + int.from_bytes(data[at:begin], "big")
        yield data[begin:at]


def _avc_sets(header: bytes) -> Iterator[bytes]:
    """Parameter sets of an ``avcC`` record (ISO/IEC 14496-15 5.3.3.1)."""
    at = 5
    for mask in (31, 255):
        count = header[at] & mask if at < len(header) else 0
        at += 1
        for _ in range(count):
            end = at + 2 + int.from_bytes(header[at : at + 2], "big")
            yield header[at + 2 : end]
            at = end


def _hevc_sets(header: bytes) -> Iterator[bytes]:
    """Parameter sets of an ``hvcC`` record (ISO/IEC 14496-15 8.3.3.1); other units in it are announcements, not payload."""
    at = 23
    for _ in range(header[22] if len(header) > 22 else 0):
        kind, count = header[at] & 63 if at < len(header) else 0, int.from_bytes(header[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            end = at + 2 + int.from_bytes(header[at : at + 2], "big")
            if kind in _H265_SETS:
                yield header[at + 2 : end]
            at = end
            if at >= len(header):
                return


def _without_adts(packet: bytes) -> bytes:
    """The raw frame: an ADTS header has twelve set bits and layer 0, and says whether two bytes of check follow it."""
    if len(packet) > _ADTS_BYTES and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0:
        return packet[_ADTS_BYTES + (0 if packet[1] & 1 else 2) :]
    return packet
