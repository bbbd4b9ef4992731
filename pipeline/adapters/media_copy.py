"""Copying: the streams of a file, packet by packet, into a fragmented MP4 that browsers play. Nothing is decoded.

Runs inside a media process (:mod:`media_process`), one file at a time. Equal bytes give equal copies under one version of the
library: no dates, no names of software, fixed options. The times of the copy are those of the file, moved by whole seconds so
that it begins soon after zero; both are compared at the end, packet by packet, and so are the payload digests
(:mod:`pipeline.domain.payload`), which are found in the copy by reading it again.

FFmpeg's muxer writes the first fragment's times as they are only with ``frag_discont`` and without edit lists; its index has to wait
(``delay_moov``) until the first sound packet of a transport stream has shown how to decode it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
import av.bitstream
import av.container
import av.stream

from pipeline.adapters import media_bmff
from pipeline.adapters.media_av import FORMATS, reason
from pipeline.domain.derivative import Copied, CopiedStream, LeftOut, Piece
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.payload import Payload
from pipeline.domain.playable import COPIED

VERSION: Final = f"1/av-{version('av')}"
_READING: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "scan_all_pmts": "1"}
_WRITING: Final = {
    "movflags": "delay_moov+default_base_moof+frag_discont+frag_keyframe+skip_trailer",
    "min_frag_duration": "1000000",
    "fflags": "+bitexact",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
Packet = Any
"""PyAV's packet; its times are set before anything here sees it."""
_GUESSED_S: Final = 10
"""Sixteen frames, the most that are reordered, at two a second."""
_PIECE_MICROS: Final = 6_000_000
_NO_TAG: Final = "\0\0\0\0"
_OTHERWISE_S: Final = Fraction(1, 500)
"""Stamps are rounded to the copy's ticks; those of Matroska are milliseconds."""


@dataclass(slots=True)
class _Seen:
    """One stream as it went by."""

    kind: str
    codec: str
    payload: Payload
    base: Fraction
    times: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))

    def note(self, packet: Packet) -> None:
        self.payload.add(bytes(packet))
        self.times.append(packet.pts)
        self.places.append(packet.pos if packet.pos is not None else -1)


def copy(path: str, target: str) -> Copied:
    """Copy the file at *path* to *target*. Raises ``MediaUnreadable`` saying why there is no copy, ``MemoryError``."""
    try:
        seconds = _first_second(path)
        wanted, left_out = _copied(path, target, seconds)
        found = _read_back(target)
    except MemoryError:
        raise
    except (av.FFmpegError, IndexError, ValueError, EOFError, OSError, AttributeError) as exc:
        raise MediaUnreadable(f"it cannot be copied: {reason(exc)}") from exc
    _compare(wanted, found)
    with Path(target).open("rb") as file:
        boxes = media_bmff.walk(file, file.seek(0, 2))
    if not boxes.fragments:
        raise MediaUnreadable("it cannot be copied: nothing was left of it")
    return Copied(
        streams=_told(wanted),
        left_out=left_out,
        init_bytes=boxes.fragments[0],
        pieces=tuple(_pieces(found[0], [*boxes.fragments, boxes.size_bytes])),
        made_by=VERSION,
    )


def payloads(path: str) -> tuple[CopiedStream, ...]:
    """The streams of the file at *path* that a copy of it has, with their payload digests. Raises ``MediaUnreadable``, ``MemoryError``."""
    try:
        with _open(path) as container:
            streams = _chosen(container)
            seen = {stream.index: _seen(stream) for stream in streams}
            for packet in _packets(container, streams):
                seen[packet.stream_index].note(packet)
    except MemoryError:
        raise
    except (av.FFmpegError, IndexError, ValueError, EOFError, OSError, AttributeError) as exc:
        raise MediaUnreadable(f"its payload cannot be read: {reason(exc)}") from exc
    return _told([item for item in seen.values() if item.times])


def _told(seen: list[_Seen]) -> tuple[CopiedStream, ...]:
    return tuple(CopiedStream(kind=s.kind, codec=s.codec, payload=s.payload.digest()) for s in seen)


def _open(path: str) -> av.container.InputContainer:
    return av.open(f"file:{path}", "r", metadata_errors="replace", options=dict(_READING))


def _chosen(container: av.container.InputContainer) -> list[av.stream.Stream]:
    """The first picture and the first sound that browsers play."""
    streams = [stream for stream in container.streams if _codec(stream) in COPIED.get(stream.type, ())]
    kinds: dict[str, av.stream.Stream] = {}
    for stream in streams:
        kinds.setdefault(stream.type, stream)
    if not kinds:
        raise MediaUnreadable("it cannot be copied: nothing in it is of a kind that browsers play")
    return [kinds[kind] for kind in COPIED if kind in kinds]


def _codec(stream: av.stream.Stream) -> str:
    context: Any = stream.codec_context
    return context.name if context is not None else "unknown"


def _packets(container: av.container.InputContainer, streams: list[av.stream.Stream]) -> Iterator[Packet]:
    """Those that have data and a time to show it at. Pictures that are stored in another order than shown need one of their own."""
    for packet in container.demux(streams):
        if packet.size == 0 or (packet.pts is None and packet.dts is None):
            continue
        if packet.pts is None:
            context: Any = packet.stream.codec_context
            if packet.stream.type == "video" and context.has_b_frames:
                raise MediaUnreadable("it cannot be copied: its pictures have no times to show them at")
            packet.pts = packet.dts
        yield packet


