"""Marks: what a clock inside the file shows about media whose own times show nothing."""

from __future__ import annotations

import pytest

from pipeline.domain.marks import Mark, begun, steps
from pipeline.domain.policy import Tolerance

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
NOON_MS = 1_795_507_200_000


def marks(*jumps: tuple[int, int], count: int = 30, error_ms: int = 100, ppm: int = 0) -> list[Mark]:
    """A mark every two seconds; from the k-th on the wall clock is moved by so many milliseconds."""
    return [
        Mark(0, 2000 * k, NOON_MS + 2000 * k + 2 * k * ppm // 1000 + sum(ms for at, ms in jumps if k >= at), error_ms)
        for k in range(count)
    ]


def found(series: list[Mark], zero_ms: int = 0) -> list[tuple[str, str, int | None]]:
    return [(finding.kind, finding.level, finding.size_ms) for finding in steps(series, zero_ms, TOLERANCE)]


def test_a_clock_that_runs_with_the_media_shows_nothing() -> None:
    assert found(marks()) == []


def test_time_cut_out_of_a_file_stamped_anew_is_hidden_loss_at_its_place() -> None:
    (finding,) = steps(marks((10, 60_000)), 1000, TOLERANCE)

    assert (finding.kind, finding.level, finding.evidence) == ("hidden_loss", "degradation", "wall_clock")
    assert (finding.from_ms, finding.to_ms, finding.size_ms) == (17_000, 19_000, 60_000)


def test_a_clock_that_was_set_back_is_a_note() -> None:
    assert found(marks((10, -3_600_000))) == [("clock_step", "note", 3_600_000)]


@pytest.mark.parametrize(("ahead_ms", "kinds"), [(450, []), (451, []), (452, ["hidden_loss"])])
def test_a_step_counts_beyond_both_error_bars_the_policy_and_drift(ahead_ms: int, kinds: list[str]) -> None:
    """100 + 100 + 250 ms, and 1 ms of drift in two seconds."""
    assert [kind for kind, _, _ in found(marks((10, ahead_ms)))] == kinds


def test_drift_is_no_step_however_far_it_leads() -> None:
    assert found(marks(count=20_000, ppm=400)) == []


def test_a_clock_that_is_set_forward_and_back_is_told_as_both() -> None:
    assert found(marks((10, 5_000), (20, -5_000))) == [
        ("hidden_loss", "degradation", 5_000),
        ("clock_step", "note", 5_000),
    ]


def test_media_that_is_missing_with_its_time_is_no_step() -> None:
    """Both clocks go on over a gap that the media's own times show."""
    assert found([mark for mark in marks() if not 10_000 <= mark.media_ms < 30_000]) == []


def test_a_clock_that_stands_while_a_file_is_written_at_once_proves_nothing() -> None:
    stands = [Mark(0, 2000 * k, NOON_MS + k, 100) for k in range(30)]

    assert found(stands) == [("not_testable", "note", None)]
    assert begun(stands, 0, TOLERANCE) == ()


def test_the_first_mark_tells_when_the_first_sample_was_taken() -> None:
    (claim,) = begun(marks()[5:], 4_000, TOLERANCE)

    assert (claim.at, claim.origin, claim.error_ms) == (NOON_MS + 4_000, "media", 100)


@pytest.mark.parametrize("wall_ms", [-5, 10**18])
def test_a_mark_outside_all_years_tells_nothing(wall_ms: int) -> None:
    assert begun([Mark(0, 0, wall_ms, 100)], 0, TOLERANCE) == ()


def test_each_stream_has_its_own_marks() -> None:
    apart = [mark._replace(stream=1, wall_ms=mark.wall_ms + 9_000) for mark in marks()]

    assert found([*marks(), *apart]) == []


@pytest.mark.parametrize(("places", "told"), [(16, 16), (17, 1)])
def test_many_steps_are_told_as_one(places: int, told: int) -> None:
    series = marks(*((3 * k, 1_000) for k in range(1, places + 1)), count=60)

    assert len(found(series)) == told
    assert sum(size_ms or 0 for _, _, size_ms in found(series)) == places * 1_000
