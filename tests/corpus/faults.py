"""Faults: recordings with something wrong, by construction. Each generator is one class of the table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from tests import clips
from tests.corpus.cases import (
    BASE_MS,
    Case,
    Expected,
    File,
    degradation,
    gap,
    missing_of,
    note,
    verdict_of,
)
from tests.corpus.reels import FORMS, Reel, Studio, file_of, tape

SEED: Final = 20_261_124
FORMS_OF: Final = {
    "h264": ("ts", "m2ts", "ts204", "mp4", "fast", "fmp4", "dash", "mov", "3gp", "mkv"),
    "h264-b": ("ts", "m2ts", "ts204", "mp4", "fast", "fmp4", "dash", "mov", "3gp", "mkv"),
    "h264-pyramid": ("ts", "mp4", "fmp4", "mkv"),
    "h264-open": ("ts", "mp4", "mkv"),
    "hevc": ("ts", "mp4", "fmp4", "mkv"),
    "mpeg2": ("ts", "m2ts", "mkv"),
    "mpeg4": ("ts", "mp4", "mkv"),
    "mjpeg": ("mkv",),
    "vp8": ("webm", "mkv"),
    "vp9": ("webm", "mp4"),
}
RATES: Final = ("fps1", "fps5", "fps12", "fps15", "fps24", "silent", "fps30", "fps50", "fps60")
_SIZES: Final = (Fraction(3, 25), Fraction(1, 5), Fraction(2, 5), Fraction(1), Fraction(5, 2))
PLACES: Final = {"early": Fraction(3, 2), "middle": Fraction(7, 2), "late": Fraction(9, 2)}


def stamp(at_ms: int, ms: bool = False) -> str:
    text = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{text}.{at_ms % 1000:03d}Z" if ms else f"{text}Z"


def single(name: str, klass: str, data: bytes, form: str, expected: Sequence[Expected], **more: object) -> Case:
    """A case of one file whose name says when it began."""
    file = File(f"cam_{stamp(BASE_MS)}.{FORMS[form].suffix}", data)
    verdict = more.pop("verdict", None) or verdict_of(expected)
    return Case(name, klass, (file,), str(verdict), tuple(expected), form=form, **more)  # type: ignore[arg-type]


def holes_in_all(studio: Studio) -> Iterator[Case]:
    """Packets left out of every stream, three frames to 2.5 seconds."""
    rng = random.Random(SEED)
    for name, forms in FORMS_OF.items():
        for form in forms:
            for number, size in enumerate(_SIZES):
                place = list(PLACES)[(number + len(form)) % 3]
                at = PLACES[place] + Fraction(rng.randrange(25), 25)
                whole = studio[name]
                kept = whole.without(at, at + size)
                yield single(
                    f"{name} {form} {float(size):g} s {place}", "hole in every stream", file_of(kept, form), form,
                    missing_of(whole, kept), reel=name,
                )  # fmt: skip


def holes_in_one(studio: Studio) -> Iterator[Case]:
    """Packets left out of picture or sound alone."""
    rng = random.Random(SEED + 1)
    for name, forms in FORMS_OF.items():
        for form in forms:
            for kind in ("video", "audio"):
                whole = studio[name]
                stream = next(i for i, track in enumerate(whole.tracks) if track.kind == kind)
                for size in (Fraction(1, 2), Fraction(rng.choice((1, 2, 3)))):
                    at = Fraction(3, 2) + Fraction(rng.randrange(75), 25)
                    kept = whole.without(at, at + size, stream)
                    yield single(
                        f"{name} {form} {kind} {float(size):g} s", "hole in one stream", file_of(kept, form), form,
                        missing_of(whole, kept), reel=name,
                    )  # fmt: skip


def holes_at_rates(studio: Studio) -> Iterator[Case]:
    """Three, five and twelve frames missing at one to sixty frames a second, picture alone."""
    rng = random.Random(SEED + 2)
    for name in RATES:
        whole = studio[name]
        frames = whole.of(0)
        for form in ("ts", "mp4", "fmp4", "mkv"):
            for missing in (3, 5, 12 if len(frames) > 40 else 6):
                at = rng.randrange(9, len(frames) - 9 - missing) if len(frames) > 40 else 9
                kept = whole.cut(lambda s, lost=frames[at : at + missing]: s not in lost)  # type: ignore[misc]
                yield single(
                    f"{name} {form} {missing} frames", "frames at other rates", file_of(kept, form), form,
                    missing_of(whole, kept), reel=name,
                )  # fmt: skip


# Truncation: what a power loss leaves.


def truncated(studio: Studio) -> Iterator[Case]:
    """Files cut at every kind of place that their own structure tells: in the header, the index, the data."""
    for name, form in (
        ("h264", "fast"), ("h264-b", "fast"), ("hevc", "fast"), ("h264", "fmp4"), ("h264-b", "fmp4"),
        ("h264-b", "mkv"), ("h264", "mkv"), ("vp8", "webm"), ("mpeg4", "avi"), ("mjpeg", "avi"),
    ):  # fmt: skip
        data = file_of(studio[name], form)
        for share in (30, 50, 70, 90, 97):
            size = len(data) * share // 100 | 1
            yield _cut(f"{name} {form} cut at {share} %", data, size, form, name)
        yield _cut(f"{name} {form} without its last bytes", data, len(data) - 20, form, name)
    for name, form in (("h264", "mp4"), ("h264-b", "mov"), ("silent", "mp4"), ("aac", "m4a")):
        data = file_of(studio[name], form)
        index = data.rindex(b"moov") - 4
        for what, size in (
            ("in the header", 20), ("at the first sample", 60), ("in the middle of the samples", len(data) // 2),
            ("before the index", index), ("in the index's head", index + 6), ("in the index", index + 300),
        ):  # fmt: skip
            yield single(
                f"{name} {form} cut {what}", "truncated, index lost", data[:size], form,
                (Expected(frozenset({"unreadable"}), "interruption"),), verdict="unreadable", reel=name,
            )  # fmt: skip
    for name in ("h264", "h264-b", "hevc", "aac"):
        data = file_of(studio[name], "fmp4")
        for what, size in (("in the header", 20), ("in the index", data.index(b"moov") + 40)):
            yield single(
                f"{name} fmp4 cut {what}", "truncated, index lost", data[:size], "fmp4",
                (Expected(frozenset({"unreadable"}), "interruption"),), verdict="unreadable", reel=name,
            )  # fmt: skip
    for name in ("h264", "h264-b", "mpeg2", "silent"):
        for form, stride in (("ts", 188), ("m2ts", 192), ("ts204", 204)):
            data = file_of(studio[name], form)
            for share in (35, 60, 85):
                size = len(data) * share // 100 // stride * stride + 100
                yield _cut(f"{name} {form} cut at {share} %", data, size, form, name)
    for name, form in (("pcm", "wav"), ("g711", "wav"), ("aac", "m4a")):
        data = file_of(studio[name], form)
        if form == "m4a":
            data = file_of(studio[name], "fast")
        for share in (40, 80):
            yield _cut(f"{name} {form} cut at {share} %", data, len(data) * share // 100, form, name)


def _cut(name: str, data: bytes, size_bytes: int, form: str, reel: str) -> Case:
    """A cut that must be called one. How much is lost is known where the index of the file tells, else only that."""
    kinds = frozenset({"truncated"})
    return single(
        name, "truncated", data[:size_bytes], form, (Expected(kinds, "loss"),), verdict="lost", reel=reel,
        notes=frozenset({"not_testable", "uneven_ends", "empty_stream", "dropped_frames"}),
    )  # fmt: skip


# Packets of a transport stream.


def packet_loss(studio: Studio) -> Iterator[Case]:
    """Transport packets taken out by PID: never a hole in time, always a loss of bytes."""
    for name in ("h264", "h264-b", "h264-pyramid", "mpeg2"):
        whole = file_of(studio[name], "ts")
        for pid, what in ((clips.VIDEO_PID, "picture"), (clips.AUDIO_PID, "sound")):
            for lost in (1, 5, 15):
                for at in (40, 200, 300) if pid == clips.VIDEO_PID else (30, 60, 90):
                    data = _packets_out(whole, pid, at, lost)
                    if data is None:
                        continue
                    for form, stride in (("ts", 188), ("m2ts", 192), ("ts204", 204)):
                        framed = data if stride == 188 else clips.framed(data, stride)
                        yield single(
                            f"{name} {form} {lost} packets of {what} from {at}", "packet loss", framed, form,
                            (degradation("packet_loss", missing=lost),), reel=name, also=frozenset({"dropped_frames"} if name == "mpeg2" else ()),
                        )  # fmt: skip


def _packets_out(data: bytes, pid: int, at: int, lost: int) -> bytes | None:
    """*lost* packets in a row of *pid*, from its *at*-th on, none of which begins a unit; ``None`` if there are not so many."""
    own = [n for n, packet in enumerate(clips.packets(data)) if clips.pid(packet) == pid and clips.has_payload(packet)]
    packets = list(clips.packets(data))
    for first in range(at, len(own) - lost):
        run = own[first : first + lost]
        if not any(clips.begins_unit(packets[n]) for n in run):
            return b"".join(packet for n, packet in enumerate(packets) if n not in set(run))
    return None


# Series of files.


def named(at_ms: int, data: bytes, form: str, ms: bool = False) -> File:
    return File(f"hall_{stamp(at_ms, ms)}.{FORMS[form].suffix}", data, at_ms)


def series(reel: Reel, form: str, step_s: int, ms: bool = False, base_ms: int = BASE_MS) -> list[File]:
    """Files of one clock: each under the time its first picture was taken."""
    return [
        named(base_ms + round(at_s * 1000), file_of(part, form, f"{at_s}"), form, ms)
        for at_s, part in zip(starts(reel, step_s), reel.parts(step_s), strict=True)
    ]


def starts(reel: Reel, step_s: int) -> list[Fraction]:
    """When each part of the reel shows its first picture, since the first of all."""
    firsts = [part.s(part.of(part.reference)[0]) for part in reel.parts(step_s)]
    return [first - firsts[0] for first in firsts]


def missing_files(studio: Studio) -> Iterator[Case]:
    """Files missing of a series whose stamps run on: as long as the stamps say, whatever the names say."""
    for name in ("h264", "h264-b", "hevc", "mpeg2", "silent"):
        for form in ("ts", "m2ts", "ts204"):
            for step in (1, 2, 4):
                whole = tape(studio[name], 3, 10)
                files, at = series(whole, form, step, base_ms=BASE_MS + 250), starts(whole, step)
                for lost in ((2,), (2, 3)) if step < 4 else ((2,),):
                    left = tuple(file for n, file in enumerate(files) if n not in lost)
                    size = at[lost[-1] + 1] - at[lost[0]]
                    yield Case(
                        f"{name} {form} {len(lost)} of {len(files)} files of {step} s", "file missing, one clock", left,
                        "interrupted", (gap(size, at[lost[0]]),), reel=name, form=form,
                    )  # fmt: skip


def missing_at_the_wrap(studio: Studio) -> Iterator[Case]:
    """The same where the 33-bit clock wraps: before, in, and after what is missing, and inside a file with a hole."""
    wrap = 95_443
    for name in ("h264", "h264-b", "mpeg2"):
        for before in (1, 5, 9, 13):
            for lost in ((1,), (2,), (3, 4)):
                whole = tape(studio[name], 2, wrap - before)
                files, at = series(whole, "ts", 2), starts(whole, 2)
                left = tuple(file for n, file in enumerate(files) if n not in lost)
                yield Case(
                    f"{name} wrap after {before} s, files {lost} missing", "file missing at the wrap", left,
                    "interrupted", (gap(at[lost[-1] + 1] - at[lost[0]], at[lost[0]]),), reel=name, form="ts",
                )  # fmt: skip
        for before in (2, 3, 4, 5):
            for size in (Fraction(3, 25), Fraction(1), Fraction(5, 2)):
                whole = studio[name].moved(wrap - before)
                start = whole.s(whole.of(0)[0])
                kept = whole.without(start + 3, start + 3 + size)
                yield single(
                    f"{name} wrap after {before} s, {float(size):g} s missing", "hole in a file that wraps",
                    file_of(kept, "ts"), "ts", missing_of(whole, kept), reel=name,
                )  # fmt: skip


def missing_by_the_wall(studio: Studio) -> Iterator[Case]:
    """Files that begin at zero: only their names tell, in whole seconds or to the millisecond."""
    for name in ("h264", "h264-b", "hevc"):
        for form in ("mp4", "fmp4", "dash", "mov", "mkv"):
            for ms in (False, True):
                for lost in ((1,), (2,), (1, 2)):
                    takes = [studio[name].span(-1, 7 - Fraction(n, 25)) for n in range(5)]
                    data = [file_of(take, form) for take in takes]
                    lengths = [_length(take) for take in takes]
                    starts = [BASE_MS + 300 + round(sum(lengths[:n], Fraction(0)) * 1000) for n in range(5)]
                    files = tuple(named(starts[n], data[n], form, ms) for n in range(5) if n not in lost)
                    size = sum((lengths[n] for n in lost), Fraction(0))
                    slack = Fraction(1, 25) if ms else Fraction(1)
                    yield Case(
                        f"{name} {form} files {lost} missing, names to {'ms' if ms else 's'}", "file missing, wall clock",
                        files, "interrupted", (gap(size, None, slack),), reel=name, form=form,
                    )  # fmt: skip


def _length(reel: Reel) -> Fraction:
    video = reel.of(reel.reference)
    return reel.s(video[-1]) - reel.s(video[0]) + reel.tracks[reel.reference].frame_s


def missing_numbers(studio: Studio) -> Iterator[Case]:
    """Names that count: a number missing is loss even where nothing else tells."""
    for name in ("h264", "h264-b"):
        for form in ("mp4", "fmp4", "mkv", "ts"):
            for lost in (1, 2, 3):
                parts = [p.moved(-p.s(p.of(0)[0])) for p in tape(studio[name], 1).parts(1)]
                files = tuple(
                    File(f"clip_{n:04d}.{FORMS[form].suffix}", file_of(part, form), BASE_MS + (n + 1) * 1000)
                    for n, part in enumerate(parts)
                    if n != lost
                )
                yield Case(
                    f"{name} {form} number {lost} missing", "number missing", files, "degraded",
                    (degradation("missing_sequence", missing=1),), numbered=True, reel=name, form=form,
                    notes=frozenset({"timestamp_reset"}),
                )  # fmt: skip


def restamped(studio: Studio) -> Iterator[Case]:
    """Cut inside and stamped anew so that nothing shows, but the names' clock runs ahead of the stamps from then on."""
    for name in ("h264", "h264-b", "mpeg2"):
        for form in ("ts", "m2ts"):
            for step in (1, 2, 4):
                for size in (3, 5, 60):
                    for ms in (False, True):
                        whole = tape(studio[name], 2, 10)
                        at = starts(whole, step)
                        cut = next(one for one in at if one >= 8)
                        moved = [
                            named(BASE_MS + round(1000 * (one + (size if one >= cut else 0))), file.data, form, ms)
                            for one, file in zip(at, series(whole, form, step), strict=True)
                        ]
                        yield Case(
                            f"{name} {form} {size} s hidden between files of {step} s, names to {'ms' if ms else 's'}", "cut and re-stamped", tuple(moved),
                            "degraded", (degradation("hidden_loss", size_s=Fraction(size), at_s=cut, slack_s=Fraction(1, 25) if ms else Fraction(1)),),
                            reel=name, form=form,
                        )  # fmt: skip


