"""Reels: what an encoder made, as packets in memory, and how they become files.

Encoding is slow and happens once a reel; everything that is done to a recording afterwards is done to packets (a frame
left out, a stamp moved), and a muxer writes the file. What a packet's time means is taken from the reel's own lossless
container (NUT), so the truth of a case owes nothing to the readers under test.
"""

from __future__ import annotations

import itertools
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av

from tests import clips

SECONDS: Final = 8
"""Of picture; a reel's sound goes on until the picture's end, so that tiles of a tape adjoin."""
_SIZE: Final = "160x120"
_H264: Final = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
_B2: Final = [*_H264, "-bf", "2", "-x264-params", "b-adapt=0:scenecut=0"]
_AAC: Final = ["-c:a", "aac", "-b:a", "32k", "-ac", "1"]
_G711: Final = ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
_EXACT: Final = ["-flags", "+global_header+bitexact", "-fflags", "+bitexact", "-threads", "1"]


class Recipe(NamedTuple):
    """How a reel is encoded. ``rate`` is the picture's, ``None`` without picture."""

    options: Sequence[str]
    rate: str | None = "25"
    seconds: int = SECONDS
    sound_hz: int | None = 48_000


def _silent(rate: str, seconds: int = SECONDS, *more: str) -> Recipe:
    return Recipe([*(more or (*_B2, "-g", "25"))], rate, seconds, None)


