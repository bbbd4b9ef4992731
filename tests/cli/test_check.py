"""``unbroken check``: real files in, one verdict each out, and no file stops another."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.adapters.media_pool import MediaPool
from pipeline.cli import build
from pipeline.connectors.folder import discover
from pipeline.domain import continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import plain
from pipeline.domain.continuity import SourceState
from pipeline.domain.probe import SegmentProbed
from pipeline.policy import load_policy
from pipeline.steps.probe import ProbeStep
from tests.clips import ffmpeg, film, remux, without
from tests.connectors.stage import Table, session
from tests.wire.contract import validator

STARTS = tuple(f"20261124T08000{second}Z" for second in range(6))


@pytest.fixture(scope="module")
def seconds(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six transport-stream files of one second, cut from one film."""
    folder = tmp_path_factory.mktemp("seconds")
    whole = film(folder / "whole.ts", seconds=6)
    ffmpeg("-i", str(whole), "-c", "copy", "-f", "segment", "-segment_time", "1", str(folder / "part%d.ts"))
    return [folder / f"part{number}.ts" for number in range(6)]


@pytest.fixture(scope="module")
def cut_mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds missing inside an MP4."""
    folder = tmp_path_factory.mktemp("cut")
    return without(film(folder / "whole.mp4", seconds=6), folder / "cut.mp4", 2, 4)


def lay(folder: Path, seconds: list[Path], numbers: tuple[int, ...], prefix: str = "hall_") -> Path:
    """Files of a camera under names with their start."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{prefix}{STARTS[number]}.ts").write_bytes(seconds[number].read_bytes())
    return folder


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(build(), ["check", "--jobs", "1", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def checked(*arguments: str | Path) -> tuple[int, Any]:
    code, text = run("--json", *arguments)
    found = json.loads(text)
    assert [f"{fault.json_path}: {fault.message}" for fault in validator("check-report.v1").iter_errors(found)] == []
    return code, found


def test_a_whole_recording_is_continuous(tmp_path: Path, seconds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lay(tmp_path / "hall", seconds, (0, 1, 2)))

    code, found = checked(".")

    (recording,) = found["recordings"]
    assert recording["name"] == "hall"
    assert (code, recording["verdict"], recording["findings"]) == (0, "continuous", [])
    assert recording["rests_on"] == [{"evidence": "media_clock", "origin": "file_name", "error_ms": 1000, "files": 3}]
    assert recording["started_at"] == "2026-11-24T08:00:00.000Z"


def test_a_missing_file_is_a_gap_between_its_neighbours(tmp_path: Path, seconds: list[Path]) -> None:
    code, found = checked(lay(tmp_path, seconds, (0, 1, 4, 5)))

    (recording,) = found["recordings"]
    (gap,) = recording["findings"]
    assert (code, recording["verdict"]) == (1, "interrupted")
    assert (gap["kind"], gap["level"], gap["evidence"]) == ("gap", "interruption", "media_clock")
    assert (gap["after"], gap["file"]) == ("hall_20261124T080001Z.ts", "hall_20261124T080004Z.ts")
    assert abs(gap["seconds"] - 2) <= 0.04


def test_a_person_sees_verdict_bar_finding_basis_and_what_was_not_tested(tmp_path: Path, seconds: list[Path]) -> None:
    code, text = run("--zone", "UTC", lay(tmp_path / "hall", seconds, (0, 1, 4, 5)))

    lines = text.splitlines()
    assert code == 1
    assert "hall: INTERRUPTED, 1 gap, " in lines[0]
    assert (lines[2].count("█"), lines[2].count("░")) in {(66, 34), (67, 33), (65, 35)}
    assert lines[3].strip() == "1"
    for word in (
        "08:00:02.",
        "gap: interruption",
        "between hall_",
        "media clock",
        "not tested",
        "give or take 1.000 s",
    ):
        assert word in text


def lay_copied(folder: Path, files: list[Path]) -> Path:
    """Files under names without a date, all with the date of their copy."""
    folder.mkdir(parents=True)
    for number, path in enumerate(reversed(files)):
        copy = folder / f"clip-{'abcdefghijklmnop'[number]}{path.suffix}"
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (1_764_000_000, 1_764_000_000))
    return folder


@pytest.mark.parametrize(("length", "seconds_a_file"), [(11, 1), (80, 10)])
def test_files_missing_between_copies_with_one_date_are_a_gap_by_the_media_clock(
    tmp_path: Path, length: int, seconds_a_file: int
) -> None:
    whole = film(tmp_path / "whole.ts", seconds=length)
    cuts = ("-f", "segment", "-segment_time", str(seconds_a_file))
    ffmpeg("-i", str(whole), "-c", "copy", *cuts, str(tmp_path / "part%02d.ts"))
    parts = sorted(tmp_path.glob("part*.ts"))

    lost, found = checked(lay_copied(tmp_path / "lost", [*parts[:3], *parts[5:]]))
    whole_code, _ = checked(lay_copied(tmp_path / "all", parts))

    (gap,) = [item for item in found["recordings"][0]["findings"] if item["kind"] == "gap"]
    assert (lost, whole_code) == (1, 0)
    assert (gap["evidence"], gap["seconds"]) == ("media_clock", pytest.approx(2 * seconds_a_file, abs=0.04))


def test_copies_with_one_date_that_restart_are_not_testable(tmp_path: Path) -> None:
    files = [film(tmp_path / f"{number}.mp4", seconds=3 + number) for number in range(3)]

    code, found = checked(lay_copied(tmp_path / "copies", files))

    (recording,) = found["recordings"]
    assert (code, recording["verdict"]) == (4, "not_testable")
    assert any("dates cannot be right" in item["detail"] for item in recording["findings"])


def test_names_and_order_given_decide_nothing(tmp_path: Path, seconds: list[Path]) -> None:
    lay(tmp_path, seconds, (0,), "z_")
    lay(tmp_path, seconds, (1,), "m_")
    lay(tmp_path, seconds, (2,), "a_")

    code, found = checked(*sorted(tmp_path.iterdir()))

    (recording,) = found["recordings"]
    assert (code, recording["name"], recording["verdict"]) == (0, "3 files", "continuous")
    assert [file["name"][0] for file in recording["files"]] == ["z", "m", "a"]


def test_each_judges_files_alone(tmp_path: Path, seconds: list[Path], cut_mp4: Path) -> None:
    lay(tmp_path, seconds, (0, 4))
    (tmp_path / "x_20261124T090000Z.mp4").write_bytes(cut_mp4.read_bytes())

    code, found = checked("--each", tmp_path)

    assert code == 1
    assert [recording["verdict"] for recording in found["recordings"]] == ["continuous", "continuous", "interrupted"]
    (gap,) = found["recordings"][2]["findings"]
    assert (gap["file"], gap["after"]) == ("x_20261124T090000Z.mp4", None)
    assert max(abs(gap["at_s"] - 2), abs(gap["seconds"] - 2)) <= 0.04


def test_every_folder_with_media_in_a_tree_is_a_recording(tmp_path: Path, seconds: list[Path]) -> None:
    lay(tmp_path / "hall-1", seconds, (0, 1))
    lay(tmp_path / "hall-2/day", seconds, (0, 3))
    (tmp_path / "hall-2/notes.txt").write_text("said")

    code, found = checked("-r", tmp_path)
    flat_code, flat = checked(tmp_path)

    verdicts = {Path(item["name"]).name: item["verdict"] for item in found["recordings"]}
    assert (code, verdicts) == (1, {"hall-1": "continuous", "day": "interrupted"})
    assert [item["name"] for item in found["passed_over"]] == ["hall-2/notes.txt"]
    assert (flat_code, [item["verdict"] for item in flat["recordings"]]) == (4, ["not_testable"])


def test_bad_files_are_named_with_what_to_do_and_stop_nothing(tmp_path: Path, seconds: list[Path]) -> None:
    folder = lay(tmp_path / "card", seconds, (0, 1))
    (folder / "empty.mp4").touch()
    (folder / "garbage.mp4").write_bytes(bytes(range(256)) * 20)
    (folder / "link.mp4").symlink_to(folder / "empty.mp4")
    (folder / "notes.txt").write_text("said")
    os.mkfifo(folder / "pipe.ts")

    code, found = checked(folder, tmp_path / "missing.mp4")

    card, missing = found["recordings"]
    reasons = {item["name"]: item["reason"] for item in card["unread"]}
    assert (code, card["verdict"], missing["verdict"]) == (1, "interrupted", "unreadable")
    assert set(reasons) == {"empty.mp4", "link.mp4", "pipe.ts"}
    assert "copy it again" in reasons["empty.mp4"]
    assert [(item["kind"], item["file"]) for item in card["findings"]] == [("unreadable", "garbage.mp4")]
    assert any(line.startswith("garbage.mp4: copy again") for line in card["not_tested"])
    assert missing["unread"][0]["reason"] == "not there (any more)"
    assert [item["name"] for item in found["passed_over"]] == ["notes.txt"]


def test_an_empty_file_beside_a_whole_recording_is_not_silently_fine(tmp_path: Path, seconds: list[Path]) -> None:
    (lay(tmp_path, seconds, (0, 1)) / "empty.mp4").touch()

    code, found = checked(tmp_path)

    assert (code, found["recordings"][0]["verdict"]) == (4, "continuous")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with a file that nobody but root may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret.mp4").write_bytes(b"secret")
        (folder / "secret.mp4").chmod(0)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(before)


def test_what_may_not_be_read_is_named_with_the_remedy(closed: Path) -> None:
    code, found = checked(closed)

    (recording,) = found["recordings"]
    assert (code, recording["verdict"]) == (4, "unreadable")
    assert recording["unread"][0]["reason"] == "permission denied: give this user the right to read it"


def test_a_sound_that_lost_time_is_degraded_or_worse_never_whole(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mkv", seconds=4)
    without(whole, tmp_path / "voice_20261124T080000Z.mkv", 1, 3, "audio")

    code, found = checked(tmp_path / "voice_20261124T080000Z.mkv")

    assert (code, found["recordings"][0]["verdict"]) == (3, "degraded")


def test_a_strangers_file_name_cannot_steer_the_terminal(tmp_path: Path, seconds: list[Path]) -> None:
    name = "\x1b[2J[red]hall\n20261124T080000Z.ts"
    (tmp_path / name).write_bytes(seconds[0].read_bytes())
    (tmp_path / "b\x1b.txt").write_text("said")

    code, text = run(tmp_path, "--each")

    assert code == 0
    assert "\x1b" not in text
    assert "\\x1b[2J[red]hall\\x0a20261124T080000Z.ts: CONTINUOUS" in text


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_that_changes_while_it_is_read_is_not_judged(
    tmp_path: Path, seconds: list[Path], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (film,) = lay(tmp_path, seconds, (0,)).iterdir()
    found_files = list(discover([film]))
    data = film.read_bytes()
    film.write_bytes({"longer": data + data, "shorter": data[:-188], "touched": data}[change])
    os.utime(film, (1, 1))
    monkeypatch.setattr("pipeline.cli.check_groups.discover", lambda _paths: found_files)

    code, found = checked(film)

    (unread,) = found["recordings"][0]["unread"]
    assert (code, unread["reason"].split(":")[0]) == (4, "changed while it was read")


def test_wrong_usage_is_exit_2(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("version = 1")
    commands = [[], ["--jobs", "0", "x"], ["--kind", "drone", "x"], ["--policy", str(tmp_path / "policy.toml"), "x"]]

    codes = [
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "check", *command], capture_output=True, timeout=60, check=False
        ).returncode
        for command in commands
    ]

    assert codes == [2, 2, 2, 2]


def mixed_card(tmp_path: Path, seconds: list[Path], cut_mp4: Path) -> Path:
    """A bit of everything that can be wrong with a recording."""
    folder = lay(tmp_path / "card", seconds, (0, 1, 4))
    (folder / "again.ts").write_bytes(seconds[1].read_bytes())
    (folder / "hall_20261124T080010Z.mp4").write_bytes(cut_mp4.read_bytes())
    (folder / "garbage_20261124T080020Z.mp4").write_bytes(bytes(range(256)) * 20)
    (folder / "voice_20261124T080030Z.m4a").write_bytes(remux(cut_mp4, tmp_path / "v.m4a", "-vn").read_bytes())
    return folder


async def test_import_and_pipeline_find_what_check_finds(tmp_path: Path, seconds: list[Path], cut_mp4: Path) -> None:
    folder = mixed_card(tmp_path, seconds, cut_mp4)
    table, policy, pool = Table(tmp_path / "journals"), load_policy(), MediaPool(1, 60, 1 << 30)
    await table.run(folder, wanted=session(recording="rec-1"))
    probe, state, ended = ProbeStep(table.store, pool, policy, "test"), SourceState(), None
    events: list[SegmentProbed | Annotation] = [await probe.step(landed) for landed in table.heard.segments]
    pool.close()
    for event in [*events, *table.heard.statements]:
        state, judged = continuity.step(state, event, policy)
        ended = next((item.ended for item in judged if item.ended is not None), ended)
    assert ended is not None

    _, found = await asyncio.to_thread(checked, folder, "--zone", "UTC")

    (recording,) = found["recordings"]
    told = [item for item in recording["findings"] if item["kind"] != "gap"]
    gaps = [item for item in recording["findings"] if item["kind"] == "gap"]
    assert recording["verdict"] == ended.verdict == "interrupted"
    assert recording["runs"] == plain(ended.runs)
    assert [(gap["start"], gap["end"], round(gap["seconds"] * 1000), gap["evidence"]) for gap in gaps] == [
        (plain(gap.start), plain(gap.end), gap.size_ms, gap.evidence) for gap in ended.gaps
    ]
    assert [(item["kind"], item["level"], item["detail"], item["start"]) for item in told] == [
        (item.kind, item.level, f"expected {item.expected}, found {item.found}", plain(item.wall_start))
        for item in ended.findings
    ]
    assert (len(gaps), {item["kind"] for item in told} >= {"duplicate", "unreadable"}) == (len(ended.gaps), True)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_reader_that_leaves_early_changes_neither_page_nor_exit_code(
    tmp_path: Path, seconds: list[Path], form: tuple[str, ...]
) -> None:
    folder, page = lay(tmp_path / "hall", seconds, (0, 1, 2, 5)), tmp_path / "page.html"
    command = [sys.executable, "-m", "pipeline.cli", "check", *form, "--report", str(page), str(folder)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as check:
        assert check.stdout is not None
        check.stdout.close()
        assert check.stderr is not None
        said = check.stderr.read().decode()

    assert check.returncode == 1
    assert "Traceback" not in said
    assert page.read_text("utf-8").rstrip().endswith("</html>")


def test_a_card_full_of_empty_files_fits_a_screen_and_json_lists_them_all(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.mp4").touch()

    code, text = run(tmp_path)
    _, found = checked(tmp_path)

    assert (code, "180 more, which the JSON output lists" in text, text.count(".mp4")) == (4, True, 20)
    assert len(found["recordings"][0]["unread"]) == 200
