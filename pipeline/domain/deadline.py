"""Deadline: 24 hours from the end of a recording to archive it with its case data (article 9).

When the 24 hours begin (T0) must not depend on a clock nobody checked, so the end the source claims counts only up to
what we know ourselves:

- ``declared`` (docked, imported whole): T0 = min(claimed end, first seen). Everything was recorded before it was seen.
- ``next_block`` (continuous camera): T0 = min(end of the block, first seen + one block).
- ``idle`` (sent while recording): T0 = min(claimed end, last seen before its end was announced).

Until the end is announced (of a block it is known) and all it counts has been heard of, the claimed end may still grow,
so it does not count yet: half an import must not look like a missed deadline. A claim is corrected by the measured clock offset first. Where a file states only its start, the start stands for the
end: the deadline is then early by at most one file. "First seen" is the first segment or the announcement of an end,
whichever came first, so a recording that was announced and never arrived has a deadline too.

Rule 1: what is kept are extremes of sets (first, last, earliest statement), so three topics may interleave in any way.
Rule 2: met when the first receipt and every mandatory field are dated at or before the deadline; judged by those dates,
never by when the news arrived.
Rule 3: a miss is called once and stays. It is called by a ``deadline_due`` annotation (the timer's only effect) or, if
the timer was down, by the late completion itself. What completes afterwards is ``late``; a ``late`` dated before the
deadline means that the proof arrived after the miss had been called.
Rule 4: a met deadline stays met. If a later revision brings further originals after the deadline, that is noted once as
``late``; later explanations and metadata are no lateness.
Rule 5: a bounded number of finished and missed recordings is remembered per source, as long as continuity can reopen them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, about_recording
from pipeline.domain.landing import Ends, SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.time import MAX_WALL_MS, WallMs

DeadlineState = Literal["tracked", "at_risk", "met", "missed", "late"]
Cause = Literal["not_docked", "transfer", "metadata", "store", "pipeline", "clock", "unknown"]

CLOCK_TRUST_MS: Final = 5_000
"""A claimed end this far beyond what is possible is a wrong clock, not a late one."""
CLOCK_PAST_MS: Final = 30 * 24 * 3600 * 1000
"""A claimed end this long before the recording was first seen is a clock that fell back to its factory date."""
WAITING_MAX: Final = 1024
"""Recordings of a source that were described before anything of them was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineChanged:
    """A recording's deadline moved to ``state``. A miss stays a miss: what arrives afterwards is ``late``, not ``met``.

    ``at``: T0 + the policy's deadline, as known at this change (``tracked`` says it before the end is known).
    ``changed_at``: the event time that decided it (never the reader's clock). ``cause``: of a miss.
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    at: WallMs
    state: DeadlineState
    changed_at: WallMs
    cause: Cause | None = None
    missing_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A recording whose deadline is open, or missed and not made up for. ``state`` is ``None`` until it can be tracked.

    ``ended_at``: when its end was first announced, and ``expected``: how many segments that end counted. ``described``:
    when each field was first stated. ``archived_at``: the earliest receipt; ``originals``: how many distinct originals the
    largest receipt covers.
    """

    recording_id: RecordingId
    state: DeadlineState | None = None
    source_kind: SourceKind | None = None
    unit: str | None = None
    ends: Ends | None = None
    claimed_end: WallMs | None = None
    first_received_at: WallMs | None = None
    last_received_at: WallMs | None = None
    ended_at: WallMs | None = None
    expected: int | None = None
    landed: int = 0
    described: dict[str, WallMs] = field(default_factory=dict)
    archived_at: WallMs | None = None
    originals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A deadline that is decided: ``met``, ``late``, or ``missed`` and no longer waited for."""

    state: DeadlineState
    at: WallMs
    source_kind: SourceKind
    unit: str
    originals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDeadlines:
    """All deadlines of one source. ``heard``: the last announcement of each connector, so that a repeat changes nothing."""

    source_id: SourceId
    source_kind: SourceKind | None = None
    unit: str | None = None
    heard: dict[str, int] = field(default_factory=dict)
    open: dict[RecordingId, Tracked] = field(default_factory=dict)
    finished: dict[RecordingId, Finished] = field(default_factory=dict)


def step(
    state: SourceDeadlines, event: SegmentLanded | Annotation | RecordingArchived, policy: Policy
) -> tuple[SourceDeadlines, tuple[DeadlineChanged, ...]]:
    """Take one event in; returns the next state and what changed, in order."""
    if isinstance(event, SegmentLanded):
        if event.announcement <= state.heard.get(event.connector, 0):
            return state, ()
        state = replace(
            state,
            source_kind=event.source_kind,
            unit=event.unit,
            heard={**state.heard, event.connector: event.announcement},
        )
    if event.recording_id is None or (isinstance(event, Annotation) and not _speaks(event)):
        return state, ()
    done = state.finished.get(event.recording_id)
    if done is not None:
        return _after(state, event, done)
    now = event.made_at if isinstance(event, Annotation) and event.kind == "deadline_due" else None
    known = state.open.get(event.recording_id, Tracked(recording_id=event.recording_id))
    if now is not None and known.state is None:
        return state, ()
    tracked = _learn(state, known, event, policy)
    tracked, changes = _judge(state.source_id, tracked, now, policy)
    return _keep(state, tracked, policy), changes


def deadline_at(tracked: Tracked, policy: Policy) -> WallMs | None:
    """T0 + the policy's deadline with what is known now; ``None`` while nothing of the recording was seen."""
    bound = _bound(tracked, policy)
    if bound is None:
        return None
    end = tracked.claimed_end
    settled = _is_whole(tracked, MAX_WALL_MS) or tracked.archived_at is not None
    start = bound if end is None or not settled else min(end, bound)
    return _wall(start + policy.deadline_s * 1000)


