"""Tracked: what is known of one recording on its way into the archive, and what follows from that alone.

``expected -> received -> verified -> described -> archived``: expected while nothing of it has arrived; received; verified
when its bytes were read back and its documents made; described when article 9's fields are there; archived when the
receipt of all of it is. Described counts only beyond verified: a name without bytes is no progress.

When the 24 hours begin (T0) must not depend on a clock nobody checked, so the end the source claims counts only up to
what we know ourselves:

- ``declared`` (docked, imported whole): T0 = min(claimed end, first seen). Everything was recorded before it was seen.
- ``next_block`` (continuous camera): T0 = min(end of the block, first seen + one block).
- ``idle`` (sent while recording): T0 = min(claimed end, last seen before its end was announced).
- nothing seen, but expected: T0 = when it must have ended, the block's end or the time a device is due back.

Until the end is announced (of a block it is known) and all it counts has been heard of, the claimed end may still grow,
so it does not count yet: half an import must not look like a missed deadline. A claim is corrected by the measured clock
offset first. Where a file states only its start, the start stands for the end: the deadline is then early by at most one
file. Two readings of article 9 are the policy's to switch on: docked recordings count from first seen alone
(``from_return``), a camera's blocks from the end of their day (``day_offset_minutes``). "First seen" is the first segment or the announcement of an end, whichever came first, so a recording that was
announced and never arrived has a deadline too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from pipeline.domain.annotation import Outage
from pipeline.domain.duty import CLOCK_PAST_MS
from pipeline.domain.identity import RecordingId, SourceKind
from pipeline.domain.landing import Ends, SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.schedule import DAY_MS, MINUTE_MS
from pipeline.domain.spans import both, joined
from pipeline.domain.time import MAX_WALL_MS, WallMs

DeadlineState = Literal["expected", "tracked", "at_risk", "met", "missed", "late", "withdrawn"]
Progress = Literal["expected", "received", "verified", "described", "archived"]
Cause = Literal["not_docked", "transfer", "metadata", "store", "pipeline", "clock", "unknown"]

CLOCK_TRUST_MS: Final = 5_000
"""A claimed end this far beyond what is possible is a wrong clock, not a late one."""
STORE_PARTS: Final = 24
"""The store is to blame when it worked for less than this part of the deadline (an hour of 24) of the time it was needed."""

T = TypeVar("T", bound=int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A recording whose deadline is open, or missed and not made up for. ``state`` is ``None`` until it can be tracked.

    ``expected_end``: when it must have ended, of one that somebody or a schedule expects; ``issued_at`` and ``returned``:
    of a device that was handed out, and whether it is back. ``stands_for``: the expectation that this recording answers.
    ``ended_at``: when its end was first announced, and ``expected``: how many segments that end counted. ``described``:
    when each field was first stated; ``told``: by which annotations, the latest ones. ``archived_at``: the earliest receipt of everything that landed; ``originals``: how
    many distinct originals the largest receipt covers. ``unarchived``, ``covered``: digests (shortened, one after the
    other) of what landed and is in no receipt, and of what is in one. ``kept_at``: the deadline of one that was met, and
    of which more arrived before it.
    """

    recording_id: RecordingId
    state: DeadlineState | None = None
    source_kind: SourceKind | None = None
    unit: str | None = None
    expected_end: WallMs | None = None
    issued_at: WallMs | None = None
    returned: bool = False
    stands_for: RecordingId | None = None
    ends: Ends | None = None
    claimed_end: WallMs | None = None
    first_received_at: WallMs | None = None
    last_received_at: WallMs | None = None
    ended_at: WallMs | None = None
    expected: int | None = None
    landed: int = 0
    verified: bool = False
    described: dict[str, WallMs] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    archived_at: WallMs | None = None
    originals: int = 0
    unarchived: str = ""
    covered: str = ""
    kept_at: WallMs | None = None


def deadline_at(tracked: Tracked, policy: Policy) -> WallMs | None:
    """T0 + the policy's deadline with what is known now; ``None`` while nothing of the recording was seen or expected."""
    if tracked.kept_at is not None:
        return tracked.kept_at
    bound = latest_end(tracked, policy)
    if bound is None:
        return None
    end = tracked.claimed_end
    settled = is_whole(tracked, MAX_WALL_MS) or tracked.archived_at is not None
    claimed = settled and not (policy.from_return and tracked.ends == "declared")
    start: int = bound if end is None or not claimed else min(end, bound)
    if tracked.ends == "next_block" and policy.day_offset_minutes is not None:
        start = _end_of_day(start, policy.day_offset_minutes)
    return wall(start + policy.deadline_s * 1000)


