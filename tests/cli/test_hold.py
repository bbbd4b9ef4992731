"""``unbroken hold``: set and released by name, with grounds; what stands is listed, and one person releases nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.policy import load_policy
from pipeline.settings import Settings
from tests.builders import SOURCE
from tests.builders_archive import keeper_of, signer
from tests.steps.archived import FIRST, SECOND, Archive
from tests.wire.contract import accepts

WHO = ("--by", "Li Wei")
ORDER = ("--source", SOURCE, "--hold", "court 7", "--reason", "order 2026-17", *WHO)
END = (*ORDER, "--second", "Wang Fang")


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    made = Archive()
    monkeypatch.setattr("pipeline.adapters.objects_s3.open_store", lambda _settings: made.store)
    monkeypatch.setattr("pipeline.adapters.signing.present_signer", lambda _settings: signer())
    return made


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["unbroken", "hold", *words])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def holds_in_store(archive: Archive, recording: str = FIRST) -> set[bool]:
    prefix = f"recordings/{SOURCE}/{recording}/"
    return {archive.store.stat("records", one.key).legal_hold for one in archive.store.list("records", prefix)}


def listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(monkeypatch, "list", "--json", *words) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert accepts("holds.v1", found)
    return found


def test_a_hold_is_set_listed_and_released(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [run(monkeypatch, "add", FIRST, *ORDER)]
    held = holds_in_store(archive)
    (standing,) = listed(monkeypatch, capsys)
    codes.append(run(monkeypatch, "release", FIRST, *END))
    (ended,) = listed(monkeypatch, capsys, "--all")

    assert (codes, held, holds_in_store(archive)) == ([0, 0], {True}, {False})
    assert (standing["hold"], standing["by"], standing["released"]) == ("court 7", "Li Wei", None)
    assert (ended["released"]["by"], ended["released"]["second"]) == ("Li Wei", "Wang Fang")
    assert listed(monkeypatch, capsys) == []


def test_said_again_nothing_is_added(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [run(monkeypatch, word, FIRST, *more) for word, more in (("add", ORDER), ("release", END)) for _ in (0, 1)]

    assert codes == [0, 0, 0, 0]
    assert len(listed(monkeypatch, capsys, "--all")) == 1
    keeper = keeper_of(archive.store, load_policy(Settings().policy))
    assert len(keeper.register(SOURCE, FIRST)) == 2


def test_one_person_does_not_release_a_hold(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "add", FIRST, *ORDER)

    code = run(monkeypatch, "release", FIRST, *ORDER, "--second", "li wei")

    assert (code, holds_in_store(archive)) == (2, {True})


@pytest.mark.parametrize("word", ["add", "release"])
def test_a_reason_is_not_left_out(archive: Archive, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    words = [text if text != "order 2026-17" else " " for text in (ORDER if word == "add" else END)]
    if word == "release":
        run(monkeypatch, "add", FIRST, *ORDER)

    assert run(monkeypatch, word, FIRST, *words) == 2


def test_a_hold_that_nobody_set_is_not_released(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "add", FIRST, *ORDER)

    assert run(monkeypatch, "release", SECOND, *END) == 1


@pytest.mark.parametrize("word", ["add", "release"])
def test_a_dry_run_changes_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    if word == "release":
        run(monkeypatch, "add", FIRST, *ORDER)
    before = holds_in_store(archive), listed(monkeypatch, capsys, "--all")

    code = run(monkeypatch, word, FIRST, *(ORDER if word == "add" else END), "--dry-run")

    assert "objects in 2 revisions" in capsys.readouterr().out
    assert code == 0
    assert (holds_in_store(archive), listed(monkeypatch, capsys, "--all")) == before


def test_a_recording_that_is_still_open_is_held_once_it_is_archived(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "add", "hall-1-z", *ORDER, "--dry-run")

    assert "takes effect when it is" in capsys.readouterr().out
    assert run(monkeypatch, "add", "hall-1-z", *ORDER) == 0
    assert [one["recording_id"] for one in listed(monkeypatch, capsys)] == ["hall-1-z"]


def test_words_of_strangers_are_shown_as_text(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "add", FIRST, "--source", SOURCE, "--hold", "[red]7", "--reason", "[/] 因案", *WHO)
    capsys.readouterr()

    code = run(monkeypatch, "list")

    told = capsys.readouterr().out
    assert code == 0
    assert "[red]7" in told
    assert "[/] 因案" in told
