"""Elementary streams, only as far as times and formats need: ADTS audio frames, picture sizes of H.264 and H.265."""

from __future__ import annotations

from array import array
from collections import deque
from typing import Final

from pipeline.domain.media import MPEG_TS_WRAP

_RATES_HZ: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_FRAME_SAMPLES: Final = 1024
_NAL_START: Final = b"\0\0\1"


class AdtsFrames:
    """AAC frames (ISO/IEC 13818-7 6.2) out of PES packets. A PES packet's time is that of the first frame that begins in it
    (ISO/IEC 13818-1 2.7.4); the frames after it follow by their samples."""

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.untimed = 0
        self.format = ""
        self._buffer = bytearray()
        self._passed = 0
        self._marks: deque[tuple[int, int | None]] = deque()
        self._base: int | None = None
        self._since = 0

    def feed(self, payload: bytes, begins: bool) -> None:
        """The next transport payload; *begins*: it starts with a PES header. :meth:`walk` then reads what has come."""
        if begins and payload[:3] == _NAL_START and len(payload) >= 14:
            time = None
            if payload[7] & 0x80:
                p = payload[9:14]
                time = (p[0] >> 1 & 7) << 30 | p[1] << 22 | (p[2] >> 1) << 15 | p[3] << 7 | p[4] >> 1
            self._marks.append((self._passed + len(self._buffer), time))
            payload = payload[9 + payload[8] :]
        elif not self._marks and self._base is None:
            return  # before the first PES packet nothing has a time
        self._buffer += payload

    def walk(self, *, last: bool) -> None:
        """Read the frames that are whole; the *last* time also one of which only the header is."""
        at, data, size = 0, self._buffer, len(self._buffer)
        while at + 7 <= size:
            second, third, fourth = data[at + 1], data[at + 2], data[at + 3]
            length = (fourth & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
            rate = third >> 2 & 15
            if data[at] != 0xFF or second & 0xF6 != 0xF0 or length < 7 or rate >= len(_RATES_HZ):
                at = data.find(b"\xff", at + 1)
                if at < 0:
                    at = size
                continue
            if at + length > size and not last:
                break
            self._frame(self._passed + at, _RATES_HZ[rate], (third & 1) << 2 | fourth >> 6)
            at += length
        at = min(at, size)
        del data[:at]
        self._passed += at

    def _frame(self, position: int, rate_hz: int, channels: int) -> None:
        self._since += 1
        while self._marks and self._marks[0][0] <= position:
            _, time = self._marks.popleft()
            if time is not None:
                self._base, self._since = time, 0
        if self._base is None:
            self.untimed += 1
            return
        if not self.format:
            self.format = f"{rate_hz} Hz {8 if channels == 7 else channels} ch"
        self.times.append((self._base + self._since * _FRAME_SAMPLES * 90_000 // rate_hz) % MPEG_TS_WRAP)


def video_format(codec: str, stream: bytes) -> str:
    """``WIDTHxHEIGHT`` from the first sequence parameter set in *stream*; empty when there is none or it is damaged."""
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
