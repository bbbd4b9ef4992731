"""Tracked: how far a recording is, step by step; when its 24 hours begin is told with the deadlines themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.domain.tracked import Tracked, deadline_at, is_whole, progress
from tests.builders import RECORDING, T0, policy

POLICY = policy()
FIELDS = dict.fromkeys(POLICY.mandatory_fields, T0)
EXPECTED = Tracked(recording_id=RECORDING, source_kind="body_camera", expected_end=T0)
RECEIVED = replace(EXPECTED, first_received_at=WallMs(T0 + 1), last_received_at=WallMs(T0 + 1), landed=1)
VERIFIED = replace(RECEIVED, verified=True)


@pytest.mark.parametrize(
    ("tracked", "far"),
    [
        (EXPECTED, "expected"),
        (replace(EXPECTED, described=FIELDS), "expected"),
        (RECEIVED, "received"),
        (replace(RECEIVED, described=FIELDS), "received"),
        (VERIFIED, "verified"),
        (replace(RECEIVED, archived_at=T0), "verified"),
        (replace(VERIFIED, described=FIELDS), "described"),
        (replace(VERIFIED, described=FIELDS, archived_at=T0), "archived"),
        (replace(RECEIVED, source_kind="cctv", archived_at=T0), "archived"),
    ],
)
def test_each_step_counts_when_those_before_it_were_taken(tracked: Tracked, far: str) -> None:
    assert progress(tracked, POLICY) == far


def test_what_is_expected_has_its_deadline_from_its_expected_end_and_from_first_sight_on_from_that() -> None:
    assert deadline_at(Tracked(recording_id=RECORDING), POLICY) is None
    assert deadline_at(EXPECTED, POLICY) == T0 + POLICY.deadline_s * 1000
    assert deadline_at(RECEIVED, POLICY) == T0 + 1 + POLICY.deadline_s * 1000


@pytest.mark.parametrize(("landed", "whole"), [(1, False), (2, True), (3, True)])
def test_a_recording_is_whole_when_as_many_files_came_as_were_announced(landed: int, whole: bool) -> None:
    ended = replace(RECEIVED, ended_at=WallMs(T0 + 5), expected=2, landed=landed)

    assert is_whole(ended, T0 + 5) == whole
    assert not is_whole(ended, T0 + 4)


@pytest.mark.parametrize(("from_return", "start"), [(False, T0 - 3600_000), (True, T0 + 1)])
def test_a_policy_may_count_from_the_return_of_the_device(from_return: bool, start: int) -> None:
    docked = replace(RECEIVED, ends="declared", claimed_end=WallMs(T0 - 3600_000), ended_at=WallMs(T0 + 9))

    assert deadline_at(docked, policy(from_return=from_return)) == start + POLICY.deadline_s * 1000


@pytest.mark.parametrize(
    ("end", "midnight"),
    [
        ("2026-11-24T15:59:59.999Z", "2026-11-24T16:00:00.000Z"),
        ("2026-11-24T16:00:00.000Z", "2026-11-24T16:00:00.000Z"),
        ("2026-11-24T16:00:00.001Z", "2026-11-25T16:00:00.000Z"),
    ],
)
def test_a_policy_may_count_a_camera_s_blocks_from_the_end_of_their_day(end: str, midnight: str) -> None:
    block = replace(EXPECTED, ends="next_block", expected_end=from_rfc3339(end))

    assert deadline_at(block, policy(day_offset_minutes=480)) == from_rfc3339(midnight) + POLICY.deadline_s * 1000
    assert deadline_at(block, POLICY) == from_rfc3339(end) + POLICY.deadline_s * 1000