def stepped_clock(studio: Studio) -> Iterator[Case]:
    """The names' clock is put back while the stamps run on: nothing is missing, and the step is told."""
    for name in ("h264", "h264-b"):
        for form in ("ts", "ts204"):
            for size in (4, 30, 3600):
                files = series(tape(studio[name], 2, 10), form, 2)
                moved = [
                    named(file.mtime_ms - (size * 1000 if n >= 4 else 0), file.data, form)
                    for n, file in enumerate(files)
                ]
                yield Case(
                    f"{name} {form} clock put back {size} s", "clock step", tuple(moved), "continuous",
                    (note("clock_step", size_s=Fraction(size)),), reel=name, form=form,
                )  # fmt: skip


def restarts(studio: Studio) -> Iterator[Case]:
    """The camera starts anew: stamps from somewhere else, and by the names either nothing is missing or a while is."""
    for name in ("h264", "h264-b", "mpeg2"):
        for form in ("ts", "m2ts"):
            for away in (0, 5, 40):
                first = series(tape(studio[name], 1, 1000), form, 2)
                length = _length(tape(studio[name], 1))
                second = series(tape(studio[name], 1, 10), form, 2, base_ms=BASE_MS + round((length + away) * 1000))
                expected = (gap(Fraction(away), length),) if away else (note("timestamp_reset"),)
                yield Case(
                    f"{name} {form} restart after {away} s", "restart of the recorder", tuple(first + second),
                    "interrupted" if away else "continuous", expected, reel=name, form=form,
                )  # fmt: skip


