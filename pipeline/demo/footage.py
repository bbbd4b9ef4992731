"""Footage: recordings of a made-up unit, from a real encoder, with faults cut in by construction.

Encoding takes seconds and depends on nothing but the recipe, so the encoded *masters* are kept under their recipe's
digest. *Shooting* copies them under names that carry UTC starts shortly before ``now`` and writes the run's id into
every file where its format allows stuffing (a null packet, a free box, a comment), so that each run's bytes are new to
the store and no sample or time stamp differs.

What is planted:
  hall-1   two blocks of 10 s transport-stream files; two files of the first block are missing: 20 s, unexplained
  hall-2   one block whose clock passes the 33-bit wrap; one file missing inside a schedule window: 10 s, explained
  bwc      a session of MP4 and fragmented MP4: 7 s cut out inside a file, hidden in a sample's duration; one file
           twice under another name; one file imported after the session ended; the last file cut off in the middle
  voice    one audio file, whole
  photo    one picture
  import   a text that tells the reader to open another file, named .mp4
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av

from pipeline.demo.truth import PlantedGap, Truth
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, block_recording_id
from pipeline.domain.time import WallMs, to_rfc3339

BLOCK_S: Final = 120
"""The demo policy's block: an hour would take an hour's footage."""

_SEGMENT_S: Final = 10
_WRAP_OFFSET_S: Final = 95_400
"""Added to hall-2's clock: 2**33 ticks are 95443.7 s, so it wraps inside the fifth file."""

_BODY_FILE_S: Final = 20
_CUT_S: Final = (10, 17)
_TRUNCATED_S: Final = 12
_VOICE_S: Final = 30
_SCHEDULE: Final = "lens cleaning"
_UNIT: Final = "market-supervision-2"

_VIDEO: Final = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-sc_threshold", "0", "-b:v", "150k"]
_AUDIO: Final = ["-c:a", "aac", "-b:a", "32k", "-ac", "1"]
_FRAGMENTED: Final = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One recording's files, in the order they were recorded, and what must come out of them.

    ``files`` are imported as one session; ``late`` afterwards, into the same recording. ``recording`` is named to the
    connector where a session has a name; a continuous camera's recordings follow from the clock, and one shot of such a
    camera makes several (``truths``). ``window`` is a planned pause of the source.
    """

    source_id: SourceId
    unit: str
    kind: SourceKind
    folder: Path
    files: tuple[Path, ...]
    truths: tuple[Truth, ...]
    recording: RecordingId | None = None
    late: tuple[Path, ...] = ()
    case: bool = False
    window: tuple[WallMs, WallMs, str] | None = None


def masters(cache: Path) -> Path:
    """The folder of encoded masters under *cache*, made if this recipe's is not there. Needs ``ffmpeg``, takes seconds."""
    folder = cache / f"footage-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    work = folder.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for job in [pool.submit(encode, work) for encode in (_hall_1, _hall_2, _body, _small)]:
            job.result()
    return work.rename(folder)


