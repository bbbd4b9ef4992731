"""``unbroken check`` and what lies beside the files: lists of them, and what describes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import build
from tests.clips import X264, film
from tests.wire.contract import validator

COPIED = 1_764_000_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a recorder left: four files of a second each, and its list with the time of each."""
    folder = tmp_path_factory.mktemp("recorded")
    hls = ("-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_flags", "program_date_time")
    return film(folder / "day.m3u8", "-an", *X264, *hls, seconds=4).parent


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it that lost the files' dates."""
    for path in recorded.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
        os.utime(tmp_path / path.name, (COPIED, COPIED))
    return tmp_path


def checked(*arguments: str | Path) -> tuple[int, Any]:
    done = CliRunner().invoke(build(), ["check", "--jobs", "1", "--json", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    found = json.loads(done.stdout)
    assert [f"{fault.json_path}: {fault.message}" for fault in validator("check-report.v1").iter_errors(found)] == []
    return done.exit_code, found


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.mark.parametrize("named", ["day.m3u8", "."], ids=["the list given", "the folder given"])
def test_a_whole_recording_with_its_list_is_continuous_and_has_its_times(folder: Path, named: str) -> None:
    code, found = checked(folder / named)

    (recording,) = found["recordings"]
    assert (code, recording["verdict"], recording["findings"]) == (0, "continuous", [])
    assert [file["name"] for file in recording["files"]] == [f"day{number}.ts" for number in range(4)]
    assert {basis["origin"] for basis in recording["rests_on"]} == {"playlist"}
    assert found["passed_over"] == []


def test_a_listed_file_that_is_gone_is_said_with_its_name(folder: Path) -> None:
    (folder / "day2.ts").unlink()
    (folder / "day3.ts").unlink()

    code, found = checked(folder / "day.m3u8")

    (gap,) = found["recordings"][0]["findings"]
    assert (code, gap["kind"], gap["seconds"], gap["evidence"]) == (1, "gap", 2.0, "sequence")
    assert (gap["after"], gap["file"]) == ("day1.ts", None)
    assert "day2.ts, day3.ts, as day.m3u8 names" in gap["detail"]


def test_nothing_outside_of_the_lists_folder_is_opened(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.ts"
    secret.write_bytes((folder / "day2.ts").read_bytes())
    (folder / "day2.ts").unlink()
    (folder / "day2.ts").symlink_to(secret)
    rewrite(folder / "day.m3u8", ("day0.ts", str(secret)), ("day1.ts", "http://127.0.0.1:9/a.ts"))

    code, found = checked(folder / "day.m3u8")

    (recording,) = found["recordings"]
    assert [file["name"] for file in recording["files"]] == ["day3.ts"]
    assert {item["name"] for item in recording["unread"]} == {str(secret), "http://127.0.0.1:9/a.ts"}
    assert code == 1


def test_a_master_playlist_says_which_lists_to_check(folder: Path) -> None:
    (folder / "all.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nday.m3u8\n")

    code, found = checked(folder / "all.m3u8")
    beside_code, beside = checked(folder)

    assert (code, found["recordings"][0]["verdict"]) == (4, "unreadable")
    assert "check one of day.m3u8" in found["recordings"][0]["unread"][0]["reason"]
    assert (beside_code, [item["name"] for item in beside["passed_over"]]) == (0, ["all.m3u8"])


@pytest.mark.parametrize("text", ["", "day0.ts\n", "#EXTM3U\n", "#EXTM3U\n#EXTINF:1,\ngone.ts\n"])
def test_a_list_that_gives_nothing_to_check_is_never_continuous(tmp_path: Path, text: str) -> None:
    (tmp_path / "day.m3u8").write_text(text)

    code, found = checked(tmp_path / "day.m3u8")

    assert (code, found["recordings"][0]["verdict"]) == (4, "unreadable")


def test_an_encrypted_file_is_not_testable_and_says_what_to_do(folder: Path) -> None:
    for number in range(4):
        (folder / f"day{number}.ts").write_bytes(bytes((byte * 7 + number) % 251 for byte in range(5000)))
    rewrite(folder / "day.m3u8", ("#EXT-X-MEDIA-SEQUENCE:0", '#EXT-X-KEY:METHOD=AES-128,URI="https://keys/1"'))

    code, found = checked(folder / "day.m3u8")

    (recording,) = found["recordings"]
    assert (code, recording["verdict"]) == (4, "not_testable")
    assert all("decrypt it with the key" in item["detail"] for item in recording["findings"])


def test_files_of_a_list_can_be_judged_one_by_one(folder: Path) -> None:
    (folder / "day2.ts").unlink()

    code, found = checked("--each", folder / "day.m3u8")

    assert (code, [item["verdict"] for item in found["recordings"]]) == (0, ["continuous"] * 3)


@pytest.mark.parametrize(("ms", "code"), [(900, 1), (1100, 0)])
def test_a_tolerance_of_ones_own_is_used_and_shown(folder: Path, ms: int, code: int) -> None:
    (folder / "day2.ts").unlink()
    (folder / "day.m3u8").unlink()

    found_code, found = checked("--tolerance", str(ms), folder)

    assert found_code == code
    assert found["policy_version"].endswith(f", but with a tolerance of {ms} ms")


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a recorder of fragments left: an init segment, four fragments of a second, and a list without times."""
    folder = tmp_path_factory.mktemp("fragmented")
    hls = ("-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4")
    return film(folder / "day.m3u8", "-an", *X264, *hls, seconds=4).parent


def copied(source: Path, target: Path, *names: str) -> Path:
    target.mkdir()
    for name in names:
        (target / name).write_bytes((source / name).read_bytes())
        os.utime(target / name, (COPIED, COPIED))
    return target


FRAGMENTS = tuple(f"day{number}.m4s" for number in range(4))


@pytest.mark.parametrize("beside", [("init.mp4", "day.m3u8"), ("init.mp4",)], ids=["by its list", "the only one"])
def test_fragments_are_judged_with_the_init_segment_beside_them(
    fragmented: Path, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    whole = copied(fragmented, tmp_path / "whole", *FRAGMENTS, *beside)
    holed = copied(fragmented, tmp_path / "holed", "day0.m4s", "day3.m4s", *beside)

    code, found = checked(whole)
    holed_code, holed_found = checked(holed)

    (gap,) = [item for item in holed_found["recordings"][0]["findings"] if item["kind"] == "gap"]
    assert (code, found["recordings"][0]["verdict"]) == (0, "continuous")
    assert [(item["name"], "init segment" in item["reason"]) for item in found["passed_over"]] == [("init.mp4", True)]
    assert {basis["evidence"] for basis in found["recordings"][0]["rests_on"]} == {"media_clock"}
    assert (holed_code, gap["evidence"], gap["seconds"]) == (1, "media_clock", 2.0)


def test_fragments_whose_init_segment_is_not_known_are_not_testable(fragmented: Path, tmp_path: Path) -> None:
    lone = copied(fragmented, tmp_path / "lone", "day0.m4s")
    several = copied(fragmented, tmp_path / "several", "day0.m4s", "init.mp4")
    (several / "init2.mp4").write_bytes((fragmented / "init.mp4").read_bytes())

    results = [checked(folder) for folder in (lone, several)]

    assert [(code, found["recordings"][0]["verdict"]) for code, found in results] == [(4, "not_testable")] * 2
    for (_, found), reason in zip(results, ("needs its init segment", "several init segments"), strict=True):
        assert reason in found["recordings"][0]["findings"][0]["detail"]
