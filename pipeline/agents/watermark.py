"""Watermark: up to which instant a stage has taken in everything that was on the broker.

A timer that judges by what has *not* been heard (a deadline that passed, a camera that is silent) must not judge while what
was said waits to be read: after a stop of hours, the proof of what was done in time lies on the broker. So it judges as of
the watermark, not of now. Only the partitions that are here count; when others are given to us, we begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from faust.types import TP

from pipeline.domain.time import WallMs


class Watermark:
    """Of one stage. Pure: times and offsets are given."""

    def __init__(self) -> None:
        self._parts: frozenset[TP] = frozenset()
        self._heard: WallMs | None = None
        self._mark: tuple[WallMs, Mapping[TP, int]] | None = None

    def note(self, now: WallMs, ends: Mapping[TP, int], positions: Mapping[TP, int]) -> WallMs | None:
        """Up to when everything was heard, ``None`` while that is not known.

        *ends*: the broker's ends, asked for at *now* or later; *positions*: next offset to finish, looked at after that.
        """
        if self._parts != positions.keys():
            self._parts, self._heard, self._mark = frozenset(positions), None, None
        if self._parts != ends.keys():
            return self._heard
        if _reached(ends, positions):
            self._heard, self._mark = now, None
        elif self._mark is None:
            self._mark = now, dict(ends)
        elif _reached(self._mark[1], positions):
            self._heard, self._mark = self._mark[0], (now, dict(ends))
        return self._heard


def _reached(ends: Mapping[TP, int], positions: Mapping[TP, int]) -> bool:
    return all(positions[tp] >= end for tp, end in ends.items())
