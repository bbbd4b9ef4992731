"""``unbroken recordings`` as a person reads it."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from pipeline.cli.recordings import archive_in_words, chosen, deadline_in_words, detail, gaps_in_words, listing

GAP = {
    "start": "2026-11-24T08:00:05.000Z",
    "end": "2026-11-24T08:00:12.000Z",
    "seconds": 7.0,
    "state": "unexplained",
    "reason": None,
}
REPORT: dict[str, Any] = {
    "recording_id": "bwc-017-morning",
    "source_id": "bwc-017",
    "unit": "inspection-2",
    "kind": "body_camera",
    "verdict": "interrupted",
    "started_at": "2026-11-24T08:00:00.000Z",
    "ended_at": "2026-11-24T08:00:30.000Z",
    "covered_s": 23.0,
    "segments": 3,
    "bytes": 123456,
    "runs": [{}, {}],
    "gaps": [GAP],
    "findings": [
        {
            "kind": "duplicate",
            "level": "note",
            "evidence": "bytes",
            "expected": "new bytes",
            "found": "known bytes",
            "segment": "ab" * 32,
        }
    ],
    "chain": {"links": 6, "head": "cd" * 32, "closed": True},
    "archive": {
        "state": "archived",
        "objects": 8,
        "lock_mode": "COMPLIANCE",
        "retain_until_min": "2027-11-24T08:01:00.000Z",
    },
    "deadline": {
        "at": "2026-11-25T08:00:30.000Z",
        "state": "met",
        "cause": None,
        "progress": None,
        "missing_fields": [],
    },
}


def _seen(*parts: object) -> str:
    console = Console(width=200, record=True, file=None, force_terminal=False, highlight=False)
    with console.capture() as shown:
        for part in parts:
            console.print(part)
    return shown.get()


def test_a_listing_says_verdict_gap_lock_and_deadline_in_words() -> None:
    text = _seen(listing([REPORT]))

    for word in ("bwc-017-morning", "interrupted", "1, 7.0 s, 1 unexplained", "locked to 2027-11-24", "met"):
        assert word in text


def test_one_recording_in_full_shows_where_the_gap_is_and_what_was_found() -> None:
    text = _seen(*detail(REPORT))

    for word in (
        "2026-11-24 08:00:05.000",
        "7.000",
        "duplicate",
        "known bytes",
        "cd" * 32,
        "6 links, closed",
        "COMPLIANCE until 2027-11-24",
    ):
        assert word in text


def test_the_verdict_of_an_open_recording_is_only_so_far() -> None:
    report = {**REPORT, "verdict": "continuous", "archive": {**REPORT["archive"], "state": "open"}, "deadline": None}

    text = _seen(listing([report]))

    assert "continuous so far" in text
    assert "not ended yet" in text
    assert "none yet" in text


@pytest.mark.parametrize(
    ("gaps", "words"),
    [
        ([], "none"),
        ([{**GAP, "state": "explained"}], "1, 7.0 s, explained"),
        ([GAP, {**GAP, "state": "explained"}], "2, 14.0 s, 1 unexplained"),
    ],
    ids=["none", "explained", "one-unexplained"],
)
def test_gaps_are_counted_and_the_unexplained_ones_named(gaps: list[dict[str, Any]], words: str) -> None:
    assert gaps_in_words(gaps) == words


@pytest.mark.parametrize(
    ("state", "cause", "words"),
    [
        ("tracked", None, "due 11-25 08:00"),
        ("at_risk", None, "at risk 11-25 08:00"),
        ("missed", "metadata", "missed (metadata)"),
    ],
)
def test_a_listing_dates_only_the_deadlines_that_lie_ahead(state: str, cause: str | None, words: str) -> None:
    report = {**REPORT, "deadline": {**REPORT["deadline"], "state": state, "cause": cause}}

    assert words in _seen(listing([report]))


def test_a_miss_is_told_with_its_cause() -> None:
    missed = {**REPORT["deadline"], "state": "missed", "cause": "metadata"}

    assert deadline_in_words(missed) == "missed (metadata), 2026-11-25 08:00"


def test_a_deadline_that_is_not_met_says_everything_it_waits_for() -> None:
    due = {**REPORT["deadline"], "state": "at_risk", "progress": "received", "missing_fields": ["party_name"]}

    assert (
        deadline_in_words(due)
        == "at risk, 2026-11-25 08:00; not all of its files are here and read; case data missing: party_name"
    )


@pytest.mark.parametrize("state", ["tracked", "at_risk"])
def test_a_narrow_window_cuts_no_deadline_off(state: str) -> None:
    console = Console(width=110, force_terminal=False, highlight=False)
    report = {**REPORT, "recording_id": "hall-1-5473-20261128T072000Z", "verdict": "not_testable"}

    with console.capture() as shown:
        console.print(listing([{**report, "deadline": {**REPORT["deadline"], "state": state}}]))

    assert " 11-25 " in shown.get()
    assert "08:00" in shown.get().replace("2026-11-24 08:00", "")


def test_an_ended_recording_is_on_its_way_until_it_is_locked() -> None:
    assert (
        archive_in_words({"state": "pending", "objects": 0, "lock_mode": None, "retain_until_min": None})
        == "ended, on its way"
    )


@pytest.mark.parametrize(
    ("asked", "is_shown"),
    [
        ((None, None, None), True),
        (("inspection-2", None, None), True),
        (("inspection-3", None, None), False),
        ((None, "duplicate", None), True),
        ((None, "clock_step", None), False),
        ((None, None, "met"), True),
        ((None, None, "missed"), False),
        (("inspection-2", "duplicate", "missed"), False),
    ],
)
def test_only_the_recordings_asked_for_are_listed(
    asked: tuple[str | None, str | None, str | None], is_shown: bool
) -> None:
    assert chosen([REPORT], *asked) == ([REPORT] if is_shown else [])


def test_a_recording_without_a_deadline_yet_is_no_miss() -> None:
    assert chosen([{**REPORT, "deadline": None}], None, None, "missed") == []
