"""How far the clocks of a recording are apart: each against the places of its files, in numbers that some file has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.disagreement import Disagreement, Reading, disagreements, readings
from pipeline.domain.probe import BandIdentity
from pipeline.domain.time import ClaimedTime, Nanos, WallMs
from tests.builders import T0, claimed, facts

END = WallMs(T0 + 10_000)
SAID = {
    "start": T0,
    "end": END,
    "claimed_start": None,
    "claimed_end": None,
    "clock_offset_ms": None,
    "received_at": END,
    "facts": facts(),
}


def said(**changes: object) -> list[Reading]:
    return list(readings(**{**SAID, **changes}))  # type: ignore[arg-type]  # each test gives what its field wants


def test_our_own_clock_tells_how_long_after_its_end_a_file_came() -> None:
    assert said(received_at=WallMs(END + 700)) == [Reading("received_at", None, 700, 0)]


def test_a_claim_is_compared_without_the_offset_that_is_known() -> None:
    found = said(claimed_start=claimed(T0 + 480), claimed_end=claimed(END + 520), clock_offset_ms=500)

    assert found[:2] == [
        Reading("claimed_start", "file_name", -20, 1000),
        Reading("claimed_end", "file_name", 20, 1000),
    ]


def test_a_file_system_s_date_is_of_the_end() -> None:
    (found, _) = said(claimed_start=claimed(END + 3, origin="file_system"))

    assert found == Reading("claimed_start", "file_system", 3, 1000)


def test_every_clock_in_a_file_speaks_for_itself() -> None:
    zone = ClaimedTime(at=WallMs(T0 + 8 * 3600_000), origin="container", error_ms=1000)
    identity = BandIdentity(kind="mtxi", stream_id="7b5c", number=0, dts_ns=Nanos(0), ntp_ns=Nanos((T0 - 5) * 10**6))

    found = said(facts=replace(facts(), clocks=(zone,), identities=(identity,)))

    assert found[:2] == [
        Reading("in_file", "container", 8 * 3600_000, 1000),
        Reading("recorder_identity", "recorder", -5, 0),
    ]


@pytest.mark.parametrize(
    ("ahead", "least", "median", "greatest"),
    [((7,), 7, 7, 7), ((9, -1), -1, -1, 9), ((9, 4, -1), -1, 4, 9), ((1, 2, 3, 100), 1, 2, 100)],
)
def test_every_number_is_one_that_a_file_has(ahead: tuple[int, ...], least: int, median: int, greatest: int) -> None:
    (found,) = disagreements(Reading("in_file", "media", ms, error) for error, ms in enumerate(ahead))

    assert (found.least_ms, found.median_ms, found.greatest_ms) == (least, median, greatest)
    assert (found.files, found.error_ms) == (len(ahead), len(ahead) - 1)


def test_clocks_of_other_origins_are_told_apart_and_the_order_of_files_plays_no_part() -> None:
    several = [
        Reading("in_file", "media", 1, 0),
        Reading("in_file", "container", 2, 0),
        Reading("received_at", None, 3, 0),
    ]

    told = disagreements(several)

    assert [(one.clock, one.origin) for one in told] == [
        ("in_file", "container"),
        ("in_file", "media"),
        ("received_at", None),
    ]
    assert told == disagreements(reversed(several))
    assert disagreements([]) == ()
    assert isinstance(told[0], Disagreement)
