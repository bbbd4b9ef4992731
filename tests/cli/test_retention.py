"""``unbroken retention sweep``: shortfalls with both sides, the exit code, and mending only when asked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.cli import main
from pipeline.domain.time import WallMs
from tests.builders import SOURCE, T0
from tests.steps.archived import FIRST, Archive
from tests.wire.contract import accepts

KEY = f"recordings/{SOURCE}/{FIRST}/r1/playlist.m3u8"


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    made = Archive()
    monkeypatch.setattr("pipeline.adapters.objects_s3.open_store", lambda _settings: made.store)
    return made


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["unbroken", "retention", "sweep", *words])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def shortened(archive: Archive) -> None:
    versions = archive.store._buckets["records"].versions[KEY]
    versions[-1] = replace(versions[-1], stat=replace(versions[-1].stat, retain_until=WallMs(T0)))


def test_an_archive_in_order_is_exit_0(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch)

    assert code == 0
    assert "3 recordings" in capsys.readouterr().out


def test_a_shortfall_is_told_with_both_sides_and_nothing_is_changed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shortened(archive)

    codes = run(monkeypatch, "--objects-per-s", "10000"), run(monkeypatch)

    told = capsys.readouterr().out
    assert codes == (1, 1)
    assert KEY in told
    assert "expected COMPLIANCE until 2027" in told
    assert "found COMPLIANCE until 2026-11-24" in told
    assert "--repair" in told


def test_what_was_mended_is_exit_0_and_told(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shortened(archive)

    code = run(monkeypatch, "--repair", "--json")

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert accepts("retention-sweep.v1", report)
    assert (len(report["found"]), report["mended"], report["left"]) == (1, 1, 0)
    assert (archive.store.stat("records", KEY).retain_until or 0) > T0


def test_what_cannot_be_mended_stays_exit_1(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del archive.store._buckets["records"].versions[KEY]

    code = run(monkeypatch, "--repair")

    assert code == 1
    assert "not to be mended from here: 1 missing" in capsys.readouterr().out


def test_a_store_that_does_not_answer_is_exit_3(monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 (discard) is closed on any machine that runs our tests.
    for name, value in {"URL": "http://127.0.0.1:9", "ACCESS_KEY": "a", "SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"UNBROKEN_STORE_{name}", value)

    assert run(monkeypatch) == 3