def resets_inside(studio: Studio) -> Iterator[Case]:
    """Stamps that begin anew inside a file: what lies between is not known."""
    for name in ("h264", "h264-b", "mpeg2"):
        for form in ("ts", "m2ts", "ts204"):
            for back in (100, 1000):
                whole = studio[name].moved(2000)
                middle = whole.parts(4)
                joined = middle[0].then(middle[1].moved(-back))
                yield single(
                    f"{name} {form} back by {back} s inside", "reset inside a file", _joined(joined, form), form,
                    tuple(degradation("timestamp_reset", stream=n) for n in range(2)), reel=name,
                )  # fmt: skip


def _joined(reel: Reel, form: str) -> bytes:
    """A file whose times step back: no muxer writes one, so two files' packets follow each other as a recorder's would."""
    first = reel.samples[0]
    split = next(n for n, s in enumerate(reel.samples) if reel.s(s) < reel.s(first) - 10)
    parts = [reel.cut(set(reel.samples[:split]).__contains__), reel.cut(set(reel.samples[split:]).__contains__)]
    data = b"".join(clips.counted_on([file_of(part, "ts") for part in parts]))
    return data if form == "ts" else clips.framed(data, 192 if form == "m2ts" else 204)


def repeated(studio: Studio) -> Iterator[Case]:
    """The same file twice, and files that overlap: each instant is there, and what is there twice is told."""
    for name in ("h264", "h264-b", "silent"):
        for form in ("ts", "m2ts", "mp4", "mkv"):
            for copy in (0, 1, 3):
                clock = FORMS[form].muxer == "mpegts"
                files = series(tape(studio[name], 1, 10), form, 2)
                if not clock:
                    files = series_at_zero(tape(studio[name], 1), form, 2)
                again = File(f"copy_of_{copy}.{FORMS[form].suffix}", files[copy].data, files[copy].mtime_ms)
                yield Case(
                    f"{name} {form} file {copy} twice", "file twice", (*files, again), "continuous",
                    (note("duplicate"),), reel=name, form=form,
                )  # fmt: skip
        for form in ("ts", "m2ts", "ts204"):
            for size in (1, 3):
                whole = tape(studio[name], 2, 10)
                zero = whole.s(whole.of(0)[0])
                early = whole.span(zero, zero + 8)
                late = whole.span(zero + 8 - size, zero + 99)
                files = [
                    *series(early, form, 2),
                    *series(late, form, 2, base_ms=BASE_MS + (8 - size) * 1000),
                ]
                yield Case(
                    f"{name} {form} {size} s twice", "overlap", tuple(files), "continuous",
                    (note("overlap", size_s=Fraction(size)),), reel=name, form=form,
                )  # fmt: skip