# -- learning ------------------------------------------------------------------------------------------------------------


def _speaks(said: Annotation) -> bool:
    return said.kind in ("metadata", "session_ended", "deadline_due")


def _learn(
    state: SourceDeadlines, known: Tracked, event: SegmentLanded | Annotation | RecordingArchived, policy: Policy
) -> Tracked:
    if isinstance(event, SegmentLanded):
        return _landed(known, event, policy)
    if isinstance(event, RecordingArchived):
        return _archived(known, event)
    if event.kind == "metadata" and event.metadata is not None:
        stated = dict.fromkeys(_stated(event.metadata), event.made_at)
        earliest = {name: min(at, known.described.get(name, at)) for name, at in stated.items()}
        return replace(known, described={**known.described, **earliest})
    if event.kind == "session_ended":
        first = known.ended_at is None or event.made_at < known.ended_at
        return replace(
            known,
            ended_at=event.made_at if first else known.ended_at,
            expected=event.ended.expected_segments if first and event.ended is not None else known.expected,
            source_kind=known.source_kind or state.source_kind,
            unit=known.unit or event.unit or state.unit,
        )
    return known


def _landed(known: Tracked, landed: SegmentLanded, policy: Policy) -> Tracked:
    counts = known.ended_at is None or landed.received_at <= known.ended_at
    return replace(
        known,
        source_kind=landed.source_kind,
        unit=landed.unit,
        ends=landed.ends,
        landed=known.landed + 1,
        claimed_end=_most(known.claimed_end, claimed_end(landed, policy)) if counts else known.claimed_end,
        first_received_at=_least(known.first_received_at, landed.received_at),
        last_received_at=_most(known.last_received_at, landed.received_at) if counts else known.last_received_at,
    )


def claimed_end(landed: SegmentLanded, policy: Policy) -> WallMs | None:
    """When the source says this segment's recording ended at the earliest, corrected by its measured clock offset."""
    claim = landed.claimed_start if landed.ends == "next_block" else landed.claimed_end or landed.claimed_start
    if claim is None:
        return None
    block_ms = policy.block_s * 1000
    end = claim.at - claim.at % block_ms + block_ms if landed.ends == "next_block" else claim.at
    return _wall(end - (landed.clock_offset_ms or 0))


