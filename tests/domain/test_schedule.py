"""Hours of a camera: what the clock on the wall shows decides, whatever the zone does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.schedule import DAY_MS, Schedule, SpecialDay, WeekdayHours, ZoneOffset, length, on_duty
from pipeline.domain.time import WallMs, from_rfc3339
from tests.builders import always

HOUR = 3600_000
MINUTE = 60_000
MONDAY = from_rfc3339("2026-11-23T00:00:00.000Z")
BERLIN = (
    ZoneOffset(since=WallMs(0), minutes=60),
    ZoneOffset(since=from_rfc3339("2026-03-29T01:00:00.000Z"), minutes=120),
    ZoneOffset(since=from_rfc3339("2026-10-25T01:00:00.000Z"), minutes=60),
)


def office(**changes: object) -> Schedule:
    """Monday to Friday, 8:30 to 12:00 and 13:30 to 17:30, in China."""
    weekly = [
        WeekdayHours(weekday=day, from_minute=first, to_minute=last)
        for day in range(1, 6)
        for first, last in ((510, 720), (810, 1050))
    ]
    return always(**{"weekly": tuple(weekly), **changes})


def spoken(spans: list[tuple[int, int]], minutes: int = 480) -> list[str]:
    """Spans as the clock on the wall shows them."""
    shown = [
        [datetime.fromtimestamp(at / 1000 + minutes * 60, UTC).strftime("%d %H:%M") for at in span] for span in spans
    ]
    return [" - ".join(pair) for pair in shown]


def test_a_day_has_its_hours_by_the_clock_on_the_wall() -> None:
    found = on_duty([office()], MONDAY - 8 * HOUR, MONDAY + 16 * HOUR)

    assert spoken(found) == ["23 08:30 - 23 12:00", "23 13:30 - 23 17:30"]


def test_a_window_cuts_the_hours_to_what_lies_in_it() -> None:
    assert spoken(on_duty([office()], MONDAY + HOUR, MONDAY + 2 * HOUR)) == ["23 09:00 - 23 10:00"]
    assert on_duty([office()], MONDAY + 2 * HOUR, MONDAY + 2 * HOUR) == []
    assert on_duty([office()], MONDAY + 2 * HOUR, MONDAY + HOUR) == []


def test_day_and_night_is_one_span() -> None:
    assert on_duty([always()], MONDAY, MONDAY + 3 * DAY_MS) == [(MONDAY, MONDAY + 3 * DAY_MS)]


def test_a_holiday_is_closed_and_a_working_saturday_open() -> None:
    special = (SpecialDay(day="2026-11-23"), SpecialDay(day="2026-11-28", from_minute=540, to_minute=600))

    found = on_duty([office(special=special)], MONDAY - 8 * HOUR, MONDAY + 6 * DAY_MS)

    assert [line for line in spoken(found) if line[:2] in ("23", "28")] == ["28 09:00 - 28 10:00"]
    assert length(found) == (4 * 7 * 60 + 30 * 4 + 60) * MINUTE


@pytest.mark.parametrize(
    ("day", "minutes_on_duty"),
    [("2026-03-28", 240), ("2026-03-29", 180), ("2026-10-24", 240), ("2026-10-25", 300)],
    ids=["before spring", "spring", "before autumn", "autumn"],
)
def test_an_hour_skipped_is_not_on_duty_and_one_shown_twice_is_twice(day: str, minutes_on_duty: int) -> None:
    night = always(
        weekly=tuple(WeekdayHours(weekday=day, from_minute=60, to_minute=300) for day in range(1, 8)), offsets=BERLIN
    )
    noon = from_rfc3339(f"{day}T12:00:00.000Z")

    assert length(on_duty([night], noon - 13 * HOUR, noon)) == minutes_on_duty * MINUTE


def test_the_schedule_stated_last_counts_while_it_is_valid() -> None:
    start, end = WallMs(MONDAY + 2 * HOUR), WallMs(MONDAY + 4 * HOUR)
    closed = always(weekly=(), valid_from=start, valid_to=end)

    found = on_duty([always(), closed], MONDAY, MONDAY + 6 * HOUR)

    assert found == [(MONDAY, start), (end, MONDAY + 6 * HOUR)]
    assert on_duty([closed, always()], MONDAY, MONDAY + HOUR) == [(MONDAY, MONDAY + HOUR)]


@pytest.mark.parametrize(("before_ms", "open_ms"), [(-1, 1), (0, 0), (1, 0)])
def test_before_it_is_valid_a_schedule_asks_for_nothing(before_ms: int, open_ms: int) -> None:
    later = always(valid_from=MONDAY)

    assert length(on_duty([later], MONDAY - HOUR, MONDAY - before_ms)) == open_ms


def test_without_a_schedule_nothing_is_asked_for() -> None:
    assert on_duty([], MONDAY, MONDAY + DAY_MS) == []


@settings(deadline=None)  # the first example reads the zone from disk
@given(st.integers(0, 360 * 1440), st.integers(1, 60 * 24))
def test_an_instant_is_on_duty_exactly_when_the_wall_shows_an_open_hour(minute: int, width: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000) + minute * MINUTE
    special = (SpecialDay(day="2026-05-01"), SpecialDay(day="2026-10-25", from_minute=120, to_minute=150))
    schedule = office(offsets=BERLIN, special=special)

    found = on_duty([schedule], at - width * MINUTE, at + width * MINUTE)

    shown = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    wall = shown.astimezone(zone)
    day, now = wall.date().isoformat(), wall.hour * 60 + wall.minute
    named = [(entry.from_minute, entry.to_minute) for entry in special if entry.day == day]
    hours = named or [(e.from_minute, e.to_minute) for e in schedule.weekly if e.weekday == wall.isoweekday()]
    assert any(start <= at < end for start, end in found) == any(first <= now < last for first, last in hours)


@pytest.mark.parametrize("weekday", [0, 8])
def test_a_week_has_seven_days(weekday: int) -> None:
    with pytest.raises(ValueError, match="weekdays count from 1"):
        WeekdayHours(weekday=weekday, from_minute=0, to_minute=1)


@pytest.mark.parametrize("minute", [-1, 1441])
def test_a_day_has_1440_minutes(minute: int) -> None:
    with pytest.raises(ValueError, match="a minute of the day is 0 to 1440"):
        WeekdayHours(weekday=1, from_minute=0, to_minute=minute)


@pytest.mark.parametrize("day", ["2026-02-30", "2026-2-3", "1969-12-31", "2026-11-23\n", ""])
def test_a_special_day_is_a_date_that_exists(day: str) -> None:
    with pytest.raises(ValueError, match=r"date|day is out of range"):
        SpecialDay(day=day)


def test_a_schedule_has_a_zone_and_some_patience() -> None:
    with pytest.raises(ValueError, match="at least one offset"):
        always(offsets=())
    with pytest.raises(ValueError, match="silent after some seconds"):
        always(silent_after_s=0)
    with pytest.raises(ValueError, match="minutes from UTC"):
        ZoneOffset(since=WallMs(0), minutes=1081)
