"""PyAV: the reference reader of every container. Reads packets, decodes nothing, believes no duration.

What it must not do, and how that is held:

* open anything but the one file: formats that name other files (concat, playlists) are not on the list, other protocols
  than ``file`` neither;
* let libavformat mend time: its wrap correction depends on where a file starts, so it is off and :mod:`media_stamps`
  unwraps; packets without decoding time are real and kept; only packets outside an edit list are dropped;
* trust names: the format is found by content, so equal bytes give equal readings.

PyAV raises its own family, and also ``IndexError`` (a stream that appears after the header; all packets were delivered
by then) and ``MemoryError``, which is left to the caller.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import BinaryIO, Final

import av
import av.container
import av.stream
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from pipeline.adapters import media_photo, media_stamps
from pipeline.adapters.media_sound import FirstPage
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.probe import StreamKind
from pipeline.domain.reading import FileReading, StreamReading, Truncation
from pipeline.domain.time import ClaimedTime, WallMs

FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,mp3,wav,w64,aac,amr,ogg,flac,mpeg,flv,h264,hevc,caf,aiff"
)
_COUNTED: Final = ("avi", "mp3", "wav", "w64", "aac", "amr", "h264", "hevc", "aiff")
"""Formats that store no times: the demuxer counts frames or samples, and a cut leaves no trace in what it says."""
_OPTIONS: Final = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
    "correct_ts_overflow": "0",
    "scan_all_pmts": "1",
}
_MAKES: Final = ("com.apple.quicktime.make", "com.android.manufacturer", "make", "manufacturer")
_MODELS: Final = ("com.apple.quicktime.model", "com.android.model", "model")
_LIBRARIES: Final = ("Lavf", "Lavc")
_NO_TIME: Final = Fraction(1, 1000)
_EPOCHS: Final = (datetime(1904, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
"""What a recorder without a clock writes: the zero of QuickTime, the zero of Unix."""


class NotExactlyError(Exception):
    """The direct reader of a container does not read a file exactly, so that this one has to; the text says why."""


@dataclass(slots=True)
class _Column:
    """One stream's packets as they come."""

    times: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    packets: int = 0
    missing: int = 0
    missing_now: int = 0
    longest_missing: int = 0
    bytes_to_ticks: Fraction | None = None


def read(source: Path | BinaryIO, reader: str = "pyav", first_page: FirstPage | None = None) -> FileReading:
    """All streams of one file. *first_page*: what its sound's first page says of itself, when it says more than the library. Raises ``MediaUnreadable`` with libavformat's reason, ``MemoryError``."""
    try:
        container = av.open(
            f"file:{source}" if isinstance(source, Path) else source,
            "r",
            metadata_errors="replace",
            options=dict(_OPTIONS),
        )
    except MemoryError:
        raise
    except (av.FFmpegError, IndexError, ValueError, EOFError, OSError, AttributeError) as exc:
        raise MediaUnreadable(f"no media format we read: {reason(exc)}") from exc
    with container:
        columns: dict[int, _Column] = {stream.index: _column(stream) for stream in container.streams}
        stopped = _demux(container, columns)
        name = _container(container.format.name)
        if first_page is not None:
            for column in columns.values():
                _place_first_page(column, first_page)
        return FileReading(
            container=name,
            reader=reader,
            streams=tuple(
                _align(name, [_stream(s, columns[s.index], name) for s in container.streams if s.index in columns])
            ),
            counted=name in _COUNTED,
            truncation=Truncation(expected="packets to the end of the file", found=stopped) if stopped else None,
            clocks=_clocks(container.metadata),
            device=device(container.metadata),
        )


def _container(format_name: str) -> str:
    """One word for the container: the library lists every name of a family of formats."""
    first = format_name.partition(",")[0]
    return "mp4" if first == "mov" else first


def reason(exc: BaseException) -> str:
    """Why libavformat gave up, in its words, without the path."""
    text = getattr(exc, "strerror", None)
    return str(text).lower() if text else type(exc).__name__


def _demux(container: av.container.InputContainer, columns: dict[int, _Column]) -> str | None:
    """Fill the columns; the reason when reading stopped before the end."""
    try:
        for packet in container.demux():
            column = columns.get(packet.stream_index)
            if column is None:
                columns[packet.stream_index] = column = _column(packet.stream)
            time = packet.pts
            if time is None:
                time = packet.dts
                if time is None and packet.size == 0:
                    continue
            if packet.is_discard:
                continue
            column.packets += 1
            if time is None:
                column.missing += 1
                column.missing_now += 1
                column.longest_missing = max(column.longest_missing, column.missing_now)
                continue
            column.missing_now = 0
            column.times.append(time)
            if column.bytes_to_ticks is not None:
                column.lengths.append(int(packet.size * column.bytes_to_ticks))
    except IndexError:
        return None
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError, EOFError, OSError) as exc:
        return f"the reader stopped: {reason(exc)}"
    return None