def _archived(known: Tracked, archived: RecordingArchived) -> Tracked:
    """A receipt says what our own memory of the segments may have lost; where both know, the memory counts."""
    return replace(
        known,
        source_kind=known.source_kind or archived.source_kind,
        unit=known.unit or archived.unit,
        claimed_end=known.claimed_end if known.first_received_at is not None else archived.ended_at,
        first_received_at=_least(known.first_received_at, archived.first_received_at),
        archived_at=_least(known.archived_at, archived.archived_at),
        originals=max(known.originals, len(archived.originals)),
    )


def _stated(metadata: Metadata) -> tuple[str, ...]:
    named = (
        ("case_name", metadata.case_name),
        ("party_name", metadata.party_name),
        ("recorded_date", metadata.recorded_date),
        *metadata.extra,
    )
    return tuple(name for name, text in named if text is not None and text.strip())


# -- judging -------------------------------------------------------------------------------------------------------------


def _judge(
    source: SourceId, tracked: Tracked, now: WallMs | None, policy: Policy
) -> tuple[Tracked, tuple[DeadlineChanged, ...]]:
    at = deadline_at(tracked, policy)
    if at is None or tracked.unit is None or tracked.source_kind is None:
        return tracked, ()
    moves: list[tuple[DeadlineState, WallMs]] = []
    if tracked.state is None:
        moves.append(("tracked", _seen(tracked) or at))
    complete = _complete_at(tracked, policy)
    missed = tracked.state == "missed"
    if complete is not None and not missed and complete <= at:
        moves.append(("met", complete))
    elif complete is not None:
        moves += [("late", complete)] if missed else [("missed", at), ("late", complete)]
    elif now is not None and not missed and now > at:
        moves.append(("missed", now))
    elif now is not None and tracked.state == "tracked" and now >= at - policy.at_risk_before_s * 1000:
        moves.append(("at_risk", now))
    changes = tuple(_change(source, tracked, at, state, when, policy) for state, when in moves)
    return (replace(tracked, state=moves[-1][0]) if moves else tracked), changes


def _change(
    source: SourceId, tracked: Tracked, at: WallMs, state: DeadlineState, when: WallMs, policy: Policy
) -> DeadlineChanged:
    assert tracked.unit is not None
    assert tracked.source_kind is not None
    missing = () if state in ("met", "late") else _missing(tracked, at if state == "missed" else when, policy)
    return DeadlineChanged(
        source_id=source,
        source_kind=tracked.source_kind,
        unit=tracked.unit,
        recording_id=tracked.recording_id,
        at=at,
        state=state,
        changed_at=when,
        cause=_cause(tracked, at, policy) if state == "missed" else None,
        missing_fields=missing,
    )


def _cause(tracked: Tracked, at: WallMs, policy: Policy) -> Cause:
    """Why the deadline passed: the first condition on the way into the archive that did not hold at *at*."""
    if _clock_is_wrong(tracked, policy):
        return "clock"
    if tracked.first_received_at is None or tracked.first_received_at > at:
        return "not_docked"
    if tracked.archived_at is not None and tracked.archived_at <= at:
        return "metadata"
    return "pipeline" if _is_whole(tracked, at) else "transfer"


def _is_whole(tracked: Tracked, when: WallMs) -> bool:
    """By *when* the end was announced (of a block it is known) and every segment it counts has been heard of."""
    if tracked.ends == "next_block":
        return True
    ended = tracked.ended_at is not None and tracked.ended_at <= when
    return ended and (tracked.expected is None or tracked.landed >= tracked.expected)


def _clock_is_wrong(tracked: Tracked, policy: Policy) -> bool:
    bound = _bound(tracked, policy)
    seen = _seen(tracked)
    if bound is None or seen is None or tracked.claimed_end is None:
        return False
    return tracked.claimed_end > bound + CLOCK_TRUST_MS or tracked.claimed_end < seen - CLOCK_PAST_MS


def _complete_at(tracked: Tracked, policy: Policy) -> WallMs | None:
    """When the last condition of article 9 came true, by the dates of the receipt and the statements."""
    if tracked.archived_at is None:
        return None
    needed = [tracked.described.get(name) for name in _fields(tracked, policy)]
    return _latest([tracked.archived_at, *needed])


