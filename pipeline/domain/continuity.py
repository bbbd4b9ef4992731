"""Continuity: is a recording whole, and if not, exactly where not?

One fold per source puts its segments and annotations into a single ordered history (:class:`Judged`, positions without a
hole) and decides when each :mod:`recording <pipeline.domain.recording>` ends. The rules:

1. An announcement counts once. A repeat changes nothing; a number that never came is a finding on the recording of the
   next one, and is forgiven when it comes.
2. A recording ends when its sender says so and every announced segment is here, when a continuous camera is well into
   its next block, or when nothing came for long. What arrives afterwards reopens it: a segment until it ends again, an
   explanation, a case's fields or a schedule at once, because they announce nothing further. Each end is a new revision.
3. A continuous camera's block begins where its last block ended: what is missing between two of them belongs to the later
   one, and is told once both have ended.
4. The account at the end follows from the set of what came, not from its order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from pipeline.domain.account import Account, Gap, GapState, Run, account
from pipeline.domain.annotation import (
    Annotation,
    EndReason,
    Explanation,
    ScheduleWindow,
    SessionEnded,
    is_repeat,
    mark,
)
from pipeline.domain.announcements import Island, announced, hole_before, holes_before
from pipeline.domain.canary import CANARY
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.identity import RecordingId, SourceId, recording_id, source_id
from pipeline.domain.pieces import extent
from pipeline.domain.policy import Policy
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.recording import (
    DIGEST_CHARS,
    GAP_CLASSES,
    JudgedSegment,
    Recording,
    RecordingEnded,
    Said,
    Verdict,
    admit,
    first_said,
    gap_class,
    gaps_of,
    holds,
    tell,
)
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import at_rest

__all__ = [
    "Gap", "GapState", "Judged", "JudgedSegment", "Recording", "RecordingEnded", "Run", "SourceState", "Verdict",
    "idle_ends", "remembered", "so_far", "standing_gaps", "step", "with_windows",
]  # fmt: skip

JudgedKind = Literal["segment", "annotation", "ended"]

_NOBODY: Final = SourceId("")

MAX_CLOSED_DIGESTS: Final = 256
"""Files whose bytes are still recognised in all ended recordings of a source together, the latest first; others are recognised by their
place, as overlaps."""
MAX_SEEN: Final = 64
"""Annotations of one recording recognised as repeats."""
MAX_WINDOWS: Final = 128
MAX_FORGOTTEN: Final = 512
"""Ended recordings, no longer remembered, that are still known to have been: a late segment must not begin them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One item of a source's single ordered history; ``position`` counts them from 1 without a hole."""

    source_id: SourceId
    recording_id: RecordingId | None
    position: int
    kind: JudgedKind
    segment: JudgedSegment | None = None
    annotation: Annotation | None = None
    ended: RecordingEnded | None = None

    def __post_init__(self) -> None:
        present = [name for name in ("segment", "annotation", "ended") if getattr(self, name) is not None]
        if present != [self.kind]:
            raise ValueError(f"a judged {self.kind} carries exactly that, found {present or 'nothing'}")
        if self.position < 1:
            raise ValueError(f"positions count from 1, found {self.position}")
        source_id(self.source_id)
        if self.recording_id is not None:
            recording_id(self.recording_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What is remembered of one source. ``position`` is that of the last judged item; ``windows`` its schedule."""

    source_id: SourceId = _NOBODY
    position: int = 0
    connectors: Mapping[str, tuple[Island, ...]] = field(default_factory=dict)
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    windows: tuple[Said, ...] = ()
    forgotten: str = ""


Step = tuple[SourceState, tuple[Judged, ...]]


def step(state: SourceState, event: SegmentProbed | Annotation, policy: Policy) -> Step:
    """Judge one event of a source. Returns the next state and what goes on, in order; a repeat returns *state* and nothing.

    Raises :class:`HistoryMissing` for an event of a recording that ended so long ago that it is no longer remembered, and
    :class:`StatementDiffers` for a statement whose id was used before for another.
    """
    if isinstance(event, SegmentProbed):
        return _segment(state, event, policy)
    if event.kind == "schedule_window":
        return _window(state, event, policy)
    if event.kind == "session_ended":
        return _session_ended(state, event, policy)
    if event.kind in ("explanation", "metadata"):
        return _statement(state, event, policy)
    return state, ()


def remembered(
    state: SourceState, position: int, said: SegmentProbed | Annotation | RecordingEnded, policy: Policy
) -> SourceState:
    """*state* after its history's item *said* at *position*: nothing is decided anew, so no other policy ends anything.

    What history does not tell stays unknown: which ends were announced.
    """
    state = replace(state, position=position)
    if isinstance(said, SegmentProbed):
        landed = said.landed
        islands = state.connectors.get(landed.connector, ())
        joined = announced(islands, landed.announcement, landed.recording_id)
        recording, _ = admit(state.recordings.get(landed.recording_id) or Recording(), said, policy)
        state = replace(state, connectors={**state.connectors, landed.connector: joined or islands})
        return _keep(state, landed.recording_id, recording)
    if isinstance(said, Annotation):
        name = _named(said)
        return _keep(state, name, _heard(state.recordings.get(name) or Recording(), said))
    recording = state.recordings.get(said.recording_id) or Recording()
    recording = recording._replace(expected=recording.expected or said.expected_segments)
    return _prune(_keep(state, said.recording_id, _closed(recording, said, position)), policy)


def with_windows(state: SourceState, statements: Sequence[Annotation]) -> SourceState:
    """*state* that knows the schedule windows among *statements*; nothing is told anew."""
    said = [
        Said(one.window.start, one.window.end, one.window.reason, one.annotation_id, one.made_at)
        for one in statements
        if one.window is not None
    ]
    return replace(state, windows=tuple(sorted({*state.windows, *said})[-MAX_WINDOWS:]))


def idle_ends(state: SourceState, now: WallMs, policy: Policy) -> tuple[Annotation, ...]:
    """The ends to be said at *now* because nothing came for the policy's idle time. Repeating one does no harm."""
    return tuple(
        Annotation(
            annotation_id=f"idle-{name}-{recording.revision + 1}",
            kind="session_ended",
            source_id=state.source_id,
            recording_id=RecordingId(name),
            made_at=now,
            made_by="idle timer",
            ended=SessionEnded(reason="idle"),
        )
        for name, recording in sorted(state.recordings.items())
        if not recording.closed and recording.segments and _is_idle(recording, now, policy)
    )


def so_far(state: SourceState, name: RecordingId, policy: Policy) -> RecordingEnded:
    """The account as it stands: as if the recording ended now, its gaps still ``open``. To be shown, never passed on.

    Raises ``KeyError`` for a recording that is not remembered or of which no segment came yet.
    """
    recording = state.recordings[name]
    if recording.kind is None:
        raise KeyError(name)
    told, more = _told(state, name, policy), list(holes_before(state.connectors, name))
    stands = tell(name, state.source_id, recording, told, "idle", state.windows, more, policy)
    return replace(stands, gaps=tuple(replace(gap, state="open") for gap in stands.gaps))


def standing_gaps(states: Iterable[SourceState]) -> Counter[tuple[str, str]]:
    """How many gaps the ended recordings that are remembered have now, by unit and class; zeros for units without any. The
    canary's count in nothing."""
    found: Counter[tuple[str, str]] = Counter()
    for state in (state for state in states if state.source_id != CANARY):
        for recording in state.recordings.values():
            for name in GAP_CLASSES if recording.closed else ():
                found[recording.unit, name] += recording.standing.get(name, 0)
    return found


def _is_idle(recording: Recording, now: WallMs, policy: Policy) -> bool:
    return now - recording.last_received_at >= policy.idle_end_s * 1000


# Segments.


def _segment(state: SourceState, probed: SegmentProbed, policy: Policy) -> Step:
    landed = probed.landed
    name = landed.recording_id
    islands = state.connectors.get(landed.connector, ())
    joined = announced(islands, landed.announcement, name)
    if joined is None:
        return state, ()
    recording = _recall(state, name)
    recording, judged = admit(recording, probed, policy, hole_before(islands, landed.announcement))
    connectors = {**state.connectors, landed.connector: joined}
    state = replace(state, source_id=landed.source_id, connectors=connectors)
    state, items = _say(state, name, [judged, *recording.held])
    state = _keep(state, name, recording._replace(held=()) if recording.held else recording)
    state, ended = _end_if_complete(state, name, policy)
    state, blocks = _end_blocks(state, probed, policy)
    return state, (*items, *ended, *blocks)


# Annotations.


def _statement(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    """An explanation or a case's fields: kept, passed on, and an ended recording's account is given anew."""
    name = _named(annotation)
    recording = _recall(state, name)
    if is_repeat(annotation, recording.seen):
        return state, ()
    recording = _heard(recording, annotation)
    state = replace(state, source_id=annotation.source_id)
    if recording.kind is None:
        return _keep(state, name, recording._replace(held=(*recording.held, annotation))), ()
    state, items = _say(_keep(state, name, recording), name, [annotation])
    if not recording.closed or recording.reason is None:
        return state, items
    state, ended = _end(state, name, recording.reason, policy)
    return state, (*items, *ended)


def _heard(recording: Recording, annotation: Annotation) -> Recording:
    recording = recording._replace(seen=(*recording.seen, mark(annotation))[-MAX_SEEN:])
    if annotation.explanation is None:
        return recording
    said = _said(annotation, annotation.explanation)
    return recording._replace(said=tuple(sorted({*recording.said, said}, key=first_said)))


def _session_ended(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    name, ended = _named(annotation), annotation.ended
    assert ended is not None
    recording = _recall(state, name)
    if ended.reason == "idle":  # said by a timer that read an older state than this
        if recording.closed or not recording.segments or not _is_idle(recording, annotation.made_at, policy):
            return state, ()
        return _end(state, name, "idle", policy)
    if is_repeat(annotation, recording.seen):
        return state, ()
    expected = max(recording.expected or 0, ended.expected_segments or 0)
    outstanding = (
        not recording.closed or recording.segments < expected
    )  # the end may overtake the segments it announces
    recording = recording._replace(
        seen=(*recording.seen, mark(annotation))[-MAX_SEEN:],
        expected=expected or None,
        pending=ended.reason if outstanding else recording.pending,
    )
    state = _keep(replace(state, source_id=annotation.source_id), name, recording)
    return _end_if_complete(state, name, policy)


def _window(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    """A schedule window: ended recordings whose gaps it explains are told anew."""
    window = annotation.window
    assert window is not None
    known = [
        mark(replace(annotation, window=ScheduleWindow(start=said.start, end=said.end, reason=said.reason)))
        for said in state.windows
        if said.annotation_id == annotation.annotation_id
    ]
    if is_repeat(annotation, known):
        return state, ()
    after = with_windows(replace(state, source_id=annotation.source_id), [annotation])
    return _tell_anew(state, after, list(state.recordings), policy)


def _named(annotation: Annotation) -> RecordingId:
    assert annotation.recording_id is not None  # the annotation's own rule
    return annotation.recording_id


def _said(annotation: Annotation, body: Explanation) -> Said:
    return Said(
        body.gap_start,
        body.gap_end,
        body.reason,
        annotation.annotation_id,
        annotation.made_at,
        body.voice_start,
        body.voice_end,
    )


# Ends.


def _end_if_complete(state: SourceState, name: RecordingId, policy: Policy) -> Step:
    """End a recording whose sender said so, once as many segments came as it announced."""
    recording = state.recordings[name]
    if recording.pending is None or not recording.segments or recording.segments < (recording.expected or 0):
        return state, ()
    return _end(state, name, recording.pending, policy)


def _end_blocks(state: SourceState, probed: SegmentProbed, policy: Policy) -> Step:
    """End the blocks that this segment of a later one is well beyond."""
    claim = probed.landed.claimed_start
    told: list[Judged] = []
    if probed.landed.ends == "next_block" and claim is not None:
        limit = claim.at - policy.next_block_grace_s * 1000
        for name, recording in sorted(state.recordings.items()):
            if not recording.closed and recording.block_end is not None and recording.block_end <= limit:
                state, ended = _end(state, RecordingId(name), "next_block", policy)
                told += ended
    return state, tuple(told)


def _end(state: SourceState, name: str, reason: EndReason, policy: Policy) -> Step:
    """End a recording; what a continuous camera's next block begins with is told anew if this shows a gap there."""
    before = state
    state, items = _close(state, name, reason, policy)
    later = [other for other in state.recordings if other != name and _previous(state, other, policy) == name]
    state, told = _tell_anew(before, state, later, policy)
    return state, (*items, *told)


def _close(state: SourceState, name: str, reason: EndReason, policy: Policy) -> Step:
    recording = state.recordings[name]
    told = _told(state, name, policy)
    more = list(holes_before(state.connectors, name))
    ended = tell(RecordingId(name), state.source_id, recording, told, reason, state.windows, more, policy)
    state, items = _say(state, RecordingId(name), [ended])
    return _prune(_keep(state, name, _closed(recording, ended, state.position)), policy), items


def _closed(recording: Recording, ended: RecordingEnded, position: int) -> Recording:
    complete = recording.segments >= (recording.expected or 0)
    return recording._replace(
        timeline=at_rest(recording.timeline),
        revision=ended.revision,
        reason=ended.reason,
        pending=None if complete else recording.pending,
        closed=True,
        closed_at=position,
        standing=Counter(gap_class(gap) for gap in ended.gaps),
    )


def _tell_anew(before: SourceState, after: SourceState, names: list[str], policy: Policy) -> Step:
    """End those recordings of *names* again that have ended and whose gaps *after* tells differently than *before*."""
    state = after
    items: list[Judged] = []
    for name in sorted(names):
        recording = after.recordings.get(name)
        if recording is None or not recording.closed or recording.reason is None:
            continue
        if _gaps(before, name, policy) != _gaps(after, name, policy):
            state, ended = _close(state, name, recording.reason, policy)
            items += ended
    return state, tuple(items)


def _gaps(state: SourceState, name: str, policy: Policy) -> tuple[Gap, ...]:
    return gaps_of(state.recordings[name], _told(state, name, policy), state.windows, policy)


def _told(state: SourceState, name: str, policy: Policy) -> Account:
    recording = state.recordings[name]
    assert recording.kind is not None  # only recordings with segments end
    previous = _previous(state, name, policy)
    before = state.recordings[previous].timeline if previous else None
    return account(recording.timeline, policy.tolerance[recording.kind], before)


def _previous(state: SourceState, name: str, policy: Policy) -> str | None:
    """The ended recording that a continuous camera's recording *name* goes on from: the latest to end in its own block
    or the one before. A block in which nothing was recorded is not for this stage to miss."""
    mine = extent(state.recordings[name].timeline)
    if state.recordings[name].kind != "cctv" or mine is None:
        return None
    block_ms = policy.block_s * 1000
    earliest = mine[0] - mine[0] % block_ms - block_ms
    ends = []
    for other, recording in state.recordings.items():
        theirs = extent(recording.timeline) if other != name and recording.closed and recording.kind == "cctv" else None
        if theirs is not None and theirs[0] < mine[0] and earliest <= theirs[1] < mine[1]:
            ends.append((theirs[1], other))
    return max(ends)[1] if ends else None


# Remembering.


def _recall(state: SourceState, name: str) -> Recording:
    recording = state.recordings.get(name)
    if recording is None and holds(state.forgotten, _mark(name)):
        raise HistoryMissing(
            f"the recording ended and is no longer remembered; rebuild the source's state from the archive: {name}"
        )
    return recording or Recording()


def _keep(state: SourceState, name: str, recording: Recording) -> SourceState:
    return replace(state, recordings={**state.recordings, name: recording})


def _say(state: SourceState, name: RecordingId, items: Sequence[JudgedSegment | Annotation | RecordingEnded]) -> Step:
    """Give *items* their positions."""
    judged = []
    for position, item in enumerate(items, start=state.position + 1):
        if isinstance(item, JudgedSegment):
            body = Judged(source_id=state.source_id, recording_id=name, position=position, kind="segment", segment=item)
        elif isinstance(item, Annotation):
            body = Judged(
                source_id=state.source_id, recording_id=name, position=position, kind="annotation", annotation=item
            )
        else:
            body = Judged(source_id=state.source_id, recording_id=name, position=position, kind="ended", ended=item)
        judged.append(body)
    return replace(state, position=state.position + len(items)), tuple(judged)


def _prune(state: SourceState, policy: Policy) -> SourceState:
    """Forget what is oldest beyond the bounds: whole recordings, and the digests of ended ones."""
    closed = sorted(
        (name for name, recording in state.recordings.items() if recording.closed),
        key=lambda name: -state.recordings[name].closed_at,
    )
    recordings = dict(state.recordings)
    forgotten = state.forgotten
    for name in closed[policy.remembered_closed_recordings :]:
        del recordings[name]
        forgotten = (forgotten + _mark(name))[-MAX_FORGOTTEN * DIGEST_CHARS :]
    room = MAX_CLOSED_DIGESTS
    for name in closed[: policy.remembered_closed_recordings]:
        held = len(recordings[name].digests) // DIGEST_CHARS
        room -= held
        if room < 0 and held:
            recordings[name] = recordings[name]._replace(digests="")
    return replace(state, recordings=recordings, forgotten=forgotten)


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARS]
