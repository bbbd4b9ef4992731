"""``unbroken verify`` on a copied archive, as a person and as a program call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.builders import SOURCE
from tests.steps.archived import SECOND, Archive


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
    assert told.splitlines()[-1] == "36 PASS, 0 FAIL, 4 NOT COVERED"


def test_a_fault_is_told_with_both_sides_and_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Archive().copy(tmp_path)
    path = next((tmp_path / "originals").rglob("*.mp4"))
    path.write_bytes(b"[/] other")

    code = run(monkeypatch, str(tmp_path), "--json")

    report = json.loads(capsys.readouterr().out)
    assert code == 1
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
