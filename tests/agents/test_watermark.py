"""Watermark: what was said before an instant must have been read before anybody judges as of it."""

from __future__ import annotations

from collections.abc import Mapping

from faust.types import TP

from pipeline.agents.watermark import Watermark
from pipeline.domain.time import WallMs

ONE, TWO = TP("landed", 0), TP("archived", 0)


def noted(mark: Watermark, now: int, ends: Mapping[TP, int], positions: Mapping[TP, int]) -> int | None:
    return mark.note(WallMs(now), ends, positions)


def test_a_worker_that_has_read_everything_judges_as_of_now() -> None:
    mark = Watermark()

    assert noted(mark, 1, {ONE: 5, TWO: 3}, {ONE: 5, TWO: 3}) == 1
    assert noted(mark, 2, {ONE: 5, TWO: 3}, {ONE: 5, TWO: 4}) == 2


def test_after_a_stop_nothing_is_judged_until_what_waited_was_read() -> None:
    mark = Watermark()

    found = [
        noted(mark, 1, {ONE: 9, TWO: 3}, {ONE: 0, TWO: 0}),
        noted(mark, 2, {ONE: 10, TWO: 3}, {ONE: 8, TWO: 3}),
        noted(mark, 3, {ONE: 11, TWO: 3}, {ONE: 9, TWO: 3}),
    ]

    assert found == [None, None, 1]


def test_under_a_steady_flow_it_judges_a_little_behind_now() -> None:
    mark = Watermark()

    found = [noted(mark, now, {ONE: 10 * now}, {ONE: 10 * now - 1}) for now in range(1, 6)]

    assert found == [None, 1, 2, 3, 4]


def test_a_partition_that_stands_still_holds_it() -> None:
    mark = Watermark()
    noted(mark, 1, {ONE: 5}, {ONE: 5})

    found = [noted(mark, now, {ONE: now * 10}, {ONE: 5}) for now in (2, 3, 4)]

    assert found == [1, 1, 1]


def test_other_partitions_are_begun_anew() -> None:
    mark = Watermark()
    noted(mark, 1, {ONE: 5}, {ONE: 5})

    given = noted(mark, 2, {ONE: 5, TWO: 7}, {ONE: 5, TWO: 0})
    read = noted(mark, 3, {ONE: 5, TWO: 7}, {ONE: 5, TWO: 7})

    assert (given, read) == (None, 3)


def test_ends_of_other_partitions_say_nothing() -> None:
    mark = Watermark()
    noted(mark, 1, {ONE: 5}, {ONE: 5})

    assert noted(mark, 2, {}, {ONE: 5}) == 1
    assert noted(mark, 3, {}, {}) == 3
