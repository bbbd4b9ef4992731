"""Which of an archive's owners a run takes; parts cover everything exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.selection import Part, Selection, part
from pipeline.domain.time import WallMs
from tests.builders import T0


@given(st.text(), st.integers(1, 40))
def test_every_owner_belongs_to_exactly_one_part(name: str, of: int) -> None:
    assert sum(Part(number, of).holds(name) for number in range(1, of + 1)) == 1


def test_a_part_is_decided_by_the_name_s_digest_alone() -> None:
    # SHA-256 of "hall-1-a" begins 95eb40f929c2efb5; the number of the part is that modulo 28, from 1.
    assert [number for number in range(1, 29) if Part(number, 28).holds("hall-1-a")] == [22]


@pytest.mark.parametrize("text", ["1/1", "1/28", "28/28"])
def test_a_part_is_written_as_number_and_count(text: str) -> None:
    assert "/".join(map(str, part(text))) == text


@pytest.mark.parametrize("text", ["0/28", "29/28", "3", "3/", "/28", "-1/2", "1/0", "1/2/3", "١/٢", "a/b", ""])
def test_what_is_no_part_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a part like 3/28"):
        part(text)


def test_everything_is_taken_unless_something_narrows_it() -> None:
    everything = Selection()

    assert everything.takes("a")
    assert everything.takes_history("hall-1", looked_at=0)
    assert everything.takes_bucket("originals")
    assert everything.in_words() == ""


@pytest.mark.parametrize(
    ("archived_at", "recent"),
    [((T0,), True), ((WallMs(T0 + 1),), True), ((WallMs(T0 - 1),), False), ((WallMs(0), T0), True), ((None,), True)],
    ids=["exactly", "later", "earlier", "a later revision", "no receipt"],
)
def test_a_date_takes_what_was_archived_then_or_later(archived_at: tuple[WallMs | None, ...], recent: bool) -> None:
    assert Selection(since=T0).is_recent(archived_at) is recent


@pytest.mark.parametrize(
    ("selection", "history", "bucket"),
    [
        (Selection(source="hall-1"), True, False),
        (Selection(recording="a"), False, False),
        (Selection(since=T0), True, False),
        (Selection(part=Part(1, 1)), True, True),
    ],
    ids=["source", "recording", "since", "part"],
)
def test_what_needs_all_recordings_is_not_taken_by_some(selection: Selection, history: bool, bucket: bool) -> None:
    assert (selection.takes_history("hall-1", looked_at=1), selection.takes_bucket("originals")) == (history, bucket)


def test_a_source_without_anything_new_is_not_compared_again() -> None:
    assert not Selection(since=T0).takes_history("hall-1", looked_at=0)


def test_what_narrows_a_run_is_said_in_words() -> None:
    narrow = Selection(source="hall-1", recording="a", since=T0, part=Part(3, 28))

    assert narrow.in_words() == (
        "only source hall-1, only recording a, only what was archived since 2026-11-24T08:00:00.000Z, only part 3 of 28"
    )
