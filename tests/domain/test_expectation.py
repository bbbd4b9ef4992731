"""Expectations: what must exist has a deadline before anything of it arrives, and is one miss at most."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.annotation import Annotation, Issue, Outage, Return
from pipeline.domain.deadline import Heard, step
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.duty import SilenceChanged
from pipeline.domain.expectation import handout_id
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.outlook import due, store_news, summary
from pipeline.domain.time import WallMs
from tests.builders import SOURCE, T0, always, annotation, claimed, landed, metadata, policy, session_ended, window
from tests.builders_archive import archived

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
POLICY = policy()
HANDOUT = handout_id(T0)
DUE_BACK = 9 * HOUR


def issued(at: int = 0, **changes: Any) -> Annotation:
    """A body camera is handed out at an offset from T0, for nine hours."""
    body = Issue(at=WallMs(T0 + at), officer="0471", due_back=WallMs(T0 + at + DUE_BACK), source_kind="body_camera")
    return annotation(f"issued-{at}", "issued", **{"issue": body, "made_at": WallMs(T0 + at), **changes})


def returned(at: int, recorded: bool = True) -> Annotation:
    body = Return(at=WallMs(T0 + at), officer="0471", recorded=recorded)
    return annotation(f"returned-{at}", "returned", returned=body, made_at=WallMs(T0 + at))


def shift(name: str, ended: int, received: int, announcement: int = 1) -> SegmentLanded:
    return landed(
        announcement=announcement,
        source_kind="body_camera",
        recording_id=name,
        received_at=WallMs(T0 + received),
        claimed_start=claimed(T0 + ended - HOUR),
        claimed_end=claimed(T0 + ended),
    )


class Story:
    """What happened, with the timer looking whenever it is told to."""

    def __init__(self, *events: Heard) -> None:
        self.state = SourceDeadlines(source_id=SOURCE)
        self.changes: list[DeadlineChanged | SilenceChanged] = []
        self.hear(*events)

    def hear(self, *events: Heard) -> None:
        for event in events:
            self.state, changes = step(self.state, event, POLICY)
            self.changes += changes

    def look(self, at: int) -> None:
        self.hear(*due({SOURCE: self.state}, WallMs(T0 + at), POLICY))

    def told(self) -> list[tuple[str, str]]:
        return [(c.recording_id, c.state) for c in self.changes if isinstance(c, DeadlineChanged)]

    def misses(self) -> list[tuple[str, str | None]]:
        found = [c for c in self.changes if isinstance(c, DeadlineChanged) and c.state == "missed"]
        return [(c.recording_id, c.cause) for c in found]


def test_a_device_handed_out_has_a_deadline_without_a_file() -> None:
    story = Story(issued())

    (change,) = story.changes
    (unit,) = summary({SOURCE: story.state}, WallMs(T0 + HOUR), POLICY)

    assert isinstance(change, DeadlineChanged)
    assert (change.recording_id, change.state, change.progress) == (HANDOUT, "expected", "expected")
    assert change.at == T0 + DUE_BACK + DAY
    assert (unit.expected, unit.next_at) == (1, change.at)


def test_a_device_that_never_comes_back_is_missed_once() -> None:
    story = Story(issued())

    for hours in range(0, 90, 3):
        story.look(hours * HOUR)

    assert story.told() == [(HANDOUT, "expected"), (HANDOUT, "at_risk"), (HANDOUT, "missed")]
    assert story.misses() == [(HANDOUT, "not_docked")]


def test_a_device_that_is_back_without_its_recording_is_a_matter_of_the_dock() -> None:
    story = Story(issued(), returned(8 * HOUR))

    story.look(8 * HOUR + DAY + 2 * MINUTE)

    assert story.misses() == [(HANDOUT, "transfer")]


def test_an_officer_who_recorded_nothing_owes_nothing() -> None:
    story = Story(issued(), returned(8 * HOUR, recorded=False))

    story.look(9 * DAY)

    assert story.told() == [(HANDOUT, "expected"), (HANDOUT, "withdrawn")]


def test_the_recording_that_arrives_has_its_own_deadline() -> None:
    story = Story(issued(), shift("shift-1", 7 * HOUR, 8 * HOUR), shift("shift-2", 8 * HOUR, 8 * HOUR, 2))

    assert story.told() == [
        (HANDOUT, "expected"),
        (HANDOUT, "withdrawn"),
        ("shift-1", "tracked"),
        ("shift-2", "tracked"),
    ]
    assert isinstance(story.changes[2], DeadlineChanged)
    assert story.changes[2].stands_for == HANDOUT


def test_what_arrives_after_its_expectation_was_missed_is_that_miss() -> None:
    story = Story(issued())
    story.look(3 * DAY)

    story.hear(
        shift("shift-1", 8 * HOUR, 80 * HOUR),
        session_ended(recording_id="shift-1", made_at=WallMs(T0 + 80 * HOUR)),
        metadata(recording_id="shift-1", made_at=WallMs(T0 + 80 * HOUR)),
        archived(recording_id="shift-1", archived_at=WallMs(T0 + 81 * HOUR), source_kind="body_camera"),
    )
    story.look(9 * DAY)

    assert story.misses() == [(HANDOUT, "not_docked")]
    assert story.told()[-1] == ("shift-1", "late")
    assert isinstance(story.changes[-1], DeadlineChanged)
    assert story.changes[-1].stands_for == HANDOUT


def test_a_device_handed_out_again_answers_for_the_shift_its_recording_is_from() -> None:
    story = Story(issued(), issued(DAY), shift("shift-2", DAY + 8 * HOUR, DAY + 9 * HOUR))

    story.look(2 * DAY - HOUR)

    assert (handout_id(WallMs(T0 + DAY)), "withdrawn") in story.told()
    assert story.misses() == [(HANDOUT, "not_docked")]


def test_a_handout_written_down_after_its_recording_came_expects_nothing() -> None:
    story = Story(shift("shift-1", 7 * HOUR, 8 * HOUR), issued(made_at=WallMs(T0 + 10 * HOUR)))

    assert story.told() == [("shift-1", "tracked")]


def test_a_handout_said_twice_is_one() -> None:
    story = Story(issued(), shift("shift-1", 7 * HOUR, 8 * HOUR), issued())

    assert [state for name, state in story.told() if name == HANDOUT] == ["expected", "withdrawn"]


# -- cameras -------------------------------------------------------------------------------------------------------------

HOURS = annotation("hours-1", "schedule", schedule=always(), made_at=T0)
FIRST_BLOCK = "hall-1-20261124T080000Z"


def test_an_hour_of_which_nothing_arrives_is_expected_then_missed() -> None:
    story = Story(HOURS, window(2 * HOUR, 99 * HOUR))

    for hours in range(30):
        story.look(hours * HOUR)

    assert story.told() == [
        (FIRST_BLOCK, "expected"),
        ("hall-1-20261124T090000Z", "expected"),
        (FIRST_BLOCK, "at_risk"),
        ("hall-1-20261124T090000Z", "at_risk"),
        (FIRST_BLOCK, "missed"),
        ("hall-1-20261124T090000Z", "missed"),
    ]


def test_files_that_come_late_are_the_expected_recording() -> None:
    story = Story(HOURS, window(HOUR, 99 * HOUR))
    story.look(2 * HOUR)

    story.hear(
        landed(ends="next_block", received_at=WallMs(T0 + 3 * HOUR)), archived(archived_at=WallMs(T0 + 4 * HOUR))
    )

    assert story.told() == [(FIRST_BLOCK, "expected"), (FIRST_BLOCK, "tracked"), (FIRST_BLOCK, "met")]


def test_a_pause_stated_in_time_withdraws_what_was_expected_and_one_stated_after_the_miss_does_not() -> None:
    story = Story(HOURS, window(2 * HOUR, 99 * HOUR, "later"))
    story.look(3 * HOUR)
    story.hear(window(HOUR, 2 * HOUR, "in time"))
    story.look(2 * DAY)

    story.hear(window(0, HOUR, "too late"))

    last = dict(story.told())
    assert last == {FIRST_BLOCK: "missed", "hall-1-20261124T090000Z": "withdrawn"}


def test_a_withdrawn_hour_that_arrives_after_all_is_a_recording() -> None:
    story = Story(HOURS, window(HOUR, 99 * HOUR, "later"))
    story.look(2 * HOUR)
    story.hear(window(0, HOUR, "in time"), landed(ends="next_block", received_at=WallMs(T0 + 3 * HOUR)))

    assert story.told()[-1] == (FIRST_BLOCK, "tracked")


def test_a_worker_that_was_down_for_days_accounts_for_every_hour_once() -> None:
    story = Story(HOURS, window(20 * HOUR, 999 * HOUR))
    story.hear(landed(ends="next_block"), archived(archived_at=WallMs(T0 + HOUR)))

    story.look(3 * DAY)
    story.look(3 * DAY)

    assert len([name for name, state in story.told() if state == "missed"]) == 19
    assert story.told().count((FIRST_BLOCK, "met")) == 1


def test_a_camera_that_falls_silent_is_told_while_it_is() -> None:
    story = Story(HOURS, landed(ends="next_block", claimed_end=claimed(T0 + 10_000)))
    story.look(4 * MINUTE)
    story.look(6 * MINUTE)
    story.look(20 * MINUTE)
    back = landed(ends="next_block", announcement=2, claimed_start=claimed(T0 + 30 * MINUTE),
                  claimed_end=claimed(T0 + 31 * MINUTE), received_at=WallMs(T0 + 31 * MINUTE))  # fmt: skip
    (before,) = summary({SOURCE: story.state}, WallMs(T0 + 20 * MINUTE), POLICY)
    story.hear(back)
    (after,) = summary({SOURCE: story.state}, WallMs(T0 + 31 * MINUTE), POLICY)

    found = [(c.state, c.since - T0, c.size_ms) for c in story.changes if isinstance(c, SilenceChanged)]
    assert found == [("open", 10_000, 6 * MINUTE - 10_000), ("closed", 10_000, 30 * MINUTE - 10_000)]
    assert (before.on_duty, before.silent, before.silent_ms) == (1, 1, 20 * MINUTE - 10_000)
    assert (after.on_duty, after.silent, after.silent_ms) == (1, 0, 0)


# -- the store -----------------------------------------------------------------------------------------------------------


def waiting(out: tuple[int, int | None] | None) -> Story:
    """A hall's hour that is here two minutes after its end, and a store that was out for a while."""
    hour = landed(
        ends="next_block", received_at=WallMs(T0 + HOUR + 2 * MINUTE), claimed_start=claimed(T0 + 59 * MINUTE)
    )
    story = Story(hour)
    if out is not None:
        start, end = out
        for until in (None, None if end is None else WallMs(T0 + end)):
            body = Outage(start=WallMs(T0 + start), end=until)
            story.hear(annotation(f"out-{until}", "outage", outage=body, made_at=T0))
    story.look(26 * HOUR)
    return story


