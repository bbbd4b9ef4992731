"""``unbroken verify`` on a copied archive, as a person and as a program call it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import monotonic

import pytest

from pipeline.cli import main
from pipeline.cli.verify import narrowed
from pipeline.cli.verify_screen import in_words, watched
from pipeline.domain.errors import Misconfigured
from pipeline.domain.selection import Selection
from pipeline.domain.verify import Item
from tests.builders import SOURCE
from tests.steps.archived import SECOND, Archive
from tests.wire.contract import accepts


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc")
    Archive().copy(folder)
    return folder


@pytest.fixture(autouse=True)
def _no_key_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path))


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of ``unbroken verify`` with *words*."""
    monkeypatch.setattr("sys.argv", ["unbroken", "verify", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_a_copy_in_order_passes(
    disc: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, str(disc), "--key", str(disc / "receipt-key.pub.pem"))

    told = capsys.readouterr().out
    assert code == 0
    assert told.splitlines()[-1] == "37 PASS, 0 FAIL, 4 NOT COVERED"


def test_a_fault_is_told_with_both_sides_and_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Archive().copy(tmp_path)
    path = next((tmp_path / "originals").rglob("*.mp4"))
    path.write_bytes(b"[/] other")

    code = run(monkeypatch, str(tmp_path), "--json")

    report = json.loads(capsys.readouterr().out)
    assert code == 1
    assert accepts("verify-report.v1", report)
    assert report["results"]["fail"] == 2  # the recording's two revisions hold it
    fault = next(item for item in report["items"] if item["result"] == "fail")
    assert path.stem in fault["place"]
    assert path.stem in fault["expected"]
    assert "9 bytes of sha256" in fault["found"]


def test_one_recording_is_looked_at_when_one_is_named(
    disc: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, str(disc), "--recording", SECOND, "--source", SOURCE)

    told = capsys.readouterr().out
    assert code == 0
    assert SECOND in told
    assert "hall-1-a" not in told


def test_nothing_of_that_name_is_not_in_order(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, str(disc), "--recording", "no-such") == 1


@pytest.mark.parametrize("missing", ["folder", "buckets", "key"])
def test_what_cannot_be_looked_at_is_wrong_usage(
    disc: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"folder": tmp_path / "absent", "buckets": tmp_path, "key": disc}[missing]

    assert run(monkeypatch, str(where), *(["--key", str(tmp_path / "absent.pem")] if missing == "key" else [])) == 2


def test_a_store_that_does_not_answer_is_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 (discard) is closed on any machine that runs our tests.
    for name, value in {"URL": "http://127.0.0.1:9", "ACCESS_KEY": "a", "SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"UNBROKEN_STORE_{name}", value)

    assert run(monkeypatch) == 3


def test_what_narrows_a_run_is_in_the_report(
    disc: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--subset", "1/1", "--since", "2026-11-24T00:00:00+08:00", "--deep", "--mb-per-s", "100", "--json")

    code = run(monkeypatch, str(disc), *words)

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert accepts("verify-report.v1", report)
    selection = {"source": None, "recording": None, "since": "2026-11-23T16:00:00.000Z", "subset": "1/1"}
    assert (report["selection"], report["deep"]) == (selection, True)
    assert report["items"][-1]["result"] == "not_covered"


def test_a_run_takes_as_long_as_its_rate_says(disc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size_bytes = sum(path.stat().st_size for path in disc.rglob("*") if path.is_file() and path.parent != disc)
    began_s = monotonic()

    run(monkeypatch, str(disc), "--mb-per-s", "0.2")

    assert monotonic() - began_s >= size_bytes / 200_000 > 0.1


def test_a_run_that_is_through_leaves_nothing_to_go_on_with(
    disc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "unfinished.jsonl"

    code = run(monkeypatch, str(disc), "--resume", str(file))

    assert code == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--subset", "0/28"), 2),
        (("--subset", "29/28"), 2),
        (("--since", "2026-11-24T00:00:00"), 2),
        (("--mb-per-s", "0"), 2),
        (("--resume", "."), 2),
    ],
)
def test_words_that_mean_nothing_are_wrong_usage(
    disc: Path, words: tuple[str, str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, str(disc), *words) == code


@pytest.mark.parametrize(
    ("where", "named", "source", "recording"),
    [
        ("s3", "s3", None, None),
        ("s3://", "s3", None, None),
        ("s3://records", "s3://records", None, None),
        ("s3://records/recordings/", "s3://records", None, None),
        ("s3://records/recordings/hall-1", "s3://records", "hall-1", None),
        ("s3://records/recordings/hall-1/rec-a/", "s3://records", "hall-1", "rec-a"),
        ("recordings/hall-1", "recordings/hall-1", None, None),
    ],
)
def test_names_behind_the_bucket_narrow_the_run(
    where: str, named: str, source: str | None, recording: str | None
) -> None:
    assert narrowed(where, Selection()) == (named, Selection(source=source, recording=recording))


@pytest.mark.parametrize(
    "where",
    [
        "s3://records/other",
        "s3://records/recordings/hall-1/rec-a/r1",
        "s3://records/recordings/hall 1",
        "s3://records/recordings/hall-2",
    ],
)
def test_names_that_cannot_be_looked_up_are_refused(where: str) -> None:
    with pytest.raises(Misconfigured):
        narrowed(where, Selection(source="hall-1"))


def test_a_stranger_s_text_cannot_steer_the_terminal() -> None:
    item = Item(about="a r1", check="chain", result="fail", place="x", expected="\x1b[2J", found="[red]\n")

    shown = in_words(item).plain

    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown
    assert "[red]\\x0a" in shown


def test_a_screen_shows_in_colour_the_words_that_a_file_gets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = Item(about="hall-1-a r1", check="chain", result="fail", place="link [1]", expected="x" * 200, found="b")
    shown = []

    for colour in ("1", ""):
        monkeypatch.setenv("FORCE_COLOR", colour)
        with watched() as watch:
            watch.show(item)
        shown.append(capsys.readouterr().out)

    screen, file = shown
    assert "\x1b[31mFAIL" in screen
    assert file.startswith("FAIL         hall-1-a r1  chain: link [1]\n")
    assert file in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
