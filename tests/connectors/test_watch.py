"""Watching: what has settled is taken once, whatever clocks say, and what cannot be taken yet is looked at again."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from pipeline.connectors.folder import Candidate, Row
from pipeline.connectors.watch import Watch, watch
from pipeline.domain.errors import StoreUnavailable
from tests.connectors.stage import Table, eventually, session


class Hands:
    """A monotonic clock with hands to turn."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _names(found: list[Candidate]) -> list[str]:
    return [candidate.name for candidate in found]


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.mark.parametrize(("waited_s", "is_ready"), [(9.9, False), (10, True), (10.1, True)])
def test_a_file_is_ready_when_it_stayed_the_same_for_the_settling_time(
    tmp_path: Path, hands: Hands, waited_s: float, is_ready: bool
) -> None:
    (tmp_path / "a.ts").write_bytes(b"x")
    seen = Watch(tmp_path, 10, hands)
    seen.ready()
    hands.now_s = waited_s

    assert _names(seen.ready()) == (["a.ts"] if is_ready else [])


@pytest.mark.parametrize("date_s", [0, 2**31, 4_000_000_000])
def test_a_file_s_own_date_plays_no_part(tmp_path: Path, hands: Hands, date_s: int) -> None:
    (tmp_path / "a.ts").write_bytes(b"x")
    os.utime(tmp_path / "a.ts", (date_s, date_s))
    seen = Watch(tmp_path, 10, hands)
    at_once = seen.ready()
    hands.now_s = 10

    assert (at_once, _names(seen.ready())) == ([], ["a.ts"])


def test_a_file_that_grows_settles_anew(tmp_path: Path, hands: Hands) -> None:
    seen = Watch(tmp_path, 10, hands)
    ready = []
    for second in range(0, 30, 5):
        if second <= 15:
            (tmp_path / "a.ts").write_bytes(b"x" * (second + 1))
        hands.now_s = second
        ready.append(_names(seen.ready()))

    assert ready == [[], [], [], [], [], ["a.ts"]]


def test_what_ended_is_not_taken_again_until_it_changes(tmp_path: Path, hands: Hands) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(b"x")
    seen = Watch(tmp_path, 0, hands)
    seen.ready()
    seen.settle([Row(path=path, name="a.ts", outcome="announced")])
    unchanged = seen.ready()
    path.write_bytes(b"xx")

    assert (unchanged, _names(seen.ready())) == ([], ["a.ts"])


def test_a_refusal_that_may_pass_is_looked_at_again_after_settling(tmp_path: Path, hands: Hands) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(b"x")
    seen = Watch(tmp_path, 10, hands)
    seen.ready()
    hands.now_s = 10
    seen.settle([Row(path=path, name="a.ts", outcome="refused", reason="busy", again=True)])
    soon = seen.ready()
    hands.now_s = 20

    assert (soon, _names(seen.ready())) == ([], ["a.ts"])


def test_a_folder_that_is_away_is_not_an_empty_one(tmp_path: Path, hands: Hands) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.ts").write_bytes(b"x")
    seen = Watch(folder, 0, hands)
    before = _names(seen.ready())
    shutil.rmtree(folder)

    away = seen.ready()

    assert before == ["a.ts"]
    assert [candidate.refused for candidate in away] == ["not there (any more)"]


async def test_what_is_written_while_watching_comes_in_and_stopping_finishes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    table = Table(tmp_path / "journals")
    stop = asyncio.Event()

    with table.intake(session(ends="idle", patience_s=None)) as intake:
        watching = asyncio.create_task(watch(intake, folder, 0.05, 0.02, stop))
        for number in range(3):
            (folder / f"{number}.ts").write_bytes(str(number).encode())
            await eventually(lambda count=number + 1: len(table.heard.values) == count)  # type: ignore[misc]
        stop.set()
        await asyncio.wait_for(watching, 10)

    assert [landed.announcement for landed in table.heard.segments] == [1, 2, 3]
    assert {landed.ends for landed in table.heard.segments} == {"idle"}
    assert table.heard.said == []


async def test_stopping_does_not_wait_for_a_store_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.connectors.watch.GRACE_S", 0.2)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.ts").write_bytes(b"x")
    table = Table(tmp_path / "journals")
    stop = asyncio.Event()

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(table.store, "stat", away)
    with table.intake(session(ends="idle", patience_s=None)) as intake:
        watching = asyncio.create_task(watch(intake, tmp_path / "in", 0, 0.02, stop))
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.wait_for(watching, 5)

    assert table.heard.values == []
