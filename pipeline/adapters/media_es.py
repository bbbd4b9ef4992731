"""Elementary streams, only as far as times and formats need: frames of sound, picture sizes.

Sound is read frame by frame, because one PES packet holds several and its time is that of the first frame that begins in it
(ISO/IEC 13818-1 2.7.4); the frames after it follow by their samples. Each coding is told by its frame header: ADTS
(ISO/IEC 13818-7 6.2), MPEG audio layers I to III (ISO/IEC 11172-3 2.4.1.3, 13818-3), AC-3 and E-AC-3 (ETSI TS 102 366 4.4, E.1.3),
LATM in LOAS with one plain layer (ISO/IEC 14496-3 1.7).
All places where a frame may begin are looked at side by side; frames are those of them that follow each other.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.adapters.columns import deltas, indices
from pipeline.domain.media import MPEG_TS_WRAP

Numbers = npt.NDArray[np.int64]
_NAL_START: Final = b"\0\0\1"
_HEADER_BYTES: Final = 7
_HEADER: Final = np.arange(_HEADER_BYTES)
_NO_TIME: Final = -1
_BELIEVED: Final = 4
"""Frames in a row that make a change of format; fewer are damaged, or will be believed with those that follow."""


class Header(NamedTuple):
    """Frame headers side by side, out of seven rows of bytes; where ``good`` is false there is none. A frame of no samples
    shares its time with another."""

    good: npt.NDArray[np.bool_]
    length_bytes: Numbers
    samples: Numbers
    rate_hz: Numbers
    channels: Numbers

    def of(self, which: Numbers) -> Header:
        """Only those of *which*."""
        good, length_bytes, samples, rate_hz, channels = self
        return Header(good[which], length_bytes[which], samples[which], rate_hz[which], channels[which])


def _table(*values: int) -> Numbers:
    return np.array(values, dtype=np.int64)


_ADTS_HZ: Final = _table(
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350, 0, 0, 0
)
_ADTS_CHANNELS: Final = _table(0, 1, 2, 3, 4, 5, 6, 8)
_MPEG_HZ: Final = _table(11025, 12000, 8000, 0, 0, 0, 0, 0, 22050, 24000, 16000, 0, 44100, 48000, 32000, 0)
"""By version and rate index."""
_MPEG_KBPS: Final = np.array(
    [
        [0] * 16,
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0],
        [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0],
        [0] * 16,
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
        [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0],
    ],
    dtype=np.int64,
).reshape(-1)
"""Layer III, II, I of version 1, then of versions 2 and 2.5."""
_AC3_HZ: Final = _table(48000, 44100, 32000, 0)
_AC3_KBPS: Final = _table(32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_CHANNELS: Final = _table(2, 1, 2, 3, 3, 4, 4, 5)


def _adts(b: Numbers) -> Header:
    length = (b[3] & 3) << 11 | b[4] << 3 | b[5] >> 5
    rate = _ADTS_HZ[b[2] >> 2 & 15]
    good = (b[0] == 0xFF) & (b[1] & 0xF6 == 0xF0) & (length >= 7) & (rate > 0)
    return Header(good, length, np.full_like(length, 1024), rate, _ADTS_CHANNELS[(b[2] & 1) << 2 | b[3] >> 6])


def _mpeg_audio(b: Numbers) -> Header:
    version, layer = b[1] >> 3 & 3, b[1] >> 1 & 3  # version 3 is MPEG-1; layer 3 is layer I
    rate = _MPEG_HZ[version << 2 | b[2] >> 2 & 3]
    bits = 1000 * _MPEG_KBPS[(version != 3) * 64 + layer * 16 + (b[2] >> 4)]
    samples = np.where(layer == 3, 384, np.where((layer == 1) & (version != 3), 576, 1152))
    slot = np.where(layer == 3, 4, 1)
    length = (samples // 8 // slot * bits // np.maximum(rate, 1) + (b[2] >> 1 & 1)) * slot
    good = (b[0] == 0xFF) & (b[1] & 0xE0 == 0xE0) & (version != 1) & (layer > 0) & (bits > 0) & (rate > 0)
    return Header(good, length, samples, rate, np.where(b[3] >> 6 == 3, 1, 2))


def _ac3(b: Numbers) -> Header:
    synced = (b[0] == 0x0B) & (b[1] == 0x77)
    extended = b[5] >> 3 > 10
    code, size = b[4] >> 6, b[4] & 63
    bits = 1000 * _AC3_KBPS[np.minimum(size >> 1, 18)]
    rate = _AC3_HZ[code]
    plain = 2 * (1536 * bits // (16 * np.maximum(rate, 1)) + ((code == 1) & (size & 1 == 1)))
    # E-AC-3: the length is stated, a fourth rate code halves the rates, a dependent substream shares its frame's time.
    slow = code == 3
    rate = np.where(extended & slow, _AC3_HZ[b[4] >> 4 & 3] // 2, rate)
    blocks = np.where(slow, 6, _table(1, 2, 3, 6)[b[4] >> 4 & 3])
    samples = np.where(extended, np.where(b[2] >> 6 == 1, 0, 256 * blocks), 1536)
    length = np.where(extended, 2 * (((b[2] & 7) << 8 | b[3]) + 1), plain)
    mode = b[6] >> 5
    optional = 2 * (((mode & 1 == 1) & (mode != 1)).astype(np.int64) + (mode >> 2 & 1) + (mode == 2))
    low = b[6] >> (4 - optional) & 1
    channels = np.where(extended, _AC3_CHANNELS[b[4] >> 1 & 7] + (b[4] & 1), _AC3_CHANNELS[mode] + low)
    good = synced & (rate > 0) & (extended | (size < 38)) & (b[5] >> 3 <= 16) & (length >= _HEADER_BYTES)
    return Header(good, length, samples, rate, channels)


def _latm(b: Numbers) -> Header:
    """LOAS frames; those that repeat the configuration of the one before have no rate of their own."""
    length = ((b[1] & 0x1F) << 8 | b[2]) + 3
    repeats = b[3] >= 0x80
    rate = _ADTS_HZ[(b[5] & 7) << 1 | b[6] >> 7]
    plain = (b[3] & 0x60 == 0x20) & (b[3] & 0x1F == 0) & (b[4] == 0) & (b[5] >> 3 > 0) & (b[5] >> 3 < 31) & (rate > 0)
    good = (b[0] == 0x56) & (b[1] & 0xE0 == 0xE0) & (length > _HEADER_BYTES) & (repeats | plain)
    channels = np.where(repeats, 0, _ADTS_CHANNELS[b[6] >> 3 & 7])
    return Header(good, length, np.full_like(length, 1024), np.where(repeats, 0, rate), channels)


class _Coding(NamedTuple):
    first_byte: int
    header: Callable[[Numbers], Header]


_CODINGS: Final = {
    "aac": _Coding(0xFF, _adts),
    "mpeg": _Coding(0xFF, _mpeg_audio),
    "ac3": _Coding(0x0B, _ac3),
    "eac3": _Coding(0x0B, _ac3),
    "aac_latm": _Coding(0x56, _latm),
}
FRAMED: Final = frozenset(_CODINGS)
"""Codings whose frames are read; ``mpeg`` is told apart into layers by its frames."""


class SoundFrames:
    """Frames of sound with their times, out of the PES packets of one PID, given as they come.

    ``begins``: for each PES packet reached, how many frames were before it. ``changes``: (frame, format before, after)."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.times: array[int] = array("q")
        self.begins: array[int] = array("q")
        self.untimed = 0
        self.format = ""
        self.changes: list[tuple[int, str, str]] = []
        self._coding = _CODINGS[codec]
        self._cut = b""
        """The beginning of a PES header."""
        self._begun = False
        self._stream = bytearray()
        """The elementary stream from the first frame that is not read yet, ``passed`` bytes from its beginning."""
        self._passed = 0
        self._marks: deque[tuple[int, int]] = deque()
        """(place in the elementary stream, time or -1) of PES packets of which no frame was read yet."""
        self._base: int | None = None
        self._since = 0
        """Samples since the base: the time of the last frame that a PES packet gave one."""
        self._look = (0, 0)

    def feed(self, payload: bytes, starts: list[int]) -> None:
        """The next payload, in which a PES packet begins at each of *starts*; what is before the first has no time."""
        if self._cut:
            payload, starts = self._cut + payload, [0, *(start + len(self._cut) for start in starts)]
            self._cut = b""
        if self._begun:
            self._stream += payload[: starts[0] if starts else len(payload)]
        for start, end in itertools.pairwise([*starts, len(payload)]):
            head = payload[start : min(start + 14, end)]
            if len(head) < 14 or end - start < 9 + head[8]:
                self._cut = payload[start:] if end == len(payload) else b""
            elif head[:3] == _NAL_START:
                self._begun = True
                time = pes_time(head[9:14]) if head[7] & 0x80 else _NO_TIME
                self._marks.append((self._passed + len(self._stream), time))
                self._stream += payload[start + 9 + head[8] : end]

    def walk(self, *, last: bool = False) -> None:
        """Read the frames that are whole; the *last* time also one of which only the header is there."""
        data = np.frombuffer(bytes(self._stream), np.uint8)
        readable = data.size - _HEADER_BYTES + 1
        if readable <= 0:
            return
        at = indices(data[:readable] == self._coding.first_byte)
        header = self._coding.header(data[at[:, None] + _HEADER].T.astype(np.int64))
        good = indices(header.good)
        at = at[good]
        after = at + header.length_bytes[good]
        chain, following = _chained(at.tolist(), after.tolist(), readable, None if last else data.size)
        if chain:
            second = int(data[at[chain[0]] + 1])
            self._frames(self._passed + at[chain], header.of(good[chain]), second)
        following = min(following, data.size)
        del self._stream[:following]
        self._passed += following

    def _frames(self, places: Numbers, header: Header, second_byte: int) -> None:
        """Frames side by side, apart where their format changes."""
        rate, channels = header.rate_hz, header.channels
        if not rate.all():  # as the one before
            nearest = np.maximum.accumulate(np.where(rate > 0, np.arange(rate.size), 0))
            unknown = rate[nearest] == 0
            rate = np.where(unknown, self._look[0], rate[nearest])
            channels = np.where(unknown, self._look[1], channels[nearest])
        parts = indices((deltas(rate) != 0) | (deltas(channels) != 0)) + 1
        for a, b in itertools.pairwise([0, *parts.tolist(), rate.size]):
            if b - a >= _BELIEVED or not self._look[0]:
                self._looks((int(rate[a]), int(channels[a])), second_byte)
            self._time(places[a:b], header.samples[a:b])

    def _time(self, places: Numbers, samples: Numbers) -> None:
        """Give frames of one format their times."""
        reached = []
        while self._marks and self._marks[0][0] <= places[-1]:
            reached.append(self._marks.popleft())
        marks = np.array(reached, dtype=np.int64).reshape(-1, 2)
        first = np.searchsorted(places, marks[:, 0])
        self.begins.frombytes((len(self.times) + first).astype(np.int64).tobytes())
        timed = marks[:, 1] != _NO_TIME
        starts, bases = first[timed], marks[timed, 1]
        before = np.cumsum(samples) - samples
        if not self._look[0]:
            starts = bases = starts[:0]
        since = before[starts]
        if self._base is not None:
            starts = np.append(0, starts)
            bases, since = np.append(self._base, bases), np.append(-self._since, since)
        if not starts.size:
            self.untimed += places.size
            return
        self.untimed += int(starts[0])
        frames = np.arange(int(starts[0]), places.size)
        which = np.searchsorted(starts, frames, side="right") - 1
        after = before[frames] - since[which]
        times = (bases[which] + after * 90_000 // self._look[0]) % MPEG_TS_WRAP
        self.times.frombytes(times.tobytes())
        self._base, self._since = int(bases[-1]), int(after[-1] + samples[-1])

    def _looks(self, look: tuple[int, int], second_byte: int) -> None:
        if look == self._look:
            return
        if self._base is not None and self._look[0]:
            self._base, self._since = self._base + self._since * 90_000 // self._look[0], 0
        before, self._look, self.format = self.format, look, f"{look[0]} Hz {look[1]} ch"
        if before:
            self.changes.append((len(self.times), before, self.format))
        elif self.codec == "mpeg":
            self.codec = f"mp{4 - (second_byte >> 1 & 3)}"


def _chained(at: list[int], after: list[int], readable: int, size: int | None) -> tuple[list[int], int]:
    """Which of the frames possible *at* some places follow each other, and where the next one begins. A frame ends where
    the next begins; after a loss, or where there is only chance, one is believed with another behind it. Frames that end
    after *size* are not whole yet."""
    index = {place: i for i, place in enumerate(at)}
    chain: list[int] = []
    place = 0
    while True:
        i = index.get(place)
        if i is None:
            i = bisect_left(at, place)
            while i < len(at) and after[i] < readable and after[i] not in index:
                i += 1
            if i == len(at):
                return chain, max(place, readable)
            place = at[i]
        if size is not None and after[i] > size:
            return chain, place
        chain.append(i)
        place = after[i]


def pes_time(b: Any) -> Any:
    """The 33 bits of a time stamp in five bytes (ISO/IEC 13818-1 2.4.3.6), or in five rows of them."""
    return (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1


def coding_of(stream: bytes) -> str:
    """The coding of the sound that *stream* begins with, when two frames of it follow each other; empty when none is known."""
    for codec, coding in _CODINGS.items():
        at = 0
        for _ in range(2):
            head = np.frombuffer(stream[at : at + _HEADER_BYTES], np.uint8).astype(np.int64).reshape(-1, 1)
            if head.size < _HEADER_BYTES:
                break
            header = coding.header(head)
            if not header.good[0]:
                break
            at += int(header.length_bytes[0])
        else:
            return codec
    return ""


def begins_picture(codec: str, start: bytes) -> bool:
    """Whether a PES packet whose stream begins with *start* begins a picture: recorders cut long ones into several."""
    at = start.find(_NAL_START)
    if at not in (0, 1) or len(start) < at + 6:
        return False
    if codec == "h264" and start[at + 3] & 31 in (1, 5):
        return start[at + 4] >= 0x80  # first_mb_in_slice is 0
    if codec == "hevc" and start[at + 3] >> 1 & 63 < 32:
        return start[at + 5] >= 0x80  # first_slice_segment_in_pic_flag
    return codec not in ("mpeg1video", "mpeg2video") or start[at + 3] in (0x00, 0xB3, 0xB8)


def video_format(codec: str, stream: bytes) -> str:
    """``WIDTHxHEIGHT`` from the first sequence parameter set in *stream*; empty when there is none or it is damaged."""
    if codec in ("mpeg1video", "mpeg2video"):
        at = stream.find(b"\0\0\1\xb3")
        sizes = stream[at + 4 : at + 7] if at >= 0 else b""
        return f"{sizes[0] << 4 | sizes[1] >> 4}x{(sizes[1] & 15) << 8 | sizes[2]}" if len(sizes) == 3 else ""
    wanted, skip = (7, 1) if codec == "h264" else (33, 2)
    at = stream.find(_NAL_START)
    while at >= 0:
        start = at + 3
        at = stream.find(_NAL_START, start)
        if start < len(stream):
            kind = stream[start] & 31 if codec == "h264" else stream[start] >> 1 & 63
            if kind == wanted:
                bits = _Bits(stream[start + skip : at if at >= 0 else len(stream)].replace(b"\0\0\3", b"\0\0"))
                try:
                    width, height = _h264_size(bits) if codec == "h264" else _h265_size(bits)
                except IndexError:
                    return ""
                return f"{width}x{height}" if 0 < width <= 1 << 16 and 0 < height <= 1 << 16 else ""
    return ""


class _Bits:
    """Fixed and Exp-Golomb numbers, most significant bit first; raises ``IndexError`` at the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:512], "big"), 8 * min(len(data), 512)

    def u(self, count: int) -> int:
        if count > self._left:
            raise IndexError("parameter set ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("no number")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _h264_size(bits: _Bits) -> tuple[int, int]:
    """Rec. ITU-T H.264 7.3.2.1.1."""
    profile = bits.u(8)
    bits.u(16)
    bits.ue()
    chroma, separate = 1, 0
    if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
        chroma = bits.ue()
        separate = bits.u(1) if chroma == 3 else 0
        bits.ue(), bits.ue(), bits.u(1)
        if bits.u(1):
            for i in range(8 if chroma != 3 else 12):
                if bits.u(1):
                    _skip_scaling(bits, 16 if i < 6 else 64)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(min(bits.ue(), 256)):
            bits.se()
    bits.ue(), bits.u(1)
    width, rows = (bits.ue() + 1) * 16, bits.ue() + 1
    frames_only = bits.u(1)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    height = rows * 16 * (2 - frames_only)
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        chroma = 0 if separate else chroma
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    return width, height


def _skip_scaling(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _h265_size(bits: _Bits) -> tuple[int, int]:
    """Rec. ITU-T H.265 7.3.2.2.1."""
    bits.u(4)
    layers = bits.u(3)
    bits.u(1)
    bits.u(96)
    flags = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    if layers:
        bits.u(2 * (8 - layers))
    for profile, level in flags:
        bits.u(88 * profile + 8 * level)
    bits.ue()
    chroma = bits.ue()
    separate = bits.u(1) if chroma == 3 else 0
    width, height = bits.ue(), bits.ue()
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        chroma = 0 if separate else chroma
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    return width, height
