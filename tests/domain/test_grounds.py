"""Grounds: what places files, and what no file can tell, is said beside every verdict."""

from __future__ import annotations

import pytest

from pipeline.domain.grounds import Untested, UntestedWhy, unopened_in_short
from pipeline.domain.probe import SegmentProbed
from tests.builders import T0, claimed, mp4, photo, probed
from tests.domain.test_check import checked


def test_what_it_rests_on_and_what_was_not_tested_are_said() -> None:
    stamps, wall = checked(probed(0), probed(1)), checked(mp4(0), mp4(1), photo(2))

    assert [(b.evidence, b.origin, b.error_ms, b.files) for b in stamps.bases] == [
        ("media_clock", "file_name", 1000, 2)
    ]
    assert [(b.evidence, b.files) for b in wall.bases] == [("wall_clock", 2)]
    assert stamps.not_tested == (Untested("outside"),)
    assert wall.not_tested == (Untested("photo", ("c",)), Untested("wall_clock", size_ms=2000), Untested("outside"))


@pytest.mark.parametrize(
    ("dates", "why"),
    [((0, 10_000), "dates_alone"), ((0, 500), "dates_wrong")],
)
def test_files_placed_by_their_dates_alone_say_so(dates: tuple[int, int], why: UntestedWhy) -> None:
    items = [
        mp4(number, claimed_start=claimed(T0 + 10_000 + at, 2000, "file_system")) for number, at in enumerate(dates)
    ]

    said = checked(*items).not_tested

    assert Untested(why) in said


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([probed(0)], True),
        ([probed(0), probed(1)], False),
        ([probed(0), probed(1, claimed_start=claimed(T0 + 10_000, 2000, "file_system"))], True),
        ([photo(0)], False),
    ],
    ids=["one name", "two names", "a name and a date", "a photo"],
)
def test_stamps_that_no_second_clock_confirms_are_said_to_be_so(items: list[SegmentProbed], said: bool) -> None:
    assert (Untested("uncorroborated") in checked(*items).not_tested) == said


def test_files_that_were_not_opened_are_cut_short_and_nothing_else_is() -> None:
    items = [Untested("outside"), *(Untested("unread", (name,)) for name in "abc")]

    assert unopened_in_short(items, 2) == (items[1:3], 1, items[:1])
    assert unopened_in_short(items, 3) == (items[1:], 0, items[:1])
