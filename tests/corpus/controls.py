"""Controls: recordings that are whole and look odd. Whatever is called lost in them is a false alarm."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from tests import clips
from tests.corpus.cases import BASE_MS, Case, File
from tests.corpus.faults import FORMS_OF, RATES, SEED, series, series_at_zero, single
from tests.corpus.reels import FORMS, Reel, Studio, file_of, tape

_SOUND: Final = {
    "aac": ("m4a", "adts", "ts", "mka", "fmp4", "mov", "3gp"),
    "mp3": ("mp3", "wav", "mka", "mp4"),
    "opus": ("ogg", "webm", "mka", "mp4"),
    "vorbis": ("ogg", "webm", "mka"),
    "flac": ("flac", "ogg", "mka"),
    "g711": ("wav", "mov"),
    "pcm": ("wav", "mov", "mka"),
}
_COUNTED: Final = ("adts", "mp3", "wav", "avi", "raw264")
"""Formats that store no times: no cut leaves a trace, so they are never called continuous."""


def _whole(name: str, klass: str, data: bytes, form: str, reel: str) -> Case:
    counted = form in _COUNTED
    return single(
        name, klass, data, form, (), reel=reel, verdict="not_testable" if counted else "continuous",
        notes=frozenset({"not_testable"} if counted else ()),
    )  # fmt: skip


def remuxed(studio: Studio) -> Iterator[Case]:
    """Every codec in every container, at several places of its recording: clean cuts are no loss."""
    for name, forms in FORMS_OF.items():
        for form in forms:
            for what, reel in _cuts(studio[name]):
                case = _whole(f"{name} {form} {what}", "whole, every container", file_of(reel, form), form, name)
                yield _noted(case, "dropped_frames") if "later" in what else case
        if name in ("h264", "mpeg4", "mjpeg"):
            yield _whole(f"{name} avi", "whole, every container", file_of(studio[name], "avi"), "avi", name)


def _cuts(whole: Reel) -> Iterator[tuple[str, Reel]]:
    yield "whole", whole
    key = next(whole.s(s) for s in whole.of(0) if s.key and whole.s(s) > 1)
    yield "from its second key frame", whole.cut(lambda s: whole.s(s) >= key)
    yield "to 6.6 s", whole.cut(lambda s: whole.s(s) < Fraction(33, 5))
    if whole.name not in ("mjpeg", "h264-g711"):
        yield "the sound 0.4 s later", whole.cut(lambda s: s.stream == 0 or whole.s(s) >= Fraction(2, 5))


def rates(studio: Studio) -> Iterator[Case]:
    """One to sixty frames a second, picture alone."""
    for name in RATES:
        for form in ("ts", "m2ts", "mp4", "fmp4", "dash", "mov", "mkv", "raw264"):
            yield _whole(
                f"{name} {form}", "whole, one to sixty frames a second", file_of(studio[name], form), form, name
            )


def sound(studio: Studio) -> Iterator[Case]:
    for name, forms in _SOUND.items():
        for form in forms:
            for what, reel in (
                ("whole", studio[name]),
                ("from 2 s", studio[name].span(2, 99).moved(-2)),
                ("to 5 s", studio[name].span(-9, 5)),
            ):
                yield _whole(f"{name} {form} {what}", "whole, sound alone", file_of(reel, form), form, name)


def varying(studio: Studio) -> Iterator[Case]:
    """Rates that vary: jitter, a change in the middle, motion alone, a slow start, now and then a frame twice as long."""
    rng = random.Random(SEED + 10)
    for name in ("silent", "fps15", "fps30", "fps50"):
        for pattern in (_jitter, _slower, _faster, _pairs, _slow_start, _phone):
            for form in ("mov", "mp4", "fmp4") if pattern is _slow_start else ("ts", "mp4", "fmp4", "mkv"):
                frame = studio[name].tracks[0].frame_s / studio[name].tracks[0].base
                reel = pattern(studio[name], frame, rng)
                case = _whole(
                    f"{name} {form} {pattern.__name__[1:]}", "whole, varying rate", file_of(reel, form), form, name
                )
                yield _noted(case, "dropped_frames")


def _noted(case: Case, *kinds: str) -> Case:
    return replace(case, notes=case.notes | set(kinds))


def _by_number(reel: Reel, times: list[int]) -> Reel:
    """The n-th picture shown at the n-th of *times*."""
    new = {sample.pts: time for sample, time in zip(reel.of(0), times, strict=True)}
    old = sorted(new)
    first = old[0]

    def later(ticks: int) -> int:
        if ticks in new:
            return new[ticks]
        below = max((t for t in old if t <= ticks), default=None)
        return new[first] - (first - ticks) if below is None else new[below] + (ticks - below) // 4

    samples = tuple(s._replace(pts=later(s.pts), dts=None) for s in reel.samples)
    return replace(reel, samples=samples)


def _steps(reel: Reel, frames: Callable[[int], Fraction], frame: Fraction) -> Reel:
    times, at = [], Fraction(reel.of(0)[0].pts)
    for number in range(len(reel.of(0))):
        times.append(round(at))
        at += frames(number) * frame
    return _by_number(reel, times)


def _jitter(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    shifts = [Fraction(rng.randint(-250, 250), 1000) for _ in range(len(reel.of(0)) + 1)]
    return _steps(reel, lambda n: 1 + shifts[n + 1] - shifts[n], frame)


def _slower(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    return _steps(reel, lambda n: Fraction(1 if n < 60 else 4), frame)


def _faster(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    return _steps(reel, lambda n: Fraction(5 if n < 40 else 1), frame)


def _pairs(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    return _steps(reel, lambda n: Fraction(3 if n % 3 == 2 else 1), frame)


def _slow_start(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    """Slow motion of a phone: the first picture stands for 325 ms."""
    return _steps(reel, lambda n: 325 / (1000 * reel.tracks[0].base * frame) if n == 0 else Fraction(1), frame)


def _phone(reel: Reel, frame: Fraction, rng: random.Random) -> Reel:
    return _steps(reel, lambda n: Fraction(1) if n < 70 else Fraction(5, 4), frame)


def wraps(studio: Studio) -> Iterator[Case]:
    """The 33-bit clock wraps inside a file, near its ends, or between files."""
    for name in ("h264", "h264-b", "h264-pyramid", "hevc", "mpeg2", "silent"):
        for before in (0, 1, 4, 7):
            for form in ("ts", "m2ts", "ts204"):
                data = file_of(studio[name].moved(95_443 - before), form)
                yield _whole(f"{name} {form} wrap after {before} s", "whole, clock wraps", data, form, name)
        for before in (3, 8, 11):
            files = series(tape(studio[name], 2, 95_443 - before), "ts", 2)
            yield Case(
                f"{name} wrap in the series after {before} s",
                "whole, clock wraps",
                tuple(files),
                "continuous",
                reel=name,
                form="ts",
            )


def one_clock(studio: Studio) -> Iterator[Case]:
    """Series whose stamps run on, in any order, with names in seconds or not, or with names and dates lost."""
    rng = random.Random(SEED + 11)
    for name in ("h264", "h264-b", "h264-pyramid", "h264-open", "hevc", "mpeg2", "silent"):
        for form in ("ts", "m2ts", "ts204"):
            for step in (2, 4):
                for ms in (False, True):
                    files = series(tape(studio[name], 2, 10), form, step, ms, BASE_MS + rng.randrange(1000))
                    rng.shuffle(files)
                    yield Case(
                        f"{name} {form} files of {step} s, names to {'ms' if ms else 's'}",
                        "whole, files of one clock",
                        tuple(files),
                        "continuous",
                        reel=name,
                        form=form,
                    )
                copies = tuple(File(f"clip-{chr(97 + n)}.{FORMS[form].suffix}", f.data) for n, f in enumerate(files))
                yield Case(
                    f"{name} {form} copies of files of {step} s", "whole, copies without dates", copies, "continuous",
                    notes=frozenset({"clock_step"}), reel=name, form=form,
                )  # fmt: skip


def at_zero(studio: Studio) -> Iterator[Case]:
    """Series that begin at zero in every file, under good names."""
    rng = random.Random(SEED + 12)
    for name in ("h264", "h264-b", "hevc", "silent"):
        for form in ("mp4", "fast", "fmp4", "dash", "mov", "mkv", "ts"):
            for step in (2, 4):
                for ms in (False, True):
                    files = series_at_zero(tape(studio[name], 2), form, step, ms)
                    rng.shuffle(files)
                    yield Case(
                        f"{name} {form} files of {step} s from zero, names to {'ms' if ms else 's'}", "whole, files from zero", tuple(files), "continuous",
                        notes=frozenset({"timestamp_reset"}), reel=name, form=form,
                    )  # fmt: skip


def odd_packets(studio: Studio) -> Iterator[Case]:
    """Transport streams with legal oddities: packets sent twice, null packets, bytes of nothing before and between."""
    rng = random.Random(SEED + 13)
    for name in ("h264", "h264-b", "mpeg2", "silent"):
        packets = list(clips.packets(file_of(studio[name], "ts")))
        for what, odd in {
            "a packet in twenty twice": [
                p
                for n, packet in enumerate(packets)
                for p in [packet] * (1 + (n % 20 == 7 and clips.has_payload(packet)))
            ],
            "null packets": [
                p
                for n, packet in enumerate(packets)
                for p in ([b"\x47\x1f\xff\x10" + bytes(184)] * (n % 30 == 0) + [packet])
            ],
            "garbage before": [b"\x00" * 500, *packets],
            "garbage before, of letters": [bytes(rng.choice(b"abcdefg") for _ in range(1000)), *packets],
        }.items():
            data = b"".join(odd)
            yield _whole(f"{name} {what}", "whole, odd packets", data, "ts", name)
            if "before" not in what:
                for form, stride in (("m2ts", 192), ("ts204", 204)):
                    yield _whole(f"{name} {form} {what}", "whole, odd packets", clips.framed(data, stride), form, name)


CONTROLS: Final[Sequence[Callable[[Studio], Iterator[Case]]]] = (
    remuxed, rates, sound, varying, wraps, one_clock, at_zero, odd_packets,
)  # fmt: skip
