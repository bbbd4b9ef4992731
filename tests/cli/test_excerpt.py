"""``unbroken excerpt``: made from a file, checked in words and as JSON, with the exit codes it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.wire.contract import accepts

Told = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["unbroken", "excerpt", *map(str, words)])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNBROKEN_STATE", str(tmp_path / "state"))
    path = tmp_path / "film.ts"
    path.write_bytes(b"film" * 100)
    return path


def test_an_excerpt_is_made_and_checked(film: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    part = film.parent / "part"

    assert run(monkeypatch, "make", film, "--bytes", "0-99", "--into", part, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert run(monkeypatch, "check", part, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert run(monkeypatch, "check", part) == 0
    words = capsys.readouterr().out

    assert accepts("excerpt.v1", made)
    assert accepts("excerpt-report.v1", report)
    assert [one["result"] for one in report["answers"]] == ["pass", "not_covered", "not_covered"]
    assert words.startswith(
        f"PASS        bytes: bytes 0 to 399 of 400 of a file whose chunks have the root {made['chunk_root']}"
    )


def test_other_bytes_fail(film: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    run(monkeypatch, "make", film, "--bytes", "0-99", "--into", film.parent / "part")
    (film.parent / "part" / "excerpt.bin").write_bytes(b"Film" * 100)

    assert run(monkeypatch, "check", film.parent / "part") == 1
    assert "FAIL        bytes: these are not bytes 0 to 399 of 400" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "why"), [("0-400", "expected bytes within 0 to 399"), ("9-1", "found 9 to 1"), ("all", "--bytes like")]
)
def test_bytes_that_are_not_there_are_wrong_usage(
    film: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told, wanted: str, why: str
) -> None:
    assert run(monkeypatch, "make", film, "--bytes", wanted, "--into", film.parent / "part") == 2
    assert why in capsys.readouterr().err


def test_a_folder_without_an_excerpt_is_wrong_usage(film: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    assert run(monkeypatch, "check", film.parent) == 2
    assert "excerpt.json" in capsys.readouterr().err
