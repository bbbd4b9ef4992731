"""Deadline: 24 hours from the end of a recording to archive it with its case data (article 9).

One fold per source over what lands, what is said and what is archived; :mod:`tracked <pipeline.domain.tracked>` says what
follows for one recording, :mod:`expectation <pipeline.domain.expectation>` which ones must exist, and :mod:`docket
<pipeline.domain.docket>` keeps them.

Rule 1: what is kept are extremes of sets (first, last, earliest statement), so the topics may interleave in any way.
Rule 2: met when a receipt of everything that landed and every mandatory field are dated at or before the deadline; judged
by those dates, never by when the news arrived.
Rule 3: a miss is called once and stays. It is called by a ``deadline_due`` annotation (the timer's only effect) or, if
the timer was down, by the late completion itself. What completes afterwards is ``late``; a ``late`` dated before the
deadline means that the proof arrived after the miss had been called.
Rule 4: what arrives of a met recording before its deadline opens it again, with the same deadline. What arrives after it
is noted once as ``late``, at once, and counts as not archived until a receipt covers it; later explanations and metadata
are no lateness.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeAlias

from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.docket import Changes, DeadlineChanged, Finished, SourceDeadlines, change, keep
from pipeline.domain.duty import end_silence, with_file
from pipeline.domain.expectation import OF_THE_SOURCE, answer
from pipeline.domain.identity import RecordingId
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.recording import DIGEST_CHARS, holds
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import (
    DeadlineState,
    Progress,
    Tracked,
    claimed_end,
    complete_at,
    deadline_at,
    first_seen,
    least,
    most,
)

__all__ = ["Heard", "step"]

MAX_TOLD: Final = 64
"""Annotations of one recording recognised as repeats."""
MAX_MARKS: Final = 16384
"""Originals of one recording whose digests are remembered until its deadline is decided."""
_OF_A_RECORDING: Final = ("metadata", "session_ended", "deadline_due")

Heard: TypeAlias = SegmentLanded | Annotation | RecordingStitched | RecordingArchived


def step(state: SourceDeadlines, event: Heard, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """Take one event in; returns the next state and what changed, in order."""
    if isinstance(event, Annotation) and event.kind in OF_THE_SOURCE:
        return OF_THE_SOURCE[event.kind](state, event, policy)
    silence: Changes = ()
    if isinstance(event, SegmentLanded):
        if event.announcement <= state.heard.get(event.connector, 0):
            return state, ()
        heard = {**state.heard, event.connector: event.announcement}
        camera, silence = end_silence(state.camera, with_file(state.camera, event, policy), event)
        state = replace(state, source_kind=event.source_kind, unit=event.unit, heard=heard, camera=camera)
    state, changes = _recording(state, event, policy)
    return state, (*changes, *silence)


def _recording(state: SourceDeadlines, event: Heard, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    if event.recording_id is None or (isinstance(event, Annotation) and event.kind not in _OF_A_RECORDING):
        return state, ()
    done = state.finished.get(event.recording_id)
    if done is not None and done.state != "withdrawn":
        return _after(state, event, done, policy)
    now = event.made_at if isinstance(event, Annotation) and event.kind == "deadline_due" else None
    known = state.open.get(event.recording_id, Tracked(recording_id=event.recording_id))
    if now is not None and known.state is None:
        return state, ()
    answered: Changes = ()
    if isinstance(event, SegmentLanded) and not known.landed:
        state, known, answered = answer(state, known, event, policy)
    tracked = _learn(state, known, event, policy)
    tracked, changes = _judge(state, tracked, now, policy)
    return keep(state, tracked, policy), (*answered, *changes)


# -- learning ------------------------------------------------------------------------------------------------------------


def _learn(state: SourceDeadlines, known: Tracked, event: Heard, policy: Policy) -> Tracked:
    if isinstance(event, SegmentLanded):
        return _landed(known, event, policy)
    if isinstance(event, RecordingArchived):
        return _archived(known, event)
    if isinstance(event, RecordingStitched):
        return replace(known, verified=True)
    if event.kind == "metadata" and event.metadata is not None:
        if event.annotation_id in known.told:
            return known  # a repeat, or another statement under its id, which continuity sets aside
        stated = dict.fromkeys(_stated(event.metadata), event.made_at)
        earliest = {name: min(at, known.described.get(name, at)) for name, at in stated.items()}
        told = (*known.told, event.annotation_id)[-MAX_TOLD:]
        return replace(known, described={**known.described, **earliest}, told=told)
    if event.kind == "session_ended" and known.kept_at is None:
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
    mark = landed.object.sha256[:DIGEST_CHARS]
    new = not holds(known.covered, mark) and not holds(known.unarchived, mark)
    return replace(
        known,
        source_kind=landed.source_kind,
        unit=landed.unit,
        ends=landed.ends,
        landed=known.landed + 1,
        claimed_end=most(known.claimed_end, claimed_end(landed, policy)) if counts else known.claimed_end,
        first_received_at=least(known.first_received_at, landed.received_at),
        last_received_at=most(known.last_received_at, landed.received_at) if counts else known.last_received_at,
        archived_at=None if new else known.archived_at,
        unarchived=(known.unarchived + mark)[-MAX_MARKS * DIGEST_CHARS :] if new else known.unarchived,
    )


def _archived(known: Tracked, archived: RecordingArchived) -> Tracked:
    """A receipt says what our own memory of the segments may have lost; where both know, the memory counts."""
    covered = _marks(archived)
    unarchived = _without(known.unarchived, covered)
    return replace(
        known,
        source_kind=known.source_kind or archived.source_kind,
        unit=known.unit or archived.unit,
        claimed_end=known.claimed_end if known.first_received_at is not None else archived.ended_at,
        first_received_at=least(known.first_received_at, archived.first_received_at),
        archived_at=known.archived_at if unarchived else least(known.archived_at, archived.archived_at),
        originals=max(known.originals, len(archived.originals)),
        covered=max(known.covered, covered, key=len)[-MAX_MARKS * DIGEST_CHARS :],
        unarchived=unarchived,
    )


def _marks(archived: RecordingArchived) -> str:
    return "".join(item.object.sha256[:DIGEST_CHARS] for item in archived.originals)


def _without(marks: str, covered: str) -> str:
    """Those of *marks* that are not among *covered*."""
    gone = {covered[at : at + DIGEST_CHARS] for at in range(0, len(covered), DIGEST_CHARS)}
    each = (marks[at : at + DIGEST_CHARS] for at in range(0, len(marks), DIGEST_CHARS))
    return "".join(mark for mark in each if mark not in gone)


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
    state: SourceDeadlines, tracked: Tracked, now: WallMs | None, policy: Policy
) -> tuple[Tracked, tuple[DeadlineChanged, ...]]:
    at = deadline_at(tracked, policy)
    if at is None or tracked.unit is None or tracked.source_kind is None:
        return tracked, ()
    moves: list[tuple[DeadlineState, WallMs]] = []
    seen = first_seen(tracked)
    if tracked.state is None or (tracked.state == "expected" and seen is not None):
        moves.append(("tracked", seen or at))
    complete = complete_at(tracked, policy)
    missed = tracked.state == "missed"
    if complete is not None and not missed and complete <= at:
        moves.append(("met", complete))
    elif complete is not None:
        moves += [("late", complete)] if missed else [("missed", at), ("late", complete)]
    elif now is not None and not missed and now > at:
        moves.append(("missed", now))
    elif now is not None and tracked.state in ("expected", "tracked") and now >= at - policy.at_risk_before_s * 1000:
        moves.append(("at_risk", now))
    changes = tuple(change(state, tracked, at, move, when, policy) for move, when in moves)
    return (replace(tracked, state=moves[-1][0]) if moves else tracked), changes


# -- afterwards ----------------------------------------------------------------------------------------------------------


def _after(state: SourceDeadlines, event: Heard, done: Finished, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """What still happens to a decided deadline: further files open it again or are noted, receipts cover them."""
    if isinstance(event, SegmentLanded):
        return _further_file(state, event, done, policy)
    if not isinstance(event, RecordingArchived):
        return state, ()
    unarchived = _without(done.unarchived, _marks(event))
    if len(event.originals) <= done.originals:
        return _decided(state, event.recording_id, replace(done, unarchived=unarchived)), ()
    late = done.state == "met" and event.archived_at > done.at
    after = replace(
        done,
        state="late" if late else done.state,
        originals=len(event.originals),
        covered=_marks(event) if done.covered else "",
        unarchived=unarchived,
    )
    state = _decided(state, event.recording_id, after)
    return state, (_noted(state, event.recording_id, done, "late", event.archived_at, "archived"),) if late else ()


def _further_file(
    state: SourceDeadlines, landed: SegmentLanded, done: Finished, policy: Policy
) -> tuple[SourceDeadlines, Changes]:
    mark = landed.object.sha256[:DIGEST_CHARS]
    name = landed.recording_id
    known = (
        holds(done.covered, mark) if done.covered else done.originals and landed.received_at <= (done.completed_at or 0)
    )
    if known or holds(done.unarchived, mark):
        return state, ()
    if done.state == "met" and landed.received_at <= done.at:
        assert done.completed_at is not None
        again = Tracked(
            recording_id=name,
            state="tracked",
            kept_at=done.at,
            described=dict.fromkeys(policy.mandatory_of(done.unit), done.completed_at),
            originals=done.originals,
            covered=done.covered,
            ended_at=landed.received_at,
        )
        again = _landed(again, landed, policy)
        finished = {other: entry for other, entry in state.finished.items() if other != name}
        opened = change(state, again, done.at, "tracked", landed.received_at, policy)
        return keep(replace(state, finished=finished), again, policy), (opened,)
    late = done.state == "met"
    after = replace(done, state="late" if late else done.state, unarchived=done.unarchived + mark)
    state = _decided(state, name, after)
    return state, (_noted(state, name, done, "late", landed.received_at, "received"),) if late else ()


def _decided(state: SourceDeadlines, name: RecordingId, done: Finished) -> SourceDeadlines:
    return replace(state, finished={**state.finished, name: done})


def _noted(
    state: SourceDeadlines, name: RecordingId, done: Finished, what: DeadlineState, when: WallMs, far: Progress
) -> DeadlineChanged:
    return DeadlineChanged(
        source_id=state.source_id,
        source_kind=done.source_kind,
        unit=done.unit,
        recording_id=name,
        at=done.at,
        state=what,
        changed_at=when,
        progress=far,
    )
