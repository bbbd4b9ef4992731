"""Footage: recordings of a made-up unit, from a real encoder, with faults cut in by construction.

*Shooting* copies the masters under names that carry UTC starts shortly before ``now`` and writes the run's id into
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
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.demo.masters import BLOCK_S, BODY_FILE_S, CUT_S, SEGMENT_S, VOICE_S
from pipeline.demo.truth import Plant, PlantedGap, Truth
from pipeline.domain.continuity import Verdict
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, block_recording_id, original_key
from pipeline.domain.time import WallMs, to_rfc3339

_TRUNCATED_S: Final = 12
_SCHEDULE: Final = "lens cleaning"
_UNIT: Final = "market-supervision-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One recording's files, in the order they were recorded, and what must come out of them.

    ``files`` are imported as one session; ``late`` afterwards, into the same recording. ``recording`` is named to the
    connector where a session has a name; a continuous camera's recordings follow from the clock, and one shot of such a
    camera makes several (``truths``). ``window`` is a planned pause of the source; ``late_gap`` what the late files fill.
    """

    source_id: SourceId
    unit: str
    kind: SourceKind
    folder: Path
    files: tuple[Path, ...]
    truths: tuple[Truth, ...]
    recording: RecordingId | None = None
    late: tuple[Path, ...] = ()
    late_gap: PlantedGap | None = None
    case: bool = False
    window: tuple[WallMs, WallMs, str] | None = None


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
        # A card's file was last written when it was recorded, not when it is imported.
        os.utime(path, (at / 1000, at / 1000))
        return path

    def source(self, name: str) -> SourceId:
        return SourceId(f"{name}-{self.run}")


# Shooting: names, marks, faults that are made with bytes, and the truth of each.


