"""What names claim."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.connectors.names import PROFILES, natural, read_claims, recording_of, refusal, text_of
from pipeline.domain.identity import SourceId
from pipeline.domain.time import ClaimedTime, WallMs, from_rfc3339

SHANGHAI = ZoneInfo("Asia/Shanghai")
EIGHT = from_rfc3339("2026-11-24T08:00:00.000Z")
SOURCE = SourceId("cam-1")


def start_of(name: str, mtime_s: float = 0) -> ClaimedTime | None:
    return read_claims(Path(name), int(mtime_s * 1e9), PROFILES["auto"], SHANGHAI).start


@pytest.mark.parametrize(
    "name",
    [
        "20261124T080000Z.ts",
        "2026-11-24T08-00-00Z.mp4",
        "hall-1_2026-11-24T08:00:00Z (2).mp4",
        "20261124-160000.mp4",
        "20261124160000.mp4",
        "2026-11-24_16-00-00.mkv",
        "大厅 2026.11.24 16.00.00.mp4",
        "VID_20261124_160000_HD.mp4",
    ],
)
def test_a_stamp_in_a_name_is_the_claimed_start(name: str) -> None:
    assert start_of(name) == ClaimedTime(at=EIGHT, origin="file_name", error_ms=1000)


def test_a_stamp_with_milliseconds_is_that_exact() -> None:
    assert start_of("20261124T080000.250Z.ts") == ClaimedTime(at=WallMs(EIGHT + 250), origin="file_name", error_ms=1)


@pytest.mark.parametrize(
    "name", ["MOV_0012.mp4", "20261324T080000Z.mp4", "20260230T080000Z.mp4", "120261124080000.mp4", "20261124.mp4"]
)
def test_a_name_without_a_time_that_exists_leaves_the_file_system_s_date(name: str) -> None:
    assert start_of(name, EIGHT / 1000) == ClaimedTime(at=EIGHT, origin="file_system", error_ms=2000)


@pytest.mark.parametrize(("mtime_s", "is_claimed"), [(-1, False), (0, True), (2147483648, True), (1e12, False)])
def test_a_date_that_cannot_be_written_claims_nothing(mtime_s: float, is_claimed: bool) -> None:
    assert is_claimed == (start_of("x.mp4", mtime_s) is not None)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("MOV_0012.mp4", 12),
        ("0012.mp4", 12),
        ("12 (copy).mp4", 12),
        ("20261124T080000Z.mp4", None),
        ("20261124-080000_007.mp4", 7),
        ("clip.mp4", None),
    ],
)
def test_the_last_number_counts_where_the_profile_says_so(name: str, number: int | None) -> None:
    assert number == read_claims(Path(name), 0, PROFILES["numbered"], UTC).sequence
    assert read_claims(Path(name), 0, PROFILES["auto"], UTC).sequence is None


def test_a_folder_is_a_run_where_the_profile_says_so() -> None:
    assert read_claims(Path("run-7/a.ts"), 0, PROFILES["runs"], UTC).run == "run-7"
    assert read_claims(Path("run-7/a.ts"), 0, PROFILES["auto"], UTC).run is None


def test_a_recorder_that_is_slow_to_begin_has_a_wider_error() -> None:
    claims = read_claims(Path("run-7/20261124T080000Z_000001.ts"), 0, PROFILES["runs"], SHANGHAI)

    assert claims.start == ClaimedTime(at=EIGHT, origin="file_name", error_ms=5000)


@pytest.mark.parametrize(
    ("name", "head", "is_taken"),
    [
        ("a.mp4", b"ffconcat version 1.0", True),
        ("A.MP4", b"", True),
        ("a.dat", b"\x00\x00\x00\x18ftypmp42", True),
        ("a", b"\xff\xd8\xff\xe0", True),
        ("a.bin", (b"\x47" + b"\0" * 187) * 3, True),
        ("a.bin", (b"\x47" + b"\0" * 187) * 2 + b"\x48", False),
        ("a.txt", b"hello", False),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", False),
        ("a.thm", b"\xff\xd8\xff\xe0", False),
        ("a.mp4.part", b"\x00\x00\x00\x18ftypmp42", False),
    ],
)
def test_what_is_named_or_begins_as_media_is_taken(name: str, head: bytes, is_taken: bool) -> None:
    assert is_taken == (refusal(Path(name), head) is None)


def test_a_camera_s_recording_is_the_block_it_begins_in() -> None:
    at = ClaimedTime(at=WallMs(EIGHT + 3_599_999), origin="file_name", error_ms=1000)

    assert recording_of(SOURCE, "cctv", Path("a.ts"), at, 3600, WallMs(0)) == "cam-1-20261124T080000Z"


def test_a_camera_s_file_without_any_time_belongs_to_the_block_it_came_in() -> None:
    assert recording_of(SOURCE, "cctv", Path("a.ts"), None, 3600, EIGHT) == "cam-1-20261124T080000Z"


def test_another_device_s_recording_is_its_folder() -> None:
    assert recording_of(SOURCE, "body_camera", Path("/x/100MEDIA/a.mp4"), None, 3600, EIGHT) == "cam-1-100MEDIA"


@pytest.mark.parametrize("folder", ["设备 一", "a b", "-", "x" * 300, "a\nb"])
def test_a_folder_that_is_no_id_gets_one_of_its_own(folder: str) -> None:
    one = recording_of(SOURCE, "body_camera", Path("/x") / folder / "a.mp4", None, 3600, EIGHT)
    other = recording_of(SOURCE, "body_camera", Path("/x") / f"{folder}二" / "a.mp4", None, 3600, EIGHT)

    assert one != other
    assert one.startswith("cam-1-")


def test_the_longest_source_id_still_has_recordings() -> None:
    assert len(recording_of(SourceId("s" * 96), "body_camera", Path("/x/y/a.mp4"), None, 3600, EIGHT)) <= 96


def test_names_sort_by_their_numbers() -> None:
    names = ["b", "a10", "a2", "a02x", "10", "9"]

    assert [str(path) for path in sorted(map(Path, names), key=natural)] == ["9", "10", "a2", "a02x", "a10", "b"]


def test_a_name_that_is_no_text_is_written_escaped() -> None:
    assert text_of(Path("ab\udcff.mp4")) == "ab\\xff.mp4"