def _place_first_page(column: _Column, page: FirstPage) -> None:
    """Move the packets of a stream's first page to where the page itself says that they end."""
    times = column.times
    if not 0 < page.packets < len(times):
        return
    usual = median_low(later - time for time, later in pairwise(times))
    by = page.ends_ticks - (times[page.packets - 1] + usual)
    for place in range(page.packets):
        times[place] += by


def _column(stream: av.stream.Stream) -> _Column:
    return _Column(bytes_to_ticks=_pcm_rate(stream))


def _pcm_rate(stream: av.stream.Stream) -> Fraction | None:
    """Ticks that one byte of uncompressed audio lasts: such packets are cut anywhere, so their bytes are their length."""
    context = _context(stream)
    if not isinstance(context, AudioCodecContext) or stream.time_base is None or not context.name.startswith("pcm_"):
        return None
    sample_bits, channels, rate = _bits(context.name), context.channels, context.sample_rate
    if not (sample_bits and channels and rate):
        return None
    return Fraction(8, sample_bits * channels * rate) / stream.time_base


def _bits(codec: str) -> int:
    """Bits of a sample by the codec's name (pcm_s16le, pcm_alaw...)."""
    if codec in ("pcm_alaw", "pcm_mulaw"):
        return 8
    digits = "".join(letter for letter in codec.removeprefix("pcm_") if letter.isdigit())
    return int(digits) if digits in ("8", "16", "24", "32", "64") else 0


def _stream(stream: av.stream.Stream, column: _Column, container: str) -> StreamReading:
    base = stream.time_base or _NO_TIME
    found = media_stamps.stamps(
        column.times,
        max(1, int(1 / base)),
        wraps=container == "mpegts",
        lengths=column.lengths if column.bytes_to_ticks is not None else None,
    )
    declared = stream.duration
    if declared is not None and not 0 < declared <= media_stamps.furthest(max(1, int(1 / base))):
        declared = None
    return StreamReading(
        index=stream.index,
        kind=_kind(stream),
        codec=_codec(stream),
        time_base_num=base.numerator,
        time_base_den=base.denominator,
        packets=column.packets,
        first_ticks=found.first_ticks,
        last_ticks=found.last_ticks,
        cadence=found.cadence,
        wraps_33=found.wraps_33,
        format=_format(stream),
        missing_pts=column.missing,
        longest_missing=column.longest_missing,
        reorder_frames=found.reorder_frames if stream.type == "video" else 0,
        resets=found.resets,
        declared_ticks=declared,
    )


def _align(container: str, streams: list[StreamReading]) -> list[StreamReading]:
    return media_stamps.aligned(streams) if container == "mpegts" else streams


def _kind(stream: av.stream.Stream) -> StreamKind:
    """A cover picture is no video: it has one packet and no time."""
    if stream.type == "video":
        return "other" if stream.disposition & av.stream.Disposition.attached_pic else "video"
    return "audio" if stream.type == "audio" else "other"


def _context(stream: av.stream.Stream) -> CodecContext | None:
    """PyAV has none for codecs the library does not know, whatever its type says."""
    return stream.codec_context


def _codec(stream: av.stream.Stream) -> str:
    context = _context(stream)
    return context.name if context is not None else "unknown"


def _format(stream: av.stream.Stream) -> str:
    context = _context(stream)
    if isinstance(context, VideoCodecContext) and context.width:
        return f"{context.width}x{context.height}"
    if isinstance(context, AudioCodecContext) and context.sample_rate:
        return f"{context.sample_rate} Hz {context.channels} ch"
    return ""


def device(metadata: dict[str, str]) -> str:
    """Maker and model by QuickTime, Android or 3GPP tags; else the program that wrote the file, unless a library did."""
    tags = {name.lower(): text for name, text in metadata.items()}
    make, model = (next((tags[name] for name in names if tags.get(name)), "") for names in (_MAKES, _MODELS))
    if make or model:
        return media_photo.device(make, model)
    encoder = media_photo.device("", tags.get("encoder", ""))
    return "" if encoder.startswith(_LIBRARIES) else encoder


def _clocks(metadata: dict[str, str]) -> tuple[ClaimedTime, ...]:
    """When the container says the recording began: QuickTime ``mvhd``, Matroska ``DateUTC``; whole seconds at best."""
    try:
        at = datetime.fromisoformat(metadata.get("creation_time", ""))
    except ValueError:
        return ()
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at in _EPOCHS or at < _EPOCHS[1]:
        return ()
    ms = (at - _EPOCHS[1]) // timedelta(milliseconds=1)
    return (ClaimedTime(at=WallMs(ms), origin="container", error_ms=1000),)
