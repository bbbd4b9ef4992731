from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, Nanos, WallMs, from_decimal, from_rfc3339, to_rfc3339


@given(st.integers(0, MAX_WALL_MS))
def test_an_instant_and_its_spelling_are_one_to_one(at: int) -> None:
    text = to_rfc3339(at)

    assert from_rfc3339(text) == at
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        ((1 << 31) * 1000, "2038-01-19T03:14:08.000Z"),
        (MAX_WALL_MS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_edges_of_time_are_spelled(at: int, text: str) -> None:
    assert to_rfc3339(at) == text
    assert (from_rfc3339(text), type(from_rfc3339(text))) == (at, WallMs)


@pytest.mark.parametrize("at", [-1, MAX_WALL_MS + 1])
def test_an_instant_beyond_the_edges_has_no_spelling(at: int) -> None:
    with pytest.raises(ValueError, match=rf"wall time outside 1970\.\.9999: {at} ms"):
        to_rfc3339(at)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24",
        "2026-11-24T08:00:00Z",
        "2026-11-24T08:00:00.0Z",
        "2026-11-24T08:00:00.0000Z",
        "2026-11-24 08:00:00.000Z",
        "2026-11-24T08:00:00.000",
        "2026-11-24T08:00:00.000z",
        "2026-11-24T16:00:00.000+08:00",
        "2026-11-24T08:00:00.000Z\n",
        "２０２６-11-24T08:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "0000-01-01T00:00:00.000Z",
        "2026-02-29T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "2026-11-24T24:00:00.000Z",
        "2016-12-31T23:59:60.000Z",
    ],
)
def test_every_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected .*found"):
        from_rfc3339(text)


@pytest.mark.parametrize(("year", "leap"), [(2000, True), (2024, True), (2100, False), (2400, True)])
def test_leap_days_exist_in_leap_years_only(year: int, leap: bool) -> None:
    text = f"{year}-02-29T12:00:00.000Z"

    if leap:
        assert to_rfc3339(from_rfc3339(text)) == text
    else:
        with pytest.raises(ValueError, match="expected a time that exists"):
            from_rfc3339(text)


@given(st.integers(-(1 << 62), 1 << 62))
def test_nanoseconds_and_their_decimals_are_one_to_one(count: int) -> None:
    assert (from_decimal(str(count)), type(from_decimal(str(count)))) == (count, Nanos)


@pytest.mark.parametrize("text", ["", "-", "-0", "00", "01", "+1", "1.0", "1e3", " 1", "1\n", "1" * 20, "٣"])
def test_every_other_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a decimal integer of at most 19 digits"):
        from_decimal(text)


@pytest.mark.parametrize(("error_ms", "fits"), [(-1, False), (0, True), (1, True)])
def test_an_error_bar_is_not_negative(error_ms: int, fits: bool) -> None:
    if fits:
        assert ClaimedTime(at=WallMs(0), origin="dock", error_ms=error_ms).error_ms == error_ms
    else:
        with pytest.raises(ValueError, match="an error bar is not negative, found -1"):
            ClaimedTime(at=WallMs(0), origin="dock", error_ms=error_ms)
