"""Stamps: one stream's presentation times in decoding order -> what the judgement needs, compactly.

Rules: 33-bit times are unwrapped by the shortest way from packet to packet; a step back that reordering cannot explain
begins a new epoch, which is moved to follow the earlier one; then the times are sorted and their intervals compressed to
runs of equal ones, where two intervals count as equal when rounding may have parted them (2 ms and 2 ticks).
Memory: 8 bytes a packet and a few copies while one stream is worked on, so ten hours of video stay below 100 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.adapters.columns import deltas, indices
from pipeline.domain.cadence import Cadence
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.reading import StreamReading

Column = npt.NDArray[np.int64]
_MOST_REORDER: Final = 16
"""Frames a decoder may hold back at most (H.264 and H.265 limit their picture buffers to 16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """The parts of a stream reading that follow from its times."""

    first_ticks: int | None
    last_ticks: int | None
    cadence: Cadence
    wraps_33: bool = False
    reorder_frames: int = 0
    resets: tuple[tuple[int, int], ...] = ()
    places: tuple[int, ...] = ()
    """Ticks after the first, of the packets asked for."""


def furthest(ticks_a_second: int) -> int:
    """The greatest time believed: 30 years, and what every reader of JSON can hold."""
    return min((1 << 53) - 1, ticks_a_second * 10**9)


NO_STAMPS: Final = Stamps(first_ticks=None, last_ticks=None, cadence=Cadence())


def stamps(
    times: array[int],
    ticks_a_second: int,
    *,
    wraps: bool,
    lengths: array[int] | None = None,
    places: Sequence[int] = (),
) -> Stamps:
    """Describe *times*, in decoding order. *lengths*: ticks each packet's own samples last, for audio whose packets may be
    cut anywhere (PCM); its intervals are judged by what is left between packets. *wraps*: times are 33 bit. *places*: packets of which it is asked when
    they are."""
    column: Column = np.frombuffer(times, dtype=np.int64) if times else np.empty(0, np.int64)
    possible = np.abs(column) <= furthest(ticks_a_second)
    column = column[possible]
    if not column.size:
        return NO_STAMPS
    wrapped = False
    if wraps:
        column, wrapped = _unwrapped(column)
    column, resets = _epochs_joined(column, ticks_a_second)
    order = np.argsort(column, kind="stable")
    reorder = int(np.abs(order - np.arange(order.size)).max()) if order.size else 0
    ordered = column[order]
    slack = ticks_a_second * 2 // 1000 + 2
    if lengths is None:
        cadence = _cadence(ordered, slack)
    else:
        cadence = _sample_cadence(ordered, np.frombuffer(lengths, dtype=np.int64)[possible][order], slack)
    return Stamps(
        first_ticks=int(ordered[0]),
        last_ticks=int(ordered[-1]),
        cadence=cadence,
        wraps_33=wrapped,
        reorder_frames=min(reorder, _MOST_REORDER),
        resets=resets,
        places=tuple(int(column[min(place, column.size - 1)] - ordered[0]) for place in places),
    )


def near(reference: int | None, ticks: int | None) -> int:
    """What to add to a 33-bit stream's times so that *ticks* lies next to *reference*, the same clock's other stream."""
    if reference is None or ticks is None:
        return 0
    return floor_turns(reference - ticks) * MPEG_TS_WRAP


def floor_turns(distance: int) -> int:
    """How many whole turns of the 33-bit clock are closest to *distance*."""
    return (distance + MPEG_TS_WRAP // 2) // MPEG_TS_WRAP


def _unwrapped(column: Column) -> tuple[Column, bool]:
    steps = deltas(column)
    turns = np.where(steps < -(MPEG_TS_WRAP // 2), 1, np.where(steps > MPEG_TS_WRAP // 2, -1, 0))
    if not turns.any():
        return column, False
    result = column + np.concatenate(([0], np.cumsum(turns))) * MPEG_TS_WRAP
    return result + (MPEG_TS_WRAP if result.min() < 0 else 0), True


def _epochs_joined(column: Column, ticks_a_second: int) -> tuple[Column, tuple[tuple[int, int], ...]]:
    """Move what follows a step back (more than a second, and more than reordering can be) to where it would continue."""
    if column.size < 2:
        return column, ()
    steps = deltas(column)
    if steps.min() >= -ticks_a_second:
        return column, ()
    usual = int(np.median(np.abs(steps)))
    back = indices(steps < -max(ticks_a_second, (_MOST_REORDER + 1) * usual))
    if not back.size:
        return column, ()
    joined = column.copy()
    frame = int(np.median(deltas(np.sort(column))))  # in decoding order B-frames step further than a frame
    resets = []
    for begins in back + 1:
        latest, resumes = int(joined[:begins].max()), int(joined[begins:][: _MOST_REORDER + 1].min())
        shift = latest + frame - resumes
        if shift <= 0:  # a few early frames, overtaken again
            continue
        joined[begins:] += shift
        resets.append((latest, shift - frame))
    return joined, tuple(resets)


def _cadence(ordered: Column, slack: int) -> Cadence:
    intervals = deltas(ordered)
    if not intervals.size:
        return Cadence()
    return _runs(ordered, intervals, np.abs(deltas(intervals)) <= slack, slack)


def _sample_cadence(ordered: Column, lengths: Column, slack: int) -> Cadence:
    """Intervals of audio packets of any length: what adjoins is one run of the mean length, a hole stands alone."""
    if ordered.size < 2:
        return Cadence()
    left = deltas(ordered) - lengths[:-1]
    usual = max(1, int(np.median(lengths)))
    intervals = np.where(np.abs(left) <= slack, usual, left + usual)
    return _runs(ordered, intervals, deltas(intervals) == 0, 0)


def _runs(ordered: Column, intervals: Column, same: npt.NDArray[np.bool_], slack: int) -> Cadence:
    """Runs of neighbours that are the *same*; a run that creeps further than twice *slack* falls apart into equal ones."""
    starts = indices(np.concatenate(([True], ~same)))
    if slack:
        spread = np.maximum.reduceat(intervals, starts) - np.minimum.reduceat(intervals, starts)
        creeping = spread > 2 * slack
        if creeping.any():
            lengths = deltas(np.append(starts, intervals.size))
            apart = np.repeat(creeping, lengths)[1:] & (deltas(intervals) != 0)
            starts = indices(np.concatenate(([True], ~same | apart)))
    counts = deltas(np.append(starts, intervals.size))
    means = (2 * np.add.reduceat(intervals, starts) + counts) // (2 * counts)
    return Cadence(starts=_packed(ordered[starts]), intervals=_packed(means), counts=_packed(counts))


def _packed(column: Column) -> array[int]:
    return array("q", column.astype(np.int64, copy=False).tobytes())


def aligned(streams: list[StreamReading]) -> list[StreamReading]:
    """The streams of one 33-bit clock, moved by whole turns so that they lie beside the first."""
    reference = next((s.first_ticks for s in streams if s.first_ticks is not None), None)
    return [_moved(stream, near(reference, stream.first_ticks)) for stream in streams]


def _moved(stream: StreamReading, by: int) -> StreamReading:
    if not by or stream.first_ticks is None or stream.last_ticks is None:
        return stream
    starts = array("q", (start + by for start in stream.cadence.starts))
    return replace(
        stream,
        first_ticks=stream.first_ticks + by,
        last_ticks=stream.last_ticks + by,
        cadence=replace(stream.cadence, starts=starts),
        resets=tuple((at + by, step) for at, step in stream.resets),
        wraps_33=True,
    )
