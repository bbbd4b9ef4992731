from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from pipeline.domain.identity import SourceKind
from pipeline.domain.policy import Tolerance
from pipeline.policy import load_policy
from tests.builders import policy


def test_every_kind_of_source_has_its_tolerance() -> None:
    assert set(load_policy().tolerance) == set(get_args(SourceKind))


def test_a_policy_in_force_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load_policy().block_s = 1  # type: ignore[misc]  # that is the point


def test_the_tests_judge_by_the_numbers_that_are_shipped() -> None:
    shipped, ours = load_policy(), policy()

    differing = [field.name for field in fields(ours) if getattr(shipped, field.name) != getattr(ours, field.name)]

    assert differing == ["version"]


def test_wall_clocks_are_trusted_less_than_media_clocks() -> None:
    assert all(
        each.in_file_ms <= each.across_files_ms < each.wall_clock_ms for each in load_policy().tolerance.values()
    )
    assert isinstance(load_policy().tolerance["cctv"], Tolerance)


@pytest.mark.parametrize(
    ("ms", "in_file_ms", "across_files_ms", "told"),
    [
        (1, 2, 50, "2 ms in files and 50 ms between them"),
        (49, 49, 50, "49 ms in files and 50 ms between them"),
        (50, 50, 50, "50 ms"),
        (900, 900, 900, "900 ms"),
    ],
)
def test_another_tolerance_is_never_finer_than_the_evidence_and_is_said(
    ms: int, in_file_ms: int, across_files_ms: int, told: str
) -> None:
    changed = policy().tolerating("cctv", ms)

    found = changed.tolerance["cctv"]
    assert (found.in_file_ms, found.across_files_ms, found.wall_clock_ms) == (in_file_ms, across_files_ms, 2000)
    assert changed.version == f"test, but with a tolerance of {told}"
    assert changed.tolerance["body_camera"] == policy().tolerance["body_camera"]