def _first_second(path: str) -> int:
    """The whole second from which the copy counts: that of the file's first packet, or earlier where the muxer has to guess when
    packets are decoded (Matroska does not say), because fragments have no times before zero."""
    with _open(path) as container:
        first: dict[int, Fraction] = {}
        guessed = False
        streams = _chosen(container)
        for packet in _packets(container, streams):
            time = packet.pts if packet.dts is None else min(packet.pts, packet.dts)
            base = packet.time_base
            guessed |= packet.dts is None
            first[packet.stream_index] = min(first.get(packet.stream_index, time * base), time * base)
    if not first:
        raise MediaUnreadable("it cannot be copied: it holds no packets that have a time")
    lowest = min(first.values())
    return int(lowest.numerator // lowest.denominator) - (_GUESSED_S if guessed else 0)


def _copied(path: str, target: str, seconds: int) -> tuple[list[_Seen], tuple[LeftOut, ...]]:
    """Write the copy; what went by, as the copy must have it, and what did not."""
    with _open(path) as container, av.open(target, "w", format="mp4", options=dict(_WRITING)) as copied:
        streams = _chosen(container)
        seen: dict[int, _Seen] = {}
        ways: dict[int, _Way] = {}
        for stream in streams:
            seen[stream.index] = _seen(stream)
            ways[stream.index] = _Way(stream, copied)
        for packet in _packets(container, streams):
            base = packet.time_base
            shift = int(seconds / base)
            packet.pts -= shift
            packet.dts = None if packet.dts is None else packet.dts - shift
            seen[packet.stream_index].note(packet)
            ways[packet.stream_index].send(packet)
        for way in ways.values():
            way.end()
        rest = [stream for stream in container.streams if stream.type in COPIED and stream.index not in seen]
        return [item for item in seen.values() if item.times], tuple(
            LeftOut(kind=stream.type, codec=_codec(stream)) for stream in rest
        )


def _seen(stream: av.stream.Stream) -> _Seen:
    context: Any = stream.codec_context
    base = stream.time_base or Fraction(1, 1000)
    return _Seen(stream.type, _codec(stream), Payload(_codec(stream), bytes(context.extradata or b"")), base)


class _Way:
    """A stream's way into the copy: frames of AAC lose the header that a transport stream puts before each."""

    def __init__(self, stream: av.stream.Stream, copied: av.container.OutputContainer) -> None:
        self._copied = copied
        self._stream = copied.add_stream_from_template(stream)
        context: Any = self._stream.codec_context
        context.codec_tag = "hvc1" if _codec(stream) == "hevc" else _NO_TAG
        source: Any = stream.codec_context
        bare = _codec(stream) == "aac" and not source.extradata
        self._filter = av.bitstream.BitStreamFilterContext("aac_adtstoasc", stream) if bare else None

    def send(self, packet: Packet | None) -> None:
        if self._filter is None:
            if packet is not None:
                packet.stream = self._stream
                self._copied.mux(packet)
            return
        for filtered in self._filter.filter(packet):
            filtered.stream = self._stream
            self._copied.mux(filtered)

    def end(self) -> None:
        self.send(None)


def _read_back(target: str) -> list[_Seen]:
    with _open(target) as container:
        seen = {stream.index: _seen(stream) for stream in container.streams}
        for packet in _packets(container, list(container.streams)):
            seen[packet.stream_index].note(packet)
    return list(seen.values())


def _compare(wanted: list[_Seen], found: list[_Seen]) -> None:
    """Raises ``MediaUnreadable`` unless the copy has the payload and the times of the file."""
    if [(item.kind, item.codec) for item in wanted] != [(item.kind, item.codec) for item in found]:
        raise MediaUnreadable("it cannot be copied: the copy has other streams")
    for one, two in zip(wanted, found, strict=True):
        if one.payload.digest() != two.payload.digest():
            raise MediaUnreadable(f"it cannot be copied: the copy's {one.kind} has another payload")
        limit = int(_OTHERWISE_S * one.base.denominator * two.base.denominator)
        left, right = one.base.numerator * two.base.denominator, two.base.numerator * one.base.denominator
        if any(abs(a * left - b * right) > limit for a, b in zip(one.times, two.times, strict=True)):
            raise MediaUnreadable(f"it cannot be copied: the copy's {one.kind} has other times")


def _pieces(lead: _Seen, bounds: list[int]) -> Iterator[Piece]:
    """Fragments, put together until they last long enough to be worth a request. *bounds*: where they begin, and the end."""
    starts: dict[int, int] = {}
    for time, place in zip(lead.times, lead.places, strict=True):
        fragment = bisect_right(bounds, place) - 1
        starts[fragment] = min(starts.get(fragment, time), time)
    shown = sorted(lead.times)
    middle = sorted(b - a for a, b in pairwise(shown))
    end = shown[-1] + (middle[len(middle) // 2] if middle else 0)
    places = sorted(starts)
    begin, since = bounds[0], starts[places[0]]
    for following in (*places[1:], None):
        until = end if following is None else starts[following]
        micros = int((until - since) * lead.base * 1_000_000)
        if following is None or micros >= _PIECE_MICROS:
            after = bounds[-1] if following is None else bounds[following]
            yield Piece(offset=begin, size_bytes=after - begin, micros=micros)
            begin, since = after, until