@pytest.mark.parametrize(
    ("out", "cause"),
    [
        (None, "pipeline"),
        ((HOUR, None), "store"),
        ((HOUR, 25 * HOUR), "store"),
        ((HOUR, 24 * HOUR + 1), "store"),
        ((HOUR, 24 * HOUR), "pipeline"),
        ((2 * HOUR + MINUTE, 25 * HOUR), "store"),
        ((2 * HOUR + 2 * MINUTE, 25 * HOUR), "pipeline"),
        ((-9 * HOUR, HOUR), "pipeline"),
    ],
)
def test_the_store_is_to_blame_when_it_left_us_less_than_an_hour(
    out: tuple[int, int | None] | None, cause: str
) -> None:
    assert waiting(out).misses() == [(FIRST_BLOCK, cause)]


def test_an_outage_is_said_once_to_begin_and_once_to_end_to_those_it_holds_up() -> None:
    story = Story(landed(ends="next_block"))
    idle = SourceDeadlines(source_id=SOURCE)
    out = WallMs(T0 + HOUR)

    begins = store_news({SOURCE: story.state, "idle": idle}, out, WallMs(T0 + 2 * HOUR), POLICY)
    story.hear(*begins)
    again = store_news({SOURCE: story.state}, out, WallMs(T0 + 3 * HOUR), POLICY)
    ends = store_news({SOURCE: story.state}, None, WallMs(T0 + 4 * HOUR), POLICY)
    story.hear(*ends)
    nothing = store_news({SOURCE: story.state}, None, WallMs(T0 + 5 * HOUR), POLICY)

    assert [said.outage for said in (*begins, *ends)] == [
        Outage(start=out),
        Outage(start=out, end=WallMs(T0 + 4 * HOUR)),
    ]
    assert (again, nothing) == ((), ())
    assert story.state.outages == (Outage(start=out, end=WallMs(T0 + 4 * HOUR)),)


def test_the_end_of_an_outage_heard_before_its_beginning_counts() -> None:
    whole = Outage(start=T0, end=WallMs(T0 + HOUR))
    story = Story(annotation("2", "outage", outage=whole), annotation("1", "outage", outage=Outage(start=T0)))

    assert story.state.outages == (whole,)