def series_at_zero(reel: Reel, form: str, step_s: int, ms: bool = False) -> list[File]:
    """Files that all begin at zero, as most cameras write MP4."""
    zero = reel.s(reel.of(reel.reference)[0])
    files = []
    for part in reel.parts(step_s):
        first = part.s(part.of(part.reference)[0])
        at_s = first - zero
        files.append(named(BASE_MS + round(at_s * 1000), file_of(part.moved(-first), form, f"{at_s}"), form, ms))
    return files


def lost_dates(studio: Studio) -> Iterator[Case]:
    """A copied card: names without order, one date for all, one file gone. The stamps alone tell."""
    rng = random.Random(SEED + 3)
    for name in ("h264", "h264-b", "mpeg2"):
        for form in ("ts", "m2ts", "ts204"):
            for lost in (1, 3, 5):
                whole = tape(studio[name], 2, 10)
                at = starts(whole, 2)
                files = [file for n, file in enumerate(series(whole, form, 2)) if n != lost]
                rng.shuffle(files)
                copies = tuple(File(f"clip-{chr(97 + n)}.{FORMS[form].suffix}", f.data) for n, f in enumerate(files))
                yield Case(
                    f"{name} {form} file {lost} missing of copies", "file missing, dates lost", copies, "interrupted",
                    (gap(at[lost + 1] - at[lost], at[lost]),), notes=frozenset({"clock_step"}), reel=name, form=form,
                )  # fmt: skip


