"""The plants are really in the files: seen by ffprobe, which shares no code with the product's readers."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo import footage
from pipeline.demo.footage import Shot
from pipeline.demo.masters import encoded_masters
from pipeline.demo.truth import differences
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.settings import Settings
from tests.demo.reports import report_of

NOW = from_rfc3339("2026-11-24T08:07:31.500Z")
_TICKS_33 = 1 << 33


@pytest.fixture(scope="session")
def masters() -> Path:
    return encoded_masters(Settings().state / "demo")


@pytest.fixture(scope="session")
def shots(masters: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shot]:
    made = footage.shoot(masters, tmp_path_factory.mktemp("run"), NOW, "t3st")
    return {shot.source_id.removesuffix("-t3st"): shot for shot in made}


def _probe(path: Path, *show: str, kind: str = "v:0") -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", "-select_streams", kind, *show, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _packets(path: Path, kind: str = "v:0") -> list[dict[str, Any]]:
    found = _probe(path, "-correct_ts_overflow", "0", "-show_packets", kind=kind)["packets"]
    return [packet for packet in found if "pts" in packet]


def _first_ticks(path: Path) -> int:
    """Least PTS, where a wrap inside the file counts as going on."""
    ticks = [int(packet["pts"]) for packet in _packets(path)]
    return min(ticks, key=lambda pts: (pts - ticks[0] + _TICKS_33 // 2) % _TICKS_33) % _TICKS_33


def _start(path: Path) -> WallMs:
    stamp = path.name[:16]
    day = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
    return from_rfc3339(f"{day}T{stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}.000Z")


def test_masters_are_made_once(masters: Path) -> None:
    before = masters.stat().st_mtime_ns

    again = encoded_masters(masters.parent)

    assert again == masters
    assert again.stat().st_mtime_ns == before


def test_the_whole_footage_is_small_and_real_video_with_b_frames(shots: dict[str, Shot]) -> None:
    size = sum(path.stat().st_size for shot in shots.values() for path in (*shot.files, *shot.late))

    stream = _probe(shots["hall-1"].files[0], "-show_streams")["streams"][0]

    assert size < 60_000_000
    assert (stream["codec_name"], stream["has_b_frames"] > 0) == ("h264", True)


@pytest.mark.parametrize(("source", "count"), [("hall-1", 22), ("hall-2", 11)])
def test_hall_files_share_one_clock_except_where_files_are_missing(
    shots: dict[str, Shot], source: str, count: int
) -> None:
    files = shots[source].files
    firsts = [_first_ticks(path) for path in files]
    steps = [(later - earlier) % _TICKS_33 / 90_000 for earlier, later in itertools.pairwise(firsts)]

    named = [(_start(later) - _start(earlier)) / 1000 for earlier, later in itertools.pairwise(files)]
    odd = [step for step in steps if abs(step - 10) > 0.001]

    assert len(files) == count
    assert steps == pytest.approx(named, abs=0.001)
    assert odd == pytest.approx([30.0] if source == "hall-1" else [20.0], abs=0.001)


def test_the_second_hall_clock_passes_the_33_bit_wrap_inside_a_file(shots: dict[str, Shot]) -> None:
    spans = [[packet["pts"] for packet in _packets(path)] for path in shots["hall-2"].files]

    crossing = [number for number, pts in enumerate(spans) if max(pts) > _TICKS_33 or max(pts) - min(pts) > 1 << 32]

    assert crossing == [4]


def test_seven_seconds_are_missing_inside_a_body_file_and_its_durations_hide_them(shots: dict[str, Shot]) -> None:
    holed = shots["bwc-017"].files[3]

    for kind in ("v:0", "a:0"):
        packets = sorted(_packets(holed, kind), key=lambda packet: float(packet["pts_time"]))
        times = [float(packet["pts_time"]) for packet in packets]
        hole = max(later - earlier for earlier, later in itertools.pairwise(times))
        stream = _probe(holed, "-show_streams", kind=kind)["streams"][0]

        assert hole == pytest.approx(7.0, abs=0.05)
        assert float(stream["duration"]) == pytest.approx(27.0, abs=0.1)


def test_body_files_are_mp4_and_fragmented_mp4(shots: dict[str, Shot]) -> None:
    fragmented = [b"moof" in path.read_bytes() for path in shots["bwc-017"].files]

    assert fragmented == [False, False, True, False, True]


def test_one_body_file_is_there_twice_under_two_names(shots: dict[str, Shot]) -> None:
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in shots["bwc-017"].files]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_the_last_body_file_ends_in_the_middle_of_a_box(shots: dict[str, Shot]) -> None:
    data = shots["bwc-017"].files[4].read_bytes()

    at = last = 0
    while at < len(data):
        last, at = at, at + int.from_bytes(data[at : at + 4], "big")

    assert data[last + 4 : last + 8] == b"mdat"
    assert at > len(data)


def test_the_late_file_fills_the_place_between_two_others(shots: dict[str, Shot]) -> None:
    shot = shots["bwc-017"]

    late = shot.late[0]

    assert late.parent != shot.folder
    assert _start(shot.files[3]) + 27_000 == _start(late) == _start(shot.files[4]) - 20_000


def test_voice_is_audio_only_and_the_photo_is_a_picture(shots: dict[str, Shot]) -> None:
    voice = _probe(shots["voice-3"].files[0], "-show_streams", kind="a")["streams"]
    photo = _probe(shots["photo-1"].files[0], "-show_streams")["streams"]

    assert [stream["codec_name"] for stream in voice] == ["aac"]
    assert [stream["codec_name"] for stream in photo] == ["mjpeg"]
    assert _probe(shots["voice-3"].files[0], "-show_streams")["streams"] == []


def test_the_hostile_file_is_a_text_that_asks_for_another_file(shots: dict[str, Shot]) -> None:
    path = shots["import-9"].files[0]

    assert path.suffix == ".mp4"
    assert path.read_text("utf-8").startswith("ffconcat version 1.0\n")


def test_another_run_has_other_bytes_and_the_same_time_stamps(
    masters: Path, shots: dict[str, Shot], tmp_path: Path
) -> None:
    again = footage.shoot(masters, tmp_path, NOW, "0ther")
    pairs = [
        (one, other)
        for shot, second in zip(shots.values(), again, strict=True)
        for one, other in zip((*shot.files, *shot.late), (*second.files, *second.late), strict=True)
    ]

    same = [one.name for one, other in pairs if one.read_bytes() == other.read_bytes()]
    timed = [(one, other) for one, other in pairs[::9] if one.suffix == ".ts"]

    assert same == []
    assert all(_packets(one) == _packets(other) for one, other in timed)


def test_every_deadline_is_in_the_future(shots: dict[str, Shot]) -> None:
    ends = [truth.ended_at for shot in shots.values() for truth in shot.truths if truth.ended_at is not None]

    assert all(NOW - 3_600_000 < end < NOW for end in ends)


def test_the_truth_itself_does_not_differ_from_the_truth(shots: dict[str, Shot]) -> None:
    truths = [truth for shot in shots.values() for truth in shot.truths]

    assert [differences(truth, report_of(truth)) for truth in truths] == [[] for _ in truths]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"deadline": None}, "deadline: expected met, found None"),
        (
            {"deadline": {"state": "met", "at": "2026-11-25T08:00:00.101Z"}},
            "deadline: expected at the latest 2026-11-25T08:00:00.100Z, found 2026-11-25T08:00:00.101Z",
        ),
        ({"verdict": "continuous"}, "verdict: expected 'interrupted', found 'continuous'"),
        ({"findings": [{"kind": "overlap"}]}, "findings: expected [], found ['overlap']"),
        ({"gaps": []}, "gaps: expected 1, found 0 (none)"),
        ({"covered_s": "100.101"}, "covered: expected 100000 ms, found 100.101 s"),
        ({"started_at": None}, "started_at: expected 2026-11-24T07:58:00.000Z, found None"),
        ({"archive": {"state": "archived", "lock_mode": "none"}}, "lock mode: expected 'COMPLIANCE', found 'none'"),
    ],
)
def test_a_difference_is_said_with_both_sides(shots: dict[str, Shot], change: dict[str, Any], said: str) -> None:
    truth = shots["hall-1"].truths[0]

    assert differences(truth, report_of(truth) | change) == [said]


@pytest.mark.parametrize(("off_ms", "differs"), [(59, False), (60, False), (61, True)])
def test_a_gap_is_right_within_its_tolerance(shots: dict[str, Shot], off_ms: int, differs: bool) -> None:
    truth = shots["hall-1"].truths[0]
    report = report_of(truth)

    report["gaps"][0]["seconds"] = f"{(20_000 + off_ms) / 1000:.3f}"

    assert bool(differences(truth, report)) is differs


def test_a_recording_nobody_reports_differs(shots: dict[str, Shot]) -> None:
    assert differences(shots["voice-3"].truths[0], None) == ["not reported at all"]