RECIPES: Final[Mapping[str, Recipe]] = {
    "h264": Recipe([*_H264, "-g", "25", *_AAC]),
    "h264-b": Recipe([*_B2, "-g", "25", *_AAC]),
    "h264-pyramid": Recipe([*_H264, "-g", "50", "-bf", "4", "-x264-params", "b-adapt=0:b-pyramid=normal", *_AAC]),
    "h264-open": Recipe([*_B2[:-1], "b-adapt=0:scenecut=0:open-gop=1", "-g", "25", *_AAC]),
    "h264-g711": Recipe([*_H264, "-g", "25", *_G711], sound_hz=8000),
    "hevc": Recipe([
        "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
        "-x265-params", "keyint=25:bframes=2:log-level=none:pools=none", *_AAC,
    ]),
    "mpeg4": Recipe(["-c:v", "mpeg4", "-g", "25", "-q:v", "8", "-c:a", "libmp3lame", "-b:a", "32k", "-ac", "1"]),
    "mpeg2": Recipe(["-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-q:v", "8", "-c:a", "mp2", "-b:a", "64k", "-ac", "1"]),
    "mjpeg": Recipe(["-c:v", "mjpeg", "-q:v", "12", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le", "-ar", "16000"], sound_hz=16_000),
    "vp8": Recipe(["-c:v", "libvpx", "-deadline", "realtime", "-g", "25", "-c:a", "libvorbis", "-ac", "1"]),
    "vp9": Recipe(["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "25", "-c:a", "libopus", "-b:a", "32k", "-ac", "1"]),
    "silent": _silent("25"),
    "fps1": _silent("1", 24),
    "fps5": _silent("5", 16),
    "fps12": _silent("25/2", 12),
    "fps15": _silent("15"),
    "fps24": _silent("24000/1001"),
    "fps30": _silent("30000/1001"),
    "fps50": _silent("50"),
    "fps60": _silent("60"),
    "aac": Recipe(_AAC, None),
    "mp3": Recipe(["-c:a", "libmp3lame", "-b:a", "32k", "-ac", "1"], None),
    "opus": Recipe(["-c:a", "libopus", "-b:a", "32k", "-ac", "1"], None),
    "vorbis": Recipe(["-c:a", "libvorbis", "-ac", "1"], None),
    "flac": Recipe(["-c:a", "flac", "-ac", "1"], None),
    "g711": Recipe(_G711, None, SECONDS, 8000),
    "pcm": Recipe(["-c:a", "pcm_s16le", "-ac", "1"], None, SECONDS, 16_000),
}  # fmt: skip


class Sample(NamedTuple):
    """One packet, in ticks of its stream."""

    stream: int
    pts: int
    dts: int | None
    duration: int
    key: bool
    data: bytes


class Track(NamedTuple):
    """One stream of a reel. ``frame_s``: how long its packets usually last."""

    kind: str
    codec: str
    base: Fraction
    frame_s: Fraction


@dataclass(frozen=True, slots=True)
class Reel:
    """``samples`` are in decoding order; ``origin`` is the open container that muxers copy stream parameters from."""

    name: str
    tracks: tuple[Track, ...]
    samples: tuple[Sample, ...]
    origin: Any

    def s(self, sample: Sample) -> Fraction:
        """Presentation time in seconds."""
        return sample.pts * self.tracks[sample.stream].base

    def of(self, stream: int) -> list[Sample]:
        """One stream's samples in order of presentation."""
        return sorted((s for s in self.samples if s.stream == stream), key=lambda s: s.pts)

    @property
    def video(self) -> int | None:
        return next((i for i, track in enumerate(self.tracks) if track.kind == "video"), None)

    @property
    def reference(self) -> int:
        """The stream whose first sample is where the recording begins."""
        return self.video or 0

    def cut(self, keep: Callable[[Sample], bool]) -> Reel:
        return replace(self, samples=tuple(s for s in self.samples if keep(s)))

    def span(self, from_s: Fraction | float, to_s: Fraction | float) -> Reel:
        return self.cut(lambda s: from_s <= self.s(s) < to_s)

    def without(self, from_s: Fraction | float, to_s: Fraction | float, stream: int | None = None) -> Reel:
        """A hole, in one stream or in all."""
        return self.cut(lambda s: not (stream in (None, s.stream) and from_s <= self.s(s) < to_s))

    def moved(self, by_s: Fraction | int) -> Reel:
        """Every stamp moved by the same time (exact where it is whole ticks of each stream)."""
        shifts = [round(by_s / track.base) for track in self.tracks]
        return replace(self, samples=tuple(_retimed(s, shifts[s.stream].__add__) for s in self.samples))

    def only(self, kind: str) -> Reel:
        """One kind of stream, its packets alone; the other stays declared in no file."""
        return self.cut(lambda s: self.tracks[s.stream].kind == kind)

    def parts(self, step_s: int) -> list[Reel]:
        """Files of *step_s*, cut as recorders cut: in decoding order at key frames, the sound where the picture is cut."""
        video = [s for s in self.samples if s.stream == self.reference]
        keys = [s for s in video if s.key or self.tracks[s.stream].kind == "audio"]
        due, bounds, cuts = self.s(keys[0]), [], []
        for key in keys:
            if self.s(key) >= due:
                bounds.append(key)
                cuts.append(self.s(key))
                due = cuts[-1] + step_s
        number, parts = -1, [list[Sample]() for _ in cuts]
        for sample in self.samples:
            if sample.stream == self.reference:
                number += number + 1 < len(bounds) and sample is bounds[number + 1]
                parts[number].append(sample)
            else:
                parts[max(0, bisect_right(cuts, self.s(sample)) - 1)].append(sample)
        return [replace(self, samples=tuple(part)) for part in parts]

    def then(self, other: Reel) -> Reel:
        """*other*'s packets after this one's, of the same encoder."""
        return replace(self, samples=self.samples + other.samples)


def tape(reel: Reel, tiles: int, at_s: int = 0) -> Reel:
    """The reel again and again on one clock that begins at *at_s*; whole where its sound fills eight seconds evenly."""
    zero = reel.s(reel.of(reel.reference)[0])
    tile = reel.span(zero, zero + SECONDS).moved(at_s)
    samples = [tile.moved(SECONDS * number).samples for number in range(tiles)]
    return replace(reel, samples=tuple(itertools.chain.from_iterable(samples)))


def _retimed(sample: Sample, by: Callable[[int], int]) -> Sample:
    return sample._replace(pts=by(sample.pts), dts=None if sample.dts is None else by(sample.dts))


class Form(NamedTuple):
    """A container: the muxer's name, its options, a file name's ending."""

    muxer: str
    suffix: str
    options: Mapping[str, str] = {}


_FRAGMENTS: Final = "frag_keyframe+empty_moov+default_base_moof"
FORMS: Final[Mapping[str, Form]] = {
    "ts": Form("mpegts", "ts"),
    "m2ts": Form("mpegts", "m2ts", {"mpegts_m2ts_mode": "1"}),
    "ts204": Form("mpegts", "ts"),
    "mp4": Form("mp4", "mp4"),
    "fast": Form("mp4", "mp4", {"movflags": "faststart"}),
    "fmp4": Form("mp4", "mp4", {"movflags": _FRAGMENTS}),
    "dash": Form("mp4", "mp4", {"movflags": "frag_keyframe+delay_moov+default_base_moof"}),
    "mov": Form("mov", "mov"),
    "3gp": Form("3gp", "3gp"),
    "mkv": Form("matroska", "mkv"),
    "webm": Form("webm", "webm"),
    "avi": Form("avi", "avi"),
    "m4a": Form("ipod", "m4a"),
    "adts": Form("adts", "aac"),
    "mp3": Form("mp3", "mp3"),
    "wav": Form("wav", "wav"),
    "flac": Form("flac", "flac"),
    "ogg": Form("ogg", "ogg"),
    "mka": Form("matroska", "mka"),
    "raw264": Form("h264", "h264"),
}


def file_of(reel: Reel, form: str, mark: str = "") -> bytes:
    """The file a muxer makes of the reel's packets, as they are; *mark* makes its bytes others than of a like one."""
    muxer, suffix, options = FORMS[form]
    used = sorted({sample.stream for sample in reel.samples})
    options = {"fflags": "+bitexact", **options}
    with (
        tempfile.NamedTemporaryFile(suffix=f".{suffix}") as target,
        av.open(target.name, "w", format=muxer, options=options) as container,
    ):
        if mark:
            container.metadata.update(title=mark, service_name=mark)
        streams = {i: container.add_stream_from_template(reel.origin.streams[i]) for i in used}
        for i in used if muxer == "avi" else ():
            if reel.tracks[i].kind == "video":  # AVI counts frames: its clock ticks once a frame
                streams[i].time_base = reel.tracks[i].frame_s
        for sample in reel.samples:
            packet = av.Packet(sample.data)
            packet.stream = streams[sample.stream]
            packet.time_base = reel.tracks[sample.stream].base
            packet.pts, packet.dts, packet.duration = sample.pts, sample.dts, sample.duration
            packet.is_keyframe = sample.key
            container.mux(packet)
        container.close()
        data = Path(target.name).read_bytes()
    return clips.framed(data, 204) if form == "ts204" else data


class Studio:
    """Every reel, encoded into *folder* once and kept open."""

    def __init__(self, folder: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            paths = dict(zip(RECIPES, pool.map(lambda name: _encoded(folder, name), RECIPES), strict=True))
        self._reels = {name: _load(name, path) for name, path in paths.items()}

    def __getitem__(self, name: str) -> Reel:
        return self._reels[name]

    def close(self) -> None:
        for reel in self._reels.values():
            reel.origin.close()


def _encoded(folder: Path, name: str) -> Path:
    recipe, path = RECIPES[name], folder / f"{name}.nut"
    picture = (
        ["-f", "lavfi", "-i", f"testsrc=size={_SIZE}:rate={recipe.rate}:duration={recipe.seconds}"]
        if recipe.rate
        else []
    )
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate={recipe.sound_hz}"] if recipe.sound_hz else []
    if not path.exists():
        clips.ffmpeg(
            *picture,
            *sound,
            "-t",
            str(recipe.seconds + (recipe.rate is not None)),
            *recipe.options,
            *_EXACT,
            "-f",
            "nut",
            str(path),
        )
    return path


def _load(name: str, path: Path) -> Reel:
    origin = av.open(str(path))
    samples = [
        Sample(p.stream_index, p.pts, p.dts, p.duration or 0, p.is_keyframe, bytes(p))
        for p in origin.demux()
        if p.pts is not None
    ]
    tracks = tuple(_track(stream, [s for s in samples if s.stream == stream.index]) for stream in origin.streams)
    ends = [s.pts * tracks[s.stream].base for s in samples if tracks[s.stream].kind == "video"]
    end = max(ends, default=Fraction(RECIPES[name].seconds))
    kept = [s for s in samples if s.pts * tracks[s.stream].base < end + tracks[0].frame_s]
    return Reel(name, tracks, tuple(kept), origin)


def _track(stream: Any, samples: Iterable[Sample]) -> Track:
    times = sorted(s.pts for s in samples)
    usual = sorted(b - a for a, b in itertools.pairwise(times))[(len(times) - 1) // 2]
    return Track(stream.type, stream.codec_context.name, stream.time_base, usual * stream.time_base)