def _missing(tracked: Tracked, when: WallMs, policy: Policy) -> tuple[str, ...]:
    return tuple(name for name in _fields(tracked, policy) if tracked.described.get(name, MAX_WALL_MS) > when)


def _fields(tracked: Tracked, policy: Policy) -> tuple[str, ...]:
    return () if tracked.source_kind in policy.standing_description_kinds else policy.mandatory_fields


def _seen(tracked: Tracked) -> WallMs | None:
    return _least(tracked.first_received_at, tracked.ended_at)


def _bound(tracked: Tracked, policy: Policy) -> WallMs | None:
    """The latest instant at which the recording can have ended, by our own clock."""
    seen = _seen(tracked)
    if seen is None:
        return None
    if tracked.ends == "next_block":
        return _wall(seen + policy.block_s * 1000)
    return tracked.last_received_at or seen if tracked.ends == "idle" else seen


# -- keeping -------------------------------------------------------------------------------------------------------------


def _keep(state: SourceDeadlines, tracked: Tracked, policy: Policy) -> SourceDeadlines:
    """Put the recording back where it belongs and forget the oldest of what is bounded."""
    before = state.open.get(tracked.recording_id)
    opened = {**state.open, tracked.recording_id: tracked}
    finished = dict(state.finished)
    if tracked.state in ("met", "late"):
        _finish(opened, finished, tracked.recording_id, policy)
    elif before is None or before.state != tracked.state:
        missed = [name for name, entry in opened.items() if entry.state == "missed"]
        for name in missed[: max(0, len(missed) - policy.remembered_closed_recordings)]:
            _finish(opened, finished, name, policy)
        waiting = [name for name, entry in opened.items() if entry.state is None]
        for name in waiting[: max(0, len(waiting) - WAITING_MAX)]:
            del opened[name]
    for name in list(finished)[: max(0, len(finished) - policy.remembered_closed_recordings)]:
        del finished[name]
    return replace(state, open=opened, finished=finished)


def _finish(
    opened: dict[RecordingId, Tracked], finished: dict[RecordingId, Finished], name: RecordingId, policy: Policy
) -> None:
    tracked = opened.pop(name)
    at = deadline_at(tracked, policy)
    assert at is not None
    assert tracked.state is not None
    assert tracked.unit is not None
    assert tracked.source_kind is not None
    finished[name] = Finished(
        state=tracked.state, at=at, source_kind=tracked.source_kind, unit=tracked.unit, originals=tracked.originals
    )


def _after(
    state: SourceDeadlines, event: SegmentLanded | Annotation | RecordingArchived, done: Finished
) -> tuple[SourceDeadlines, tuple[DeadlineChanged, ...]]:
    """What still happens to a decided deadline: nothing, except that further originals after it are noted once."""
    if not isinstance(event, RecordingArchived) or len(event.originals) <= done.originals:
        return state, ()
    late = done.state == "met" and event.archived_at > done.at
    after = replace(done, state="late" if late else done.state, originals=len(event.originals))
    state = replace(state, finished={**state.finished, event.recording_id: after})
    if not late:
        return state, ()
    change = DeadlineChanged(
        source_id=state.source_id,
        source_kind=done.source_kind,
        unit=done.unit,
        recording_id=event.recording_id,
        at=done.at,
        state="late",
        changed_at=event.archived_at,
    )
    return state, (change,)


T = TypeVar("T", bound=int)


def _least(one: T | None, other: T | None) -> T | None:
    return other if one is None else one if other is None else min(one, other)


def _most(one: T | None, other: T | None) -> T | None:
    return other if one is None else one if other is None else max(one, other)


def _latest(instants: list[WallMs | None]) -> WallMs | None:
    known = [at for at in instants if at is not None]
    return max(known) if len(known) == len(instants) else None


def _wall(at: int) -> WallMs:
    """*at* inside what can be written: a hostile claim must not stop the source."""
    return WallMs(min(max(at, 0), MAX_WALL_MS))
