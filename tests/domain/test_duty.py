"""Duty: what a camera owes, which blocks it leaves out, and how long it has been silent."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.duty import (
    CLOCK_PAST_MS,
    MAX_HEARD_BLOCKS,
    MAX_PAUSES,
    Camera,
    SilenceChanged,
    account_blocks,
    end_silence,
    is_silent,
    notice_silence,
    owed,
    recorded,
    silent_ms,
    with_file,
    with_pause,
    with_schedule,
)
from pipeline.domain.errors import StatementDiffers
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.schedule import WeekdayHours
from pipeline.domain.time import WallMs
from tests.builders import SOURCE, T0, always, annotation, claimed, landed, policy

MINUTE = 60_000
HOUR = 60 * MINUTE
POLICY = policy()
PATIENCE = 5 * MINUTE


def camera(*pauses: tuple[int, int], **changes: Any) -> Camera:
    """A camera that has to record day and night from T0 on, with pauses given from T0."""
    made = with_schedule(Camera(), annotation("hours-1", "schedule", schedule=always(**changes), made_at=T0), POLICY)
    for start, end in pauses:
        made = with_pause(made, WallMs(T0 + start), WallMs(T0 + end))
    return made


def file(start: int, end: int, received: int | None = None, **changes: Any) -> SegmentLanded:
    """A file that claims to have been recorded between two offsets from T0, and arrived at its end."""
    return landed(
        ends="next_block",
        received_at=WallMs(T0 + (end if received is None else received)),
        claimed_start=claimed(T0 + start),
        claimed_end=claimed(T0 + end),
        **changes,
    )


def heard(made: Camera, *files: SegmentLanded) -> Camera:
    for one in files:
        made = with_file(made, one, POLICY)
    return made


def blocks(made: Camera, now: int) -> list[int]:
    """The hours, counted from T0, that are missing at *now*."""
    _, missing = account_blocks(made, WallMs(T0 + now), POLICY)
    return [(start - T0) // HOUR for start in missing]


def test_nothing_is_asked_before_there_is_a_schedule() -> None:
    assert owed(Camera(), 0, T0) == []
    assert blocks(Camera(), 99 * HOUR) == []
    assert not is_silent(Camera(), T0)


def test_nothing_is_asked_of_the_time_before_the_schedule_was_stated() -> None:
    assert owed(camera(), T0 - HOUR, T0 + HOUR) == [(T0, T0 + HOUR)]


def test_a_schedule_stated_twice_is_one() -> None:
    said = annotation("hours-1", "schedule", schedule=always(), made_at=T0)

    assert with_schedule(camera(), said, POLICY) == camera()


def test_what_is_owed_is_the_hours_less_the_pauses() -> None:
    made = camera((HOUR, 2 * HOUR), (90 * MINUTE, 3 * HOUR))

    assert owed(made, T0, T0 + 4 * HOUR) == [(T0, T0 + HOUR), (T0 + 3 * HOUR, T0 + 4 * HOUR)]


def test_blocks_nothing_was_heard_of_are_missing_once() -> None:
    made = heard(camera(), file(0, 10 * MINUTE), file(2 * HOUR, 2 * HOUR + MINUTE))

    accounted, missing = account_blocks(made, WallMs(T0 + 4 * HOUR + 11 * MINUTE), POLICY)
    again, nothing = account_blocks(accounted, WallMs(T0 + 4 * HOUR + 12 * MINUTE), POLICY)

    assert [(start - T0) // HOUR for start in missing] == [1, 3]
    assert (again, nothing) == (accounted, ())


@pytest.mark.parametrize(("more_ms", "missing"), [(-1, []), (0, [0]), (1, [0])])
def test_a_block_is_looked_at_when_its_last_file_must_have_come(more_ms: int, missing: list[int]) -> None:
    assert blocks(camera(), HOUR + PATIENCE + POLICY.next_block_grace_s * 1000 + more_ms) == missing


@pytest.mark.parametrize(("more_ms", "missing"), [(-1, []), (0, []), (1, [0])])
def test_a_block_that_one_file_of_the_block_before_may_cover_is_not_expected(more_ms: int, missing: list[int]) -> None:
    made = camera((PATIENCE + more_ms, HOUR), (HOUR, 9 * HOUR))

    assert blocks(made, 3 * HOUR) == missing


@pytest.mark.parametrize(("more_ms", "silent"), [(-1, False), (0, False), (1, True)])
def test_a_camera_is_silent_when_it_owes_more_than_its_schedule_allows(more_ms: int, silent: bool) -> None:
    made = heard(camera(), file(0, HOUR))

    assert is_silent(made, T0 + HOUR + PATIENCE + more_ms) == silent


def test_a_night_off_duty_is_no_silence_and_the_morning_adds_to_the_evening() -> None:
    daily = tuple(WeekdayHours(weekday=day, from_minute=960, to_minute=1020) for day in range(1, 8))
    made = heard(camera(weekly=daily), file(0, 58 * MINUTE))  # T0 is 16:00 in China

    assert not is_silent(made, T0 + 23 * HOUR)
    assert not is_silent(made, T0 + 24 * HOUR + 3 * MINUTE)
    assert is_silent(made, T0 + 24 * HOUR + 3 * MINUTE + 1)


def test_a_silence_opens_grows_and_is_over_when_something_later_arrives() -> None:
    made = heard(camera(), file(0, HOUR))

    made, opened = notice_silence(made, SOURCE, "cctv", WallMs(T0 + 2 * HOUR))
    _, nothing = notice_silence(made, SOURCE, "cctv", WallMs(T0 + 3 * HOUR))
    growing = [silent_ms(made, T0 + hours * HOUR) for hours in (2, 3)]
    back = file(4 * HOUR, 4 * HOUR + MINUTE)
    after, closed = end_silence(made, heard(made, back), back)

    since = WallMs(T0 + HOUR)
    assert [(change.state, change.since, change.size_ms) for change in opened] == [("open", since, HOUR)]
    assert nothing == ()
    assert growing == [HOUR, 2 * HOUR]
    assert closed == (
        SilenceChanged(
            source_id=SOURCE,
            source_kind="cctv",
            unit="service-hall",
            since=since,
            state="closed",
            changed_at=WallMs(T0 + 4 * HOUR + MINUTE),
            size_ms=3 * HOUR,
            until=WallMs(T0 + 4 * HOUR),
        ),
    )
    assert (after.silent_since, silent_ms(after, T0 + 9 * HOUR)) == (None, 0)


def test_an_older_file_ends_no_silence_and_a_delayed_one_leaves_nothing_missing() -> None:
    made, _ = notice_silence(heard(camera(), file(0, HOUR)), SOURCE, "cctv", WallMs(T0 + 2 * HOUR))
    older, delayed = file(0, HOUR, 2 * HOUR), file(HOUR, 2 * HOUR, 2 * HOUR)

    _, nothing = end_silence(made, heard(made, older), older)
    _, closed = end_silence(made, heard(made, delayed), delayed)

    assert (nothing, [change.size_ms for change in closed]) == ((), [0])


def test_a_pause_stated_late_explains_a_silence() -> None:
    made, _ = notice_silence(heard(camera(), file(0, HOUR)), SOURCE, "cctv", WallMs(T0 + 2 * HOUR))

    made = with_pause(made, WallMs(T0 + HOUR), WallMs(T0 + 5 * HOUR))
    made, changes = notice_silence(made, SOURCE, "cctv", WallMs(T0 + 2 * HOUR))

    assert ([(change.state, change.size_ms) for change in changes], made.silent_since) == ([("explained", 0)], None)


def test_what_a_pause_leaves_of_a_silence_begins_later() -> None:
    made, _ = notice_silence(heard(camera(), file(0, HOUR)), SOURCE, "cctv", WallMs(T0 + 3 * HOUR))

    made = with_pause(made, WallMs(T0 + HOUR), WallMs(T0 + 2 * HOUR))
    made, changes = notice_silence(made, SOURCE, "cctv", WallMs(T0 + 3 * HOUR))

    assert [(change.state, change.since - T0, change.size_ms) for change in changes] == [
        ("explained", HOUR, HOUR),
        ("open", 2 * HOUR, HOUR),
    ]
    assert made.silent_since == T0 + 2 * HOUR


def test_a_silence_that_was_over_before_anybody_looked_is_told() -> None:
    made, back = heard(camera(), file(0, HOUR)), file(3 * HOUR, 4 * HOUR)

    _, changes = end_silence(made, heard(made, back), back)

    assert [(change.state, change.since - T0, change.size_ms) for change in changes] == [("closed", HOUR, 2 * HOUR)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-HOUR, 0, (-HOUR, 0)),
        (HOUR, 2 * HOUR, (0, 0)),
        (-CLOCK_PAST_MS - 1, -CLOCK_PAST_MS, (-CLOCK_PAST_MS, -CLOCK_PAST_MS)),
        (-CLOCK_PAST_MS - 2, -CLOCK_PAST_MS - 1, (0, 0)),
    ],
    ids=["right", "in the future", "a month late", "fallen back"],
)
def test_a_wrong_clock_neither_hides_nor_invents_a_silence(start: int, end: int, expected: tuple[int, int]) -> None:
    found = recorded(file(start, end, received=0))

    assert (found[0] - T0, found[1] - T0) == expected


def test_a_file_without_claims_was_recorded_when_it_arrived() -> None:
    assert recorded(landed(claimed_start=None, claimed_end=None, received_at=T0)) == (T0, T0)


def test_of_a_source_without_a_schedule_no_blocks_are_remembered() -> None:
    made = heard(Camera(), file(0, HOUR), file(5 * HOUR, 6 * HOUR))

    assert (made.heard_blocks, made.recorded_until) == ((), T0 + 6 * HOUR)


def test_what_is_remembered_of_a_camera_is_bounded() -> None:
    made = camera(*[(number * HOUR, number * HOUR + 1) for number in range(MAX_PAUSES + 1)])
    for number in range(MAX_HEARD_BLOCKS + 1):
        made = heard(made, file(number * HOUR, number * HOUR + 1))

    assert (len(made.pauses), len(made.heard_blocks)) == (MAX_PAUSES, MAX_HEARD_BLOCKS)


def test_a_silence_is_not_shorter_than_nothing() -> None:
    with pytest.raises(ValueError, match="not shorter than nothing"):
        SilenceChanged(
            source_id=SOURCE, source_kind="cctv", unit="u", since=T0, state="open", changed_at=T0, size_ms=-1
        )


def test_other_hours_under_a_used_id_are_not_taken_and_the_same_change_nothing() -> None:
    made = camera()
    same = annotation("hours-1", "schedule", schedule=always(), made_at=WallMs(T0 + MINUTE))

    assert with_schedule(made, same, POLICY) == made
    with pytest.raises(StatementDiffers):
        with_schedule(made, annotation("hours-1", "schedule", schedule=always(silent_after_s=901)), POLICY)