def shoot(masters_folder: Path, folder: Path, now: WallMs, run: str) -> tuple[Shot, ...]:
    """Write one run's footage into *folder*, ending a few minutes before *now*; *run* marks ids and bytes."""
    block = WallMs((now // 1000 // BLOCK_S - 4) * BLOCK_S * 1000)
    session = WallMs(now // 1000 * 1000 - 300_000)
    films = _Films(masters_folder, folder, run)
    return (
        _shoot_hall_1(films, block),
        _shoot_hall_2(films, block),
        _shoot_body(films, session),
        _shoot_voice(films, session),
        _shoot_photo(films, session),
        _shoot_hostile(films, session),
    )


@dataclass(frozen=True, slots=True)
class _Films:
    """Where masters come from, where copies go, and the mark they get."""

    masters: Path
    folder: Path
    run: str

    def copy(self, master: str, source: str, at: int, suffix: str = "") -> Path:
        """The master under a stamped name, carrying the run's mark."""
        origin = self.masters / master
        data = _MARKS[origin.suffix](origin.read_bytes(), self.run.encode())
        return self.write(source, at, f"{suffix}{origin.suffix}", data)

    def write(self, source: str, at: int, ending: str, data: bytes) -> Path:
        path = self.folder / source / f"{_stamp(at)}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def source(self, name: str) -> SourceId:
        return SourceId(f"{name}-{self.run}")


# Shooting: names, marks, faults that are made with bytes, and the truth of each.


def _shoot_hall_1(films: _Films, block: WallMs) -> Shot:
    source = films.source("hall-1")
    missing = (5, 6)
    kept = [number for number in range(2 * BLOCK_S // _SEGMENT_S) if number not in missing]
    paths = [films.copy(f"hall-1/{number:03d}.ts", source, _at(block, number)) for number in kept]
    gap = PlantedGap(start=_at(block, 5), end=_at(block, 7), tolerance_ms=60, state="unexplained")
    first = [path for path, number in zip(paths, kept, strict=True) if number < BLOCK_S // _SEGMENT_S]
    return Shot(
        source_id=source,
        unit="service-hall",
        kind="cctv",
        folder=paths[0].parent,
        files=tuple(paths),
        truths=(
            _block_truth(source, block, first, (gap,)),
            _block_truth(source, _next(block), paths[len(first) :], ()),
        ),
    )


def _shoot_hall_2(films: _Films, block: WallMs) -> Shot:
    source = films.source("hall-2")
    kept = [number for number in range(BLOCK_S // _SEGMENT_S) if number != 8]
    paths = [films.copy(f"hall-2/{number:03d}.ts", source, _at(block, number)) for number in kept]
    start, end = _at(block, 8), _at(block, 9)
    gap = PlantedGap(start=start, end=end, tolerance_ms=60, state="explained", reason=_SCHEDULE)
    return Shot(
        source_id=source,
        unit="service-hall",
        kind="cctv",
        folder=paths[0].parent,
        files=tuple(paths),
        truths=(_block_truth(source, block, paths, (gap,)),),
        window=(WallMs(start - 5000), WallMs(end + 5000), _SCHEDULE),
    )


def _block_truth(source: SourceId, block: WallMs, paths: list[Path], gaps: tuple[PlantedGap, ...]) -> Truth:
    return Truth(
        recording_id=block_recording_id(source, block, BLOCK_S),
        source_id=source,
        unit="service-hall",
        kind="cctv",
        verdict="interrupted" if gaps else "continuous",
        started_at=block,
        ended_at=_next(block),
        covered_ms=len(paths) * _SEGMENT_S * 1000,
        tolerance_ms=100,
        segments=len(paths),
        bytes=_size(paths),
        originals=len(paths),
        deadline="met",
        gaps=gaps,
    )


def _shoot_body(films: _Films, session: WallMs) -> Shot:
    source = films.source("bwc-017")
    second = _BODY_FILE_S * 1000
    third = session + 2 * second
    fourth = third + second + (_CUT_S[1] - _CUT_S[0]) * 1000
    last = fourth + second
    one = films.copy("body/1.mp4", source, session)
    again = films.write(source, session, " (1).mp4", one.read_bytes())
    two = films.copy("body/2.mp4", source, session + second)
    three = films.copy("body/3.mp4", source, third)
    late = films.copy("body/4.mp4", f"{source}-late", fourth)
    whole = _mark_after_first_box((films.masters / "body/5.mp4").read_bytes(), films.run.encode())
    five = films.write(source, last, ".mp4", _cut_in_fragment(whole, _TRUNCATED_S))
    gap = PlantedGap(
        start=WallMs(third + _CUT_S[0] * 1000),
        end=WallMs(third + _CUT_S[1] * 1000),
        tolerance_ms=100,
        state="unexplained",
    )
    recording = RecordingId(f"{source}-session-1")
    files = (one, again, two, three, five)
    truth = Truth(
        recording_id=recording,
        source_id=source,
        unit=_UNIT,
        kind="body_camera",
        verdict="interrupted",
        started_at=session,
        ended_at=WallMs(last + _TRUNCATED_S * 1000),
        covered_ms=4 * second + _TRUNCATED_S * 1000,
        tolerance_ms=500,
        segments=len(files) + 1,
        bytes=_size([*files, late]),
        originals=len(files),
        deadline="met",
        gaps=(gap,),
        findings=("duplicate", "truncated"),
    )
    return Shot(
        source_id=source,
        unit=_UNIT,
        kind="body_camera",
        folder=one.parent,
        files=files,
        truths=(truth,),
        recording=recording,
        late=(late,),
        case=True,
    )


def _shoot_voice(films: _Films, session: WallMs) -> Shot:
    source = films.source("voice-3")
    path = films.copy("small/voice.m4a", source, session)
    ended = WallMs(session + _VOICE_S * 1000)
    return _single(
        source, "voice_recorder", path, "continuous", covered=(session, ended), findings=(), deadline_met=True
    )


def _shoot_photo(films: _Films, session: WallMs) -> Shot:
    source = films.source("photo-1")
    path = films.copy("small/photo.jpg", source, session)
    return _single(source, "still_camera", path, "not_testable", covered=None, findings=("not_testable",))


def _shoot_hostile(films: _Films, session: WallMs) -> Shot:
    source = films.source("import-9")
    text = f"ffconcat version 1.0\n# {films.run}\nfile '../hall-1/000.ts'\n"
    path = films.write(source, session, ".mp4", text.encode())
    return _single(source, "camcorder", path, "unreadable", covered=None, findings=("unreadable",))


def _single(
    source: SourceId,
    kind: SourceKind,
    path: Path,
    verdict: str,
    *,
    covered: tuple[WallMs, WallMs] | None,
    findings: tuple[str, ...],
    deadline_met: bool = False,
) -> Shot:
    recording = RecordingId(f"{source}-session-1")
    truth = Truth(
        recording_id=recording,
        source_id=source,
        unit=_UNIT,
        kind=kind,
        verdict=verdict,  # type: ignore[arg-type]
        started_at=covered[0] if covered else None,
        ended_at=covered[1] if covered else None,
        covered_ms=covered[1] - covered[0] if covered else 0,
        tolerance_ms=100,
        segments=1,
        bytes=_size([path]),
        originals=1,
        deadline="met" if deadline_met else "tracked",
        findings=findings,  # type: ignore[arg-type]
    )
    return Shot(
        source_id=source,
        unit=_UNIT,
        kind=kind,
        folder=path.parent,
        files=(path,),
        truths=(truth,),
        recording=recording,
        case=deadline_met,
    )


def _at(block: WallMs, number: int) -> WallMs:
    return WallMs(block + number * _SEGMENT_S * 1000)


def _next(block: WallMs) -> WallMs:
    return WallMs(block + BLOCK_S * 1000)


def _stamp(at: int) -> str:
    return to_rfc3339(at)[:19].replace("-", "").replace(":", "") + "Z"


def _size(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


# Marks: bytes that every reader of the format skips.


def _mark_ts(data: bytes, mark: bytes) -> bytes:
    """A null packet (PID 0x1FFF, ISO/IEC 13818-1 2.4.1) at the end."""
    return data + (b"\x47\x1f\xff\x10" + mark).ljust(188, b"\xff")


def _mark_mp4(data: bytes, mark: bytes) -> bytes:
    """A free box (ISO/IEC 14496-12 8.1.2) at the end."""
    return data + _free_box(mark)


def _mark_after_first_box(data: bytes, mark: bytes) -> bytes:
    """A free box after ``ftyp``, for a file that will lose its end; only where no absolute offsets follow."""
    size = int.from_bytes(data[:4], "big")
    return data[:size] + _free_box(mark) + data[size:]


def _mark_jpeg(data: bytes, mark: bytes) -> bytes:
    """A comment segment right after the start of image (ITU-T T.81 B.2.4.5)."""
    return data[:2] + b"\xff\xfe" + (len(mark) + 2).to_bytes(2, "big") + mark + data[2:]


def _free_box(mark: bytes) -> bytes:
    return (len(mark) + 8).to_bytes(4, "big") + b"free" + mark


_MARKS: Final[dict[str, Callable[[bytes, bytes], bytes]]] = {
    ".ts": _mark_ts,
    ".mp4": _mark_mp4,
    ".m4a": _mark_mp4,
    ".jpg": _mark_jpeg,
}


def _cut_in_fragment(data: bytes, number: int) -> bytes:
    """A fragmented file as a power loss leaves it: fragments 0 to number-1 whole, the next one's data just begun."""
    media = [start for start, _size_bytes, kind in _boxes(data) if kind == b"mdat"]
    return data[: media[number] + 8 + 40]


def _boxes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Start, size and type of each top-level box (32-bit sizes, as ffmpeg writes small files)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield at, size, data[at + 4 : at + 8]
        at += size


# Encoding: the masters.


def _hall_1(folder: Path) -> None:
    _hall(folder / "hall-1", seconds=2 * BLOCK_S, clock_offset_s=0, tone=440)


def _hall_2(folder: Path) -> None:
    _hall(folder / "hall-2", seconds=BLOCK_S, clock_offset_s=_WRAP_OFFSET_S, tone=550)


def _hall(folder: Path, *, seconds: int, clock_offset_s: int, tone: int) -> None:
    """One camera's continuous stream, cut at key frames into transport-stream files that keep its clock."""
    folder.mkdir()
    cut = ["-f", "segment", "-segment_time", str(_SEGMENT_S), "-segment_format", "mpegts"]
    clock = ["-segment_format_options", f"output_ts_offset={clock_offset_s}"]
    _film(seconds, tone, ["-g", "50", *cut, *clock, f"{folder}/%03d.ts"])


def _body(folder: Path) -> None:
    """The body camera's files: 1, 2 and 4 whole, 3 with its middle cut out, 5 to be cut off when it is shot."""
    body = folder / "body"
    body.mkdir()
    cut_s = _CUT_S[1] - _CUT_S[0]
    _film(_BODY_FILE_S, 600, ["-g", "25", "-movflags", "faststart", f"{body}/1.mp4"])
    _film(_BODY_FILE_S, 610, ["-g", "25", *_FRAGMENTED, f"{body}/2.mp4"])
    _film(_BODY_FILE_S + cut_s, 620, ["-g", "25", f"{body}/whole.mp4"])
    cut_inside(body / "whole.mp4", body / "3.mp4", *_CUT_S)
    (body / "whole.mp4").unlink()
    _film(_BODY_FILE_S, 630, ["-g", "25", f"{body}/4.mp4"])
    _film(_BODY_FILE_S, 640, ["-g", "25", *_FRAGMENTED, f"{body}/5.mp4"])


def _small(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    _ffmpeg([*_tone(330), "-t", str(_VOICE_S), *_AUDIO, f"{small}/voice.m4a"])
    _ffmpeg([*_picture(), "-frames:v", "1", "-f", "image2", f"{small}/photo.jpg"])


def cut_inside(whole: Path, cut: Path, from_s: int, to_s: int) -> None:
    """Copy *whole* without the packets shown in ``[from_s, to_s)``. MP4 stores intervals, not times: the last kept sample
    gets the whole hole as its duration, and every reader of durations sees an unbroken file. The bounds are key frames."""
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if not from_s <= Fraction(packet.pts) * packet.time_base < to_s:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)


def _film(seconds: int, tone: int, output: list[str]) -> None:
    _ffmpeg([*_picture(), *_tone(tone), "-t", str(seconds), *_VIDEO, "-pix_fmt", "yuv420p", *_AUDIO, *output])


def _picture() -> list[str]:
    return ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]


def _tone(frequency_hz: int) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=frequency={frequency_hz}:sample_rate=48000"]


def _ffmpeg(arguments: list[str]) -> None:
    """Run ffmpeg; raises ``RuntimeError`` with its own words."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg failed ({done.returncode}): {done.stderr.strip()[-500:]}")
