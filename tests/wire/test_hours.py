"""A file of hours says what it means or is refused with the place."""

from __future__ import annotations

import pytest

from pipeline.adapters.zones import zone_offsets
from pipeline.domain.errors import Misconfigured
from pipeline.domain.schedule import SpecialDay, WeekdayHours, ZoneOffset
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.wire.hours import read_hours
from tests.builders import T0

GOOD = """
zone = "Asia/Shanghai"
unit = "service-hall"
cameras = ["hall-1", "hall-2"]
silent_after_s = 900
[weekly]
mon = ["08:30-12:00", "13:30-24:00"]
[special]
2026-10-01 = []
2026-10-10 = ["08:30-17:30"]
"""


def test_a_file_of_hours_is_one_schedule_for_its_cameras() -> None:
    found = read_hours(GOOD, T0, zone_offsets)

    assert (found.unit, found.cameras) == ("service-hall", ("hall-1", "hall-2"))
    assert found.schedule.weekly == (
        WeekdayHours(weekday=1, from_minute=510, to_minute=720),
        WeekdayHours(weekday=1, from_minute=810, to_minute=1440),
    )
    assert found.schedule.special == (
        SpecialDay(day="2026-10-01"),
        SpecialDay(day="2026-10-10", from_minute=510, to_minute=1050),
    )
    assert [offset.minutes for offset in found.schedule.offsets] == [480]


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('"Asia/Shanghai"', '"Asia/Nowhere"', "no such time zone"),
        ("mon =", "monday =", "expected one of mon, tue"),
        ("08:30-12:00", "8:30-12:00", "expected hours like"),
        ("08:30-12:00", "12:00-08:30", "expected hours like"),
        ("13:30-24:00", "13:30-24:01", "expected hours like"),
        ("2026-10-01", "2026-02-30", "out of range"),
        ("2026-10-01", '"1.10.2026"', "expected a date"),
        ("silent_after_s = 900", "silent_after_s = 0", "silent after some seconds"),
        ("silent_after_s = 900", "", "silent_after_s"),
        ("hall-1", "hall/1", "source id"),
        ("zone", "colour = 1\nzone", "colour"),
        ("[weekly]", "[weekly", "cannot be used"),
    ],
)
def test_what_is_wrong_is_named(right: str, wrong: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        read_hours(GOOD.replace(right, wrong, 1), T0, zone_offsets)


def test_a_zone_that_turns_its_clocks_has_an_offset_from_each_turn_on() -> None:
    found = zone_offsets("Europe/Berlin", from_rfc3339("2026-01-05T10:20:00.000Z"))

    assert found[:3] == (
        ZoneOffset(since=from_rfc3339("2026-01-05T10:00:00.000Z"), minutes=60),
        ZoneOffset(since=from_rfc3339("2026-03-29T01:00:00.000Z"), minutes=120),
        ZoneOffset(since=from_rfc3339("2026-10-25T01:00:00.000Z"), minutes=60),
    )
    assert len(found) == 21
    assert zone_offsets("Asia/Shanghai", WallMs(T0))[1:] == ()
