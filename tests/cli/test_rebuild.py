"""``unbroken rebuild`` as it is read: what is not as it should be with both sides, and what to do next."""

from __future__ import annotations

from pipeline.agents.restore import Standing
from pipeline.agents.state_log import Record
from pipeline.cli.rebuild import Found, in_words, report
from pipeline.domain.replay import Difference
from tests.wire.contract import validator

EQUAL = Standing(stage="chain", partition=3, source="hall-1", word="equal")
RECORD = Record({}, {}, 1, 0, ())
DIFFERS = Standing(
    stage="chain",
    partition=3,
    source="hall-2",
    word="differs",
    differences=tuple(Difference(f"heads.r-{number}.seq", "9", "") for number in range(7)),
    record=RECORD,
)
GONE = Standing(stage="deadline", partition=0, source="hall-1", word="not covered", why="it begins at offset 40")


def text(*found: Found) -> str:
    return "\n".join(in_words(found))


def test_equal_states_are_only_counted() -> None:
    assert in_words([Found(EQUAL, False)]) == ["chain       1 of 1 states equal"]


def test_a_difference_shows_both_sides_and_what_to_do() -> None:
    told = text(Found(EQUAL, False), Found(DIFFERS, False))

    assert "DIFFERS     chain of hall-2" in told
    assert "heads.r-0.seq: running 9, rebuilt nothing" in told
    assert "and 2 more" in told
    assert "chain       1 of 2 states equal" in told
    assert "stop the workers" in told


def test_what_was_restored_is_told_and_how_to_look_again() -> None:
    told = text(Found(DIFFERS, True))

    assert "1 states restored" in told
    assert "stop the workers" not in told


def test_what_cannot_be_known_is_named_and_asks_for_nothing() -> None:
    told = text(Found(GONE, False))

    assert "NOT COVERED deadline of hall-1: it begins at offset 40" in told
    assert "--write" not in told


def test_empty_topics_are_said_to_be_empty() -> None:
    assert "empty" in text()


def test_json_is_as_its_schema_says() -> None:
    made = [report(Found(one, written)) for one in (EQUAL, DIFFERS, GONE) for written in (False, True)]

    assert [error.message for error in validator("rebuild-report.v1").iter_errors(made)] == []
    assert [one["state"] for one in made[::2]] == ["equal", "differs", "not_covered"]