def holes_in_series(studio: Studio) -> Iterator[Case]:
    """A hole inside one file of many."""
    for name in ("h264", "h264-b", "hevc"):
        for form in ("ts", "m2ts", "mp4", "fmp4", "mkv"):
            for size in (Fraction(3, 25), Fraction(1), Fraction(2)):
                whole = tape(studio[name], 2, 10)
                zero = whole.s(whole.of(0)[0])
                kept = whole.without(zero + Fraction(49, 10), zero + Fraction(49, 10) + size)
                build = series if FORMS[form].muxer == "mpegts" else series_at_zero
                yield Case(
                    f"{name} {form} {float(size):g} s in one of four files", "hole in one file of many",
                    tuple(build(kept, form, 4)), verdict_of(found := missing_of(whole, kept)), found, reel=name, form=form,
                    notes=frozenset({"timestamp_reset"}),
                )  # fmt: skip


def garbage(studio: Studio) -> Iterator[Case]:
    """Bytes of nothing over packets of a transport stream: what they lay over is lost."""
    rng = random.Random(SEED + 4)
    for name in ("h264", "h264-b", "mpeg2"):
        for form, stride in (("ts", 188), ("m2ts", 192), ("ts204", 204)):
            for packets in (3, 12):
                data = bytearray(file_of(studio[name], form))
                at = len(data) // 2 // stride * stride
                data[at : at + packets * stride] = rng.randbytes(packets * stride).replace(b"\x47", b"\x00")
                yield single(
                    f"{name} {form} garbage over {packets} packets", "garbage over packets", bytes(data), form,
                    (Expected(frozenset({"packet_loss"}), "degradation"),), reel=name, also=frozenset({"packet_loss", "dropped_frames"}),
                )  # fmt: skip


FAULTS: Final[Sequence[Callable[[Studio], Iterator[Case]]]] = (
    holes_in_all,
    holes_in_one,
    holes_at_rates,
    truncated,
    packet_loss,
    missing_files,
    missing_at_the_wrap,
    missing_by_the_wall,
    missing_numbers,
    restamped,
    stepped_clock,
    restarts,
    resets_inside,
    repeated,
    lost_dates,
    holes_in_series,
    garbage,
)
