"""Outlook: what is ahead of a unit, by age and by the next deadline, whatever has arrived of it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.deadline import step
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.outlook import UnitDeadlines, due, summary
from pipeline.domain.time import WallMs
from tests.builders import SOURCE, T0, landed, policy, session_ended
from tests.builders_archive import archived

HOUR = 3600 * 1000
DAY = 24 * HOUR
POLICY = policy()


def after(*events: SegmentLanded | Annotation | RecordingArchived) -> SourceDeadlines:
    state = SourceDeadlines(source_id=SOURCE)
    for event in events:
        state, _ = step(state, event, POLICY)
    return state


def hall(**changes: Any) -> SegmentLanded:
    return landed(ends="next_block", **changes)


def test_a_unit_sees_what_is_not_archived_and_its_next_deadline() -> None:
    body = after(
        landed(source_kind="body_camera", received_at=WallMs(T0 + 9 * HOUR), claimed_end=None),
        session_ended(made_at=WallMs(T0 + 9 * HOUR)),
    )

    found = summary({"hall-1": after(hall()), "cam-1": body}, WallMs(T0 + 10 * HOUR), POLICY)

    assert found == (
        UnitDeadlines(
            unit="service-hall",
            source_kind="body_camera",
            unarchived=(0, 1, 0, 0, 0),
            oldest_end=T0,
            next_at=WallMs(T0 + DAY),
        ),
        UnitDeadlines(
            unit="service-hall",
            source_kind="cctv",
            unarchived=(0, 1, 0, 0, 0),
            oldest_end=WallMs(T0 + HOUR),
            next_at=WallMs(T0 + HOUR + DAY),
        ),
    )


def test_a_unit_with_nothing_open_has_no_next_deadline() -> None:
    state = after(hall(), archived(archived_at=WallMs(T0 + 2 * HOUR)))

    assert summary({SOURCE: state}, T0, POLICY) == (UnitDeadlines(unit="service-hall", source_kind="cctv"),)


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (-HOUR, 0), (0, 0), (4 * HOUR - 1, 0), (4 * HOUR, 1), (12 * HOUR - 1, 1), (12 * HOUR, 2), (20 * HOUR, 3),
        (DAY - 1, 3), (DAY, 4), (9 * DAY, 4),
    ],
)  # fmt: skip
def test_an_age_belongs_to_the_band_it_begins(age: int, band: int) -> None:
    (found,) = summary({SOURCE: after(hall())}, WallMs(T0 + HOUR + age), POLICY)

    assert [count for count in found.unarchived if count] == [1]
    assert found.unarchived[band] == 1


def test_another_deadline_has_its_bands_in_proportion() -> None:
    short = policy(deadline_s=60)

    (found,) = summary({SOURCE: after(hall())}, WallMs(T0 + HOUR + 55_000), short)

    assert found.unarchived == (0, 0, 0, 1, 0)


def test_what_was_announced_and_has_not_arrived_is_expected() -> None:
    announced = session_ended(made_at=T0, recording_id="shift-2", unit="service-hall")

    (found,) = summary({SOURCE: after(hall(), announced)}, WallMs(T0 + 2 * HOUR), POLICY)

    assert (found.expected, sum(found.unarchived)) == (1, 2)


def test_a_missed_recording_stays_among_those_not_archived_and_has_no_next_deadline() -> None:
    state = after(hall())
    for said in due({SOURCE: state}, WallMs(T0 + 3 * DAY), POLICY):
        state, _ = step(state, said, POLICY)

    (found,) = summary({SOURCE: state}, WallMs(T0 + 3 * DAY), POLICY)

    assert (found.unarchived, found.oldest_end, found.next_at) == ((0, 0, 0, 0, 1), T0 + HOUR, None)
