"""``unbroken gaps`` as an operator reads it: which, how sure, explained by whom, and what to type."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from pipeline.cli.gaps import chosen, listing, remedies, waits

GAP: dict[str, Any] = {
    "recording_id": "bwc-017-morning",
    "source_id": "bwc-017",
    "unit": "inspection-2",
    "kind": "body_camera",
    "start": "2026-11-24T08:00:05.000Z",
    "end": "2026-11-24T08:00:12.000Z",
    "seconds": 7.0,
    "error_s": 1.0,
    "evidence": "wall_clock",
    "state": "unexplained",
    "reason": None,
    "explained_by": None,
    "review": "not_needed",
}
OTHER = {
    **GAP,
    "start": "2026-11-24T07:00:00.000Z",
    "source_id": "hall-1",
    "unit": "hall",
    "state": "explained",
    "reason": "R4",
}


def seen(found: list[dict[str, Any]]) -> str:
    page = StringIO()
    console = Console(width=200, file=page, markup=False)
    console.print(listing(found))
    for line in remedies(found):
        console.print(line, soft_wrap=True)
    return page.getvalue()


@pytest.mark.parametrize(
    ("source", "unit", "unexplained", "wanted"),
    [
        (None, None, False, [OTHER, GAP]),
        ("hall-1", None, False, [OTHER]),
        (None, "inspection-2", False, [GAP]),
        (None, None, True, [GAP]),
        ("hall-1", None, True, []),
    ],
)
def test_gaps_are_chosen_by_source_unit_and_state_oldest_first(
    source: str | None, unit: str | None, unexplained: bool, wanted: list[dict[str, Any]]
) -> None:
    assert chosen([GAP, OTHER], source, unit, unexplained=unexplained) == wanted


def test_a_gap_of_a_recording_that_goes_on_waits_too() -> None:
    assert [waits({**GAP, "state": state}) for state in ("open", "unexplained", "explained")] == [True, True, False]


def test_a_row_says_how_long_how_sure_and_who_explained_it() -> None:
    found = seen([OTHER, GAP])

    assert "7.000" in found
    assert "wall clock, ±1.0 s" in found
    assert "explained (R4)" in found


def test_the_first_that_waits_comes_with_the_command_that_explains_it() -> None:
    assert "unbroken explain bwc-017-morning --source bwc-017 --start 2026-11-24T08:00:05.000Z" in seen([OTHER, GAP])
    assert "unbroken explain" not in seen([OTHER])


@pytest.mark.parametrize(
    ("review", "waiting", "told"),
    [
        ("not_needed", False, ""),
        ("accepted", False, ""),
        ("waiting", True, "unbroken review"),
        ("rejected", True, "unbroken explain"),
    ],
)
def test_an_explanation_that_must_be_reviewed_waits_until_it_is_accepted(review: str, waiting: bool, told: str) -> None:
    gap = {**OTHER, "reason": "R9", "explained_by": "said-1", "review": review}

    assert waits(gap) is waiting
    assert told in " ".join(remedies([gap]))