def _end_of_day(at: int, offset_minutes: int) -> int:
    """The next midnight at that offset from UTC, or *at* itself if it is one."""
    shift_ms = offset_minutes * MINUTE_MS
    return -(-(at + shift_ms) // DAY_MS) * DAY_MS - shift_ms


def progress(tracked: Tracked, policy: Policy) -> Progress:
    """How far the recording is, by what is known now."""
    if tracked.first_received_at is None and not tracked.verified:
        return "expected"
    if tracked.archived_at is None and not tracked.verified:
        return "received"
    if any(name not in tracked.described for name in _fields(tracked, policy)):
        return "verified"
    return "described" if tracked.archived_at is None else "archived"


def complete_at(tracked: Tracked, policy: Policy) -> WallMs | None:
    """When the last condition of article 9 came true, by the dates of the receipt and the statements."""
    if tracked.archived_at is None:
        return None
    needed = [tracked.described.get(name) for name in _fields(tracked, policy)]
    return _latest([tracked.archived_at, *needed])


def missing_fields(tracked: Tracked, when: int, policy: Policy) -> tuple[str, ...]:
    """The mandatory fields that nobody had stated at *when*."""
    return tuple(name for name in _fields(tracked, policy) if tracked.described.get(name, MAX_WALL_MS) > when)


def cause(tracked: Tracked, at: WallMs, outages: Sequence[Outage], policy: Policy) -> Cause:
    """Why the deadline *at* passed: the first condition on the way into the archive that did not hold then.

    ``unknown``: its documents or its receipt are heard of, its files are not (their announcements are gone, or were taken for
    old ones), so nothing tells whether they had come."""
    if _clock_is_wrong(tracked, policy):
        return "clock"
    if tracked.first_received_at is None and tracked.verified:
        return "unknown"
    if tracked.first_received_at is None or tracked.first_received_at > at:
        return "transfer" if tracked.returned else "not_docked"
    if tracked.archived_at is not None and tracked.archived_at <= at:
        return "metadata"
    if not tracked.landed:
        return "unknown"
    if not is_whole(tracked, at):
        return "transfer"
    return "store" if _store_is_to_blame(tracked, at, outages, policy) else "pipeline"


def claimed_end(landed: SegmentLanded, policy: Policy) -> WallMs | None:
    """When the source says this segment's recording ended at the earliest, corrected by its measured clock offset."""
    claim = landed.claimed_start if landed.ends == "next_block" else landed.claimed_end or landed.claimed_start
    if claim is None:
        return None
    block_ms = policy.block_s * 1000
    end = claim.at - claim.at % block_ms + block_ms if landed.ends == "next_block" else claim.at
    return wall(end - (landed.clock_offset_ms or 0))


def is_whole(tracked: Tracked, when: int) -> bool:
    """By *when* the end was announced (of a block it is known) and every segment it counts has been heard of."""
    if tracked.ends == "next_block":
        return True
    ended = tracked.ended_at is not None and tracked.ended_at <= when
    return ended and (tracked.expected is None or tracked.landed >= tracked.expected)


def first_seen(tracked: Tracked) -> WallMs | None:
    """The first segment or the announcement of an end, whichever came first."""
    return least(tracked.first_received_at, tracked.ended_at)


def latest_end(tracked: Tracked, policy: Policy) -> WallMs | None:
    """The latest instant at which the recording can have ended, by our own clock."""
    seen = first_seen(tracked)
    if seen is None:
        return tracked.expected_end
    if tracked.ends == "next_block":
        return wall(seen + policy.block_s * 1000)
    return tracked.last_received_at or seen if tracked.ends == "idle" else seen


def _store_is_to_blame(tracked: Tracked, at: WallMs, outages: Sequence[Outage], policy: Policy) -> bool:
    """Whether the store worked for too short a time between all of the recording being here and its deadline."""
    here = max(tracked.last_received_at or 0, tracked.ended_at or 0)
    if tracked.ends == "next_block":
        here = max(tracked.last_received_at or 0, tracked.claimed_end or 0)
    out = joined((out.start, at if out.end is None else out.end) for out in outages)
    out_ms = sum(end - start for start, end in both([(here, at)] if here < at else [], out))
    return out_ms > 0 and (at - here) - out_ms < policy.deadline_s * 1000 // STORE_PARTS


def _clock_is_wrong(tracked: Tracked, policy: Policy) -> bool:
    bound, seen = latest_end(tracked, policy), first_seen(tracked)
    if bound is None or seen is None or tracked.claimed_end is None:
        return False
    return tracked.claimed_end > bound + CLOCK_TRUST_MS or tracked.claimed_end < seen - CLOCK_PAST_MS


def _fields(tracked: Tracked, policy: Policy) -> tuple[str, ...]:
    return () if tracked.source_kind in policy.standing_description_kinds else policy.mandatory_of(tracked.unit)


def _latest(instants: list[WallMs | None]) -> WallMs | None:
    known = [at for at in instants if at is not None]
    return max(known) if len(known) == len(instants) else None


def least(one: T | None, other: T | None) -> T | None:
    """The smaller of those that are there."""
    return other if one is None else one if other is None else min(one, other)


def most(one: T | None, other: T | None) -> T | None:
    """The greater of those that are there."""
    return other if one is None else one if other is None else max(one, other)


def wall(at: int) -> WallMs:
    """*at* inside what can be written: a hostile claim must not stop the source."""
    return WallMs(min(max(at, 0), MAX_WALL_MS))
