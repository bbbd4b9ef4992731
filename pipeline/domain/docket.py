"""Docket: all deadlines of one source, those that are open and those that are decided, kept within bounds.

A decided deadline is remembered as long as continuity can reopen its recording, and what was covered by its last receipt
a shorter time. Misses nobody makes up for stay open until as many newer ones stand behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from pipeline.domain.annotation import Outage
from pipeline.domain.duty import Camera, SilenceChanged
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, about_recording, recording_id
from pipeline.domain.policy import Policy
from pipeline.domain.recording import DIGEST_CHARS
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import (
    Cause,
    DeadlineState,
    Progress,
    Tracked,
    cause,
    complete_at,
    deadline_at,
    missing_fields,
    progress,
)

WAITING_MAX: Final = 1024
"""Recordings of a source that were described before anything of them was seen."""
MAX_FINISHED_MARKS: Final = 1024
"""Originals of all decided recordings of a source together that are recognised, the latest first; others are judged by the
receipt's date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineChanged:
    """A recording's deadline moved to ``state``. A miss stays a miss: what arrives afterwards is ``late``, not ``met``.

    ``at``: T0 + the policy's deadline, as known at this change (``tracked`` says it before the end is known).
    ``changed_at``: the event time that decided it (never the reader's clock). ``progress``: how far the
    recording is, by what was known then. ``cause``: of a miss. ``stands_for``: the
    expectation this recording answers; where that was missed, the two are one miss.
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    at: WallMs
    state: DeadlineState
    changed_at: WallMs
    progress: Progress | None = None
    cause: Cause | None = None
    missing_fields: tuple[str, ...] = ()
    stands_for: RecordingId | None = None

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        if self.stands_for is not None:
            recording_id(self.stands_for)


Changes: TypeAlias = tuple[DeadlineChanged | SilenceChanged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A deadline that is decided: ``met``, ``late``, ``withdrawn``, or ``missed`` and no longer waited for.

    ``completed_at``: when it was complete; ``covered`` and ``unarchived`` as of :class:`Tracked`."""

    state: DeadlineState
    at: WallMs
    source_kind: SourceKind
    unit: str
    originals: int
    completed_at: WallMs | None = None
    covered: str = ""
    unarchived: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDeadlines:
    """All deadlines of one source. ``heard``: the last announcement of each connector, so that a repeat changes nothing.
    ``handed_out``: when the device was, the latest times; ``ends``: when recordings of it ended as far as one could tell at
    their first file, the latest ones."""

    source_id: SourceId
    source_kind: SourceKind | None = None
    unit: str | None = None
    heard: dict[str, int] = field(default_factory=dict)
    open: dict[RecordingId, Tracked] = field(default_factory=dict)
    finished: dict[RecordingId, Finished] = field(default_factory=dict)
    camera: Camera = field(default_factory=Camera)
    handed_out: tuple[WallMs, ...] = ()
    ends: tuple[WallMs, ...] = ()
    outages: tuple[Outage, ...] = ()


def change(
    source: SourceDeadlines, tracked: Tracked, at: WallMs, state: DeadlineState, when: WallMs, policy: Policy
) -> DeadlineChanged:
    """The event that says *tracked* moved to *state*."""
    assert tracked.unit is not None
    assert tracked.source_kind is not None
    waits = state in ("expected", "tracked", "at_risk", "missed")
    return DeadlineChanged(
        source_id=source.source_id,
        source_kind=tracked.source_kind,
        unit=tracked.unit,
        recording_id=tracked.recording_id,
        at=at,
        state=state,
        changed_at=when,
        progress=progress(tracked, policy),
        cause=cause(tracked, at, source.outages, policy) if state == "missed" else None,
        missing_fields=missing_fields(tracked, at if state == "missed" else when, policy) if waits else (),
        stands_for=tracked.stands_for,
    )


def withdraw(state: SourceDeadlines, tracked: Tracked, when: WallMs, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """Nothing is expected any more; a miss stays."""
    at = deadline_at(tracked, policy)
    if tracked.state == "missed" or at is None:
        return state, ()
    moved = change(state, tracked, at, "withdrawn", when, policy)
    return keep(state, replace(tracked, state="withdrawn"), policy), (moved,)


def expect(state: SourceDeadlines, tracked: Tracked, when: WallMs, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """Something must exist of which nothing has arrived."""
    at = deadline_at(tracked, policy)
    assert at is not None
    moved = change(state, tracked, at, "expected", when, policy)
    return keep(state, replace(tracked, state="expected"), policy), (moved,)


def keep(state: SourceDeadlines, tracked: Tracked, policy: Policy) -> SourceDeadlines:
    """Put the recording back where it belongs and forget the oldest of what is bounded."""
    before = state.open.get(tracked.recording_id)
    opened = {**state.open, tracked.recording_id: tracked}
    finished = dict(state.finished)
    if tracked.state in ("met", "late", "withdrawn"):
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
        state=tracked.state,
        at=at,
        source_kind=tracked.source_kind,
        unit=tracked.unit,
        originals=tracked.originals,
        completed_at=complete_at(tracked, policy),
        covered=tracked.covered,
        unarchived=tracked.unarchived,
    )
    room = MAX_FINISHED_MARKS * DIGEST_CHARS
    for other in reversed(finished):
        room -= len(finished[other].covered)
        if room < 0 and finished[other].covered:
            finished[other] = replace(finished[other], covered="")
