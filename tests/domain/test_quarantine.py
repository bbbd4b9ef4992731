from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.quarantine import Decision, Quarantined, QuarantineDecided, standing
from pipeline.domain.time import WallMs
from tests.builders import T0


def quarantined(partition: int = 0, offset: int = 0) -> Quarantined:
    return Quarantined(
        stage="probe",
        topic="unbroken.segment.landed.v1",
        partition=partition,
        offset=offset,
        key_base64=None,
        value_base64=None,
        reason="malformed",
        detail="null value",
        at=T0,
    )


@pytest.mark.parametrize(
    ("partition", "offset", "exists"), [(-1, 0, False), (0, -1, False), (0, 0, True), (1, 1, True)]
)
def test_an_input_set_aside_says_a_place_that_exists(partition: int, offset: int, exists: bool) -> None:
    if exists:
        assert quarantined(partition, offset).offset == offset
    else:
        with pytest.raises(ValueError, match="partition and offset count from 0"):
            quarantined(partition, offset)


def test_an_input_without_key_value_and_headers_can_be_set_aside() -> None:
    assert (quarantined().key_base64, quarantined().value_base64, quarantined().headers_base64) == (None, None, ())


def decided(decision: Decision, after_ms: int, offset: int = 0, grounds: str = "mended") -> QuarantineDecided:
    return QuarantineDecided(
        **quarantined(offset=offset).place._asdict(),
        decision=decision,
        grounds=grounds,
        made_by="wang",
        at=WallMs(T0 + after_ms),
    )


def test_the_last_decision_stands_whatever_order_they_are_read_in() -> None:
    first, last = decided("released", 1), decided("discarded", 2)

    assert standing([quarantined()], [last, first])[0].decided == last
    assert standing([quarantined()], [first, last])[0].decided == last


def test_a_decision_is_about_one_input_and_an_undecided_one_waits() -> None:
    found = standing([quarantined(offset=1), quarantined(offset=0)], [decided("released", 1, offset=1)])

    assert [(one.item.offset, one.decided is None) for one in found] == [(0, True), (1, False)]


def test_an_input_set_aside_twice_by_a_killed_worker_counts_once_from_the_first_time() -> None:
    again = replace(quarantined(), at=WallMs(T0 + 5000))

    assert [one.item.at for one in standing([again, quarantined()], [])] == [T0]


@pytest.mark.parametrize("grounds", ["", "two\nlines", "x" * 201])
def test_a_decision_needs_grounds_on_one_line(grounds: str) -> None:
    with pytest.raises(ValueError, match="decision's grounds"):
        decided("discarded", 1, grounds=grounds)
