"""Media time: integer ticks of a rational time base. No floats anywhere.

A tick count means nothing without its base, so the two travel together in :class:`TimeBase` methods; conversions to
milliseconds round half up and are for people and wall clocks, never for judging.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MPEG_TS_WRAP: int = 1 << 33
"""PTS and DTS of MPEG transport streams are 33 bit at 90 kHz and wrap every 26.5 h (ISO/IEC 13818-1, 2.4.3.7)."""


@dataclass(frozen=True, slots=True)
class TimeBase:
    """Seconds per tick as an exact fraction, e.g. 1/90000."""

    num: int
    den: int

    def __post_init__(self) -> None:
        if self.num <= 0 or self.den <= 0:
            raise ValueError(f"a time base is positive, found {self.num}/{self.den}")

    def seconds(self, ticks: int) -> Fraction:
        """*ticks* as exact seconds."""
        return Fraction(ticks * self.num, self.den)

    def ticks(self, seconds: Fraction) -> int:
        """Exact seconds as ticks, rounded half up."""
        return floor_half_up(seconds * self.den / self.num)


def floor_half_up(value: Fraction) -> int:
    """Round to the nearest integer, halves upward (the same on every platform, for negatives too)."""
    return ratio_half_up(value.numerator, value.denominator)


def ratio_half_up(numerator: int, denominator: int) -> int:
    """*numerator* over a positive *denominator* as :func:`floor_half_up` rounds it."""
    return (2 * numerator + denominator) // (2 * denominator)


def milliseconds(seconds: Fraction) -> int:
    """Exact seconds as whole milliseconds, rounded half up."""
    return floor_half_up(seconds * 1000)


def unwrap_33(delta_ticks: int) -> int:
    """The shortest signed distance between two 33-bit stamps; ambiguous beyond 13.25 h, when a wall clock decides."""
    return (delta_ticks + MPEG_TS_WRAP // 2) % MPEG_TS_WRAP - MPEG_TS_WRAP // 2
