from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.time import WallMs
from tests.builders import T0, claimed, landed, object_ref


@pytest.mark.parametrize(("announcement", "counts"), [(0, False), (1, True), (2, True)])
def test_announcements_count_from_one(announcement: int, counts: bool) -> None:
    if counts:
        assert landed(announcement=announcement).announcement == announcement
    else:
        with pytest.raises(ValueError, match="announcements count from 1, found 0"):
            landed(announcement=announcement)


@pytest.mark.parametrize(("size", "possible"), [(-1, False), (0, True), (1, True), (3 << 30, True)])
def test_an_object_may_be_empty_or_huge_but_not_less_than_empty(size: int, possible: bool) -> None:
    if possible:
        assert object_ref(size_bytes=size).size_bytes == size
    else:
        with pytest.raises(ValueError, match="a size is not negative, found -1"):
            object_ref(size_bytes=size)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("source_id", "hall 1", "a source id is"),
        ("recording_id", "a/b", "a recording id is"),
        ("unit", "", "a unit is"),
        ("connector", "a\nb", "a connector is"),
    ],
)
def test_names_that_travel_further_are_checked_where_they_enter(field: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        landed(0, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("bucket", "", "bucket and a key"), ("key", "", "bucket and a key"), ("sha256", "ab", "64 lower-case hex")],
)
def test_an_object_that_could_not_be_found_again_is_refused(field: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        object_ref("segment", 1, **{field: value})


@pytest.mark.parametrize(
    "claim",
    [
        {"claimed_start": claimed(T0), "claimed_end": claimed(T0 - 1)},
        {"claimed_start": claimed(0)},
        {"claimed_start": claimed((1 << 31) * 1000)},
        {"received_at": WallMs(0)},
        {"original_name": "大厅 1号\n(2).ts"},
        {"sequence": -1},
    ],
)
def test_a_claim_may_be_wrong_and_is_kept_as_it_was_said(claim: dict[str, Any]) -> None:
    made = landed(**claim)

    assert {name: getattr(made, name) for name in claim} == claim