def _shoot_hall_1(films: _Films, block: WallMs) -> Shot:
    source = films.source("hall-1")
    missing = (5, 6)
    kept = [number for number in range(2 * BLOCK_S // SEGMENT_S) if number not in missing]
    paths = [films.copy(f"hall-1/{number:03d}.ts", source, _at(block, number)) for number in kept]
    gap = PlantedGap(start=_at(block, 5), end=_at(block, 7), tolerance_ms=60, state="unexplained")
    first = [path for path, number in zip(paths, kept, strict=True) if number < BLOCK_S // SEGMENT_S]
    return Shot(
        source_id=source,
        unit="service-hall",
        kind="cctv",
        folder=paths[0].parent,
        files=tuple(paths),
        truths=(
            _block_truth(
                source, block, first, (gap,), Plant(what="hall-1: two files in the middle missing", shows="gap")
            ),
            _block_truth(
                source, _next(block), paths[len(first) :], (), Plant(what="hall-1: a whole block", shows="verdict")
            ),
        ),
    )


def _shoot_hall_2(films: _Films, block: WallMs) -> Shot:
    source = films.source("hall-2")
    kept = [number for number in range(BLOCK_S // SEGMENT_S) if number != 8]
    paths = [films.copy(f"hall-2/{number:03d}.ts", source, _at(block, number)) for number in kept]
    start, end = _at(block, 8), _at(block, 9)
    gap = PlantedGap(start=start, end=end, tolerance_ms=60, state="explained", reason=_SCHEDULE)
    return Shot(
        source_id=source,
        unit="service-hall",
        kind="cctv",
        folder=paths[0].parent,
        files=tuple(paths),
        truths=(
            _block_truth(
                source, block, paths, (gap,), Plant(what="hall-2: one file missing in a planned pause", shows="gap")
            ),
        ),
        window=(WallMs(start - 5000), WallMs(end + 5000), _SCHEDULE),
    )


def _block_truth(
    source: SourceId, block: WallMs, paths: list[Path], gaps: tuple[PlantedGap, ...], plant: Plant
) -> Truth:
    return Truth(
        recording_id=block_recording_id(source, block, BLOCK_S),
        source_id=source,
        unit="service-hall",
        kind="cctv",
        verdict="interrupted" if gaps else "continuous",
        started_at=block,
        ended_at=_next(block),
        covered_ms=len(paths) * SEGMENT_S * 1000,
        tolerance_ms=100,
        segments=len(paths),
        bytes=_size(paths),
        originals=_originals(paths),
        deadline="met",
        gaps=gaps,
        plants=(plant,),
    )


def _shoot_body(films: _Films, session: WallMs) -> Shot:
    source = films.source("bwc-017")
    second = BODY_FILE_S * 1000
    third = session + 2 * second
    fourth = third + second + (CUT_S[1] - CUT_S[0]) * 1000
    last = fourth + second
    one = films.copy("body/1.mp4", source, session)
    again = films.write(source, session, " (1).mp4", one.read_bytes())
    two = films.copy("body/2.mp4", source, session + second)
    three = films.copy("body/3.mp4", source, third)
    late = films.copy("body/4.mp4", f"{source}-late", fourth)
    whole = _mark_after_first_box((films.masters / "body/5.mp4").read_bytes(), films.run.encode())
    five = films.write(source, last, ".mp4", _cut_in_fragment(whole, _TRUNCATED_S))
    gap = PlantedGap(
        start=WallMs(third + CUT_S[0] * 1000),
        end=WallMs(third + CUT_S[1] * 1000),
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
        originals=_originals([*files, late]),
        deadline="met",
        gaps=(gap,),
        findings=("duplicate", "truncated"),
        plants=(
            Plant(what="bwc: 7 s cut out inside a file, hidden in a sample's duration", shows="gap"),
            Plant(what="bwc: one file twice, under another name", shows="duplicate"),
            Plant(what="bwc: the last file cut off in the middle", shows="truncated"),
        ),
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
        late_gap=PlantedGap(start=WallMs(fourth), end=WallMs(last), tolerance_ms=500, state="unexplained"),
        case=True,
    )


def _shoot_voice(films: _Films, session: WallMs) -> Shot:
    source = films.source("voice-3")
    path = films.copy("small/voice.m4a", source, session)
    ended = WallMs(session + VOICE_S * 1000)
    return _single(
        source,
        "voice_recorder",
        path,
        "continuous",
        Plant(what="voice: one whole audio file", shows="verdict"),
        covered=(session, ended),
        deadline_met=True,
    )


def _shoot_photo(films: _Films, session: WallMs) -> Shot:
    source = films.source("photo-1")
    path = films.copy("small/photo.jpg", source, session)
    return _single(source, "still_camera", path, "not_testable", Plant(what="photo: one picture", shows="not_testable"))


def _shoot_hostile(films: _Films, session: WallMs) -> Shot:
    source = films.source("import-9")
    text = f"ffconcat version 1.0\n# {films.run}\nfile '../hall-1/000.ts'\n"
    path = films.write(source, session, ".mp4", text.encode())
    return _single(
        source,
        "camcorder",
        path,
        "unreadable",
        Plant(what="import: a text that opens another file, named .mp4", shows="unreadable"),
    )


def _single(
    source: SourceId,
    kind: SourceKind,
    path: Path,
    verdict: Verdict,
    plant: Plant,
    *,
    covered: tuple[WallMs, WallMs] | None = None,
    deadline_met: bool = False,
) -> Shot:
    recording = RecordingId(f"{source}-session-1")
    truth = Truth(
        recording_id=recording,
        source_id=source,
        unit=_UNIT,
        kind=kind,
        verdict=verdict,
        started_at=covered[0] if covered else None,
        ended_at=covered[1] if covered else None,
        covered_ms=covered[1] - covered[0] if covered else 0,
        tolerance_ms=100,
        segments=1,
        bytes=_size([path]),
        originals=_originals([path]),
        deadline="met" if deadline_met else "tracked",
        findings=() if plant.shows == "verdict" else (plant.shows,),
        plants=(plant,),
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
    return WallMs(block + number * SEGMENT_S * 1000)


def _next(block: WallMs) -> WallMs:
    return WallMs(block + BLOCK_S * 1000)


def _stamp(at: int) -> str:
    return to_rfc3339(at)[:19].replace("-", "").replace(":", "") + "Z"


def _size(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _originals(paths: list[Path]) -> tuple[str, ...]:
    """Where the distinct ones of these files belong in the store, by their bytes."""
    keys = [original_key(Sha256(hashlib.sha256(path.read_bytes()).hexdigest()), path.name) for path in paths]
    return tuple(dict.fromkeys(keys))


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
