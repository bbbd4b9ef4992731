"""Rolling: which part is due, how much was verified in time, and what a failure does to both."""

from __future__ import annotations

import pytest

from pipeline.domain.rolling import (
    TOLD,
    Verified,
    is_verified_key,
    parts,
    stand,
    turn,
    verified_day,
    verified_document,
    verified_key,
)
from pipeline.domain.selection import Part
from pipeline.domain.time import WallMs
from pipeline.domain.verify import Item, Result
from tests.builders import T0

HOUR_MS = 3_600_000
WITHIN_S = 3 * 3600


def item(result: Result) -> Item:
    return Item(about="hall-1", check="chain", result=result, place="", expected="", found="")


def record(part: int, hours: int, failures: int = 0, of: int = 3) -> Verified:
    """Part *part* of *of*, verified *hours* after T0."""
    at = WallMs(T0 + hours * HOUR_MS)
    return turn(Part(part, of), at, at, "test", [item("fail")] * failures)


def now(hours: int) -> WallMs:
    return WallMs(T0 + hours * HOUR_MS)


@pytest.mark.parametrize(("turn_s", "count"), [(3600, 3), (3601, 2), (WITHIN_S, 1), (WITHIN_S + 1, 1)])
def test_there_are_as_many_parts_as_turns_in_the_time(turn_s: int, count: int) -> None:
    assert parts(WITHIN_S, turn_s) == count


def test_before_the_first_turn_nothing_is_verified_and_nothing_is_old() -> None:
    found = stand([], 3, now(0), WITHIN_S)

    assert (found.verified, found.oldest_at, found.failures, found.due) == (0, None, 0, Part(1, 3))


def test_parts_never_verified_come_first_and_date_from_the_first_record() -> None:
    found = stand([record(1, 0), record(2, 1)], 3, now(1), WITHIN_S)

    assert (found.verified, found.oldest_at, found.due) == (2, now(0), Part(3, 3))


def test_then_the_part_whose_turn_is_longest_ago() -> None:
    found = stand([record(1, 0), record(2, 1), record(3, 2), record(1, 3)], 3, now(3), WITHIN_S)

    assert (found.verified, found.oldest_at, found.due) == (3, now(1), Part(2, 3))


@pytest.mark.parametrize(("late_ms", "verified"), [(-1, 1), (0, 1), (1, 0)])
def test_a_turn_counts_for_the_policy_s_time(late_ms: int, verified: int) -> None:
    found = stand([record(1, 0, of=1)], 1, WallMs(T0 + WITHIN_S * 1000 + late_ms), WITHIN_S)

    assert found.verified == verified


def test_a_failure_stands_until_its_part_is_whole_again() -> None:
    failed = [record(1, 0, failures=2), record(2, 1)]

    assert stand(failed, 3, now(2), WITHIN_S).failures == 2
    assert stand([*failed, record(1, 3)], 3, now(3), WITHIN_S).failures == 0


def test_another_number_of_parts_begins_anew() -> None:
    found = stand([record(1, 0, of=1)], 3, now(1), WITHIN_S)

    assert (found.verified, found.due) == (0, Part(1, 3))


def test_a_record_counts_all_and_tells_the_first_failures() -> None:
    made = turn(Part(2, 3), now(0), now(1), "test", [item("pass"), item("not_covered"), *[item("fail")] * (TOLD + 1)])

    assert (made.items, made.not_covered, made.failures, len(made.failed)) == (TOLD + 3, 1, TOLD + 1, TOLD)
    assert verified_document(made).startswith(b'{"begun_at"')


def test_keys_are_in_order_of_time_and_known_again() -> None:
    keys = [verified_key(record(part, hours)) for part, hours in ((3, 0), (1, 1), (2, 30))]

    assert keys == sorted(keys)
    assert all(is_verified_key(key) for key in keys)
    assert keys[0].startswith(verified_day(now(0)))
    assert not is_verified_key("verified/x.json")


def test_a_part_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to 3, found 4"):
        record(4, 0)
