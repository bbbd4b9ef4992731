"""Expectation: recordings that must exist, before anything of them arrives (articles 3, 4 and 9).

Rule 1: a device that was handed out is expected to bring a recording that ends after it was. The expectation is withdrawn
when such a recording arrives, or when somebody says that nothing was recorded.
Rule 2: a scheduled camera is expected to bring a recording of every block it owes; when files of the block arrive, the
expectation is their recording. It is withdrawn when a pause or other hours leave nothing owed.
Rule 3: an expectation that was missed stays missed. The first recording that answers it ``stands_for`` it and is not missed
a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pipeline.domain.annotation import Annotation
from pipeline.domain.docket import Changes, SourceDeadlines, expect, keep, withdraw
from pipeline.domain.duty import account_blocks, is_expected, kind_of, notice_silence, with_pause, with_schedule
from pipeline.domain.identity import RecordingId, block_recording_id
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.domain.tracked import CLOCK_TRUST_MS, Tracked, claimed_end, first_seen, least, wall

REMEMBERED_HANDOUTS: Final = 32
REMEMBERED_OUTAGES: Final = 16


def _issued(state: SourceDeadlines, said: Annotation, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """A device was handed out: a recording that ended later is expected, unless one has arrived already."""
    issue = said.issue
    assert issue is not None
    name = handout_id(issue.at)
    if issue.at in state.handed_out or name in state.finished:
        return state, ()
    handed_out = tuple(sorted((*state.handed_out, issue.at)))[-REMEMBERED_HANDOUTS:]
    state = replace(state, handed_out=handed_out)
    tracked = Tracked(
        recording_id=name,
        source_kind=issue.source_kind,
        unit=said.unit,
        expected_end=issue.due_back,
        issued_at=issue.at,
        ends="declared",
    )
    if any(_handout_of(state, end) == issue.at for end in state.ends):
        tracked = replace(tracked, state="withdrawn")
        return keep(state, tracked, policy), ()
    return expect(state, tracked, said.made_at, policy)


def handout_id(at: WallMs) -> RecordingId:
    """The name of the recording that is expected of a device handed out at *at*."""
    stamp = to_rfc3339(at).translate(str.maketrans("", "", "-:."))
    return RecordingId(f"issued-{stamp}")


def _returned(state: SourceDeadlines, said: Annotation, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """The device is back: what it recorded had ended by then; or nothing is expected, if nothing was recorded."""
    back = said.returned
    assert back is not None
    handout = _handout_of(state, back.at)
    tracked = None if handout is None else state.open.get(handout_id(handout))
    if tracked is None:
        return state, ()
    if not back.recorded:
        return withdraw(state, tracked, said.made_at, policy)
    tracked = replace(tracked, returned=True, expected_end=least(tracked.expected_end, back.at))
    return keep(state, tracked, policy), ()


def _handout_of(state: SourceDeadlines, ended: WallMs) -> WallMs | None:
    """The last time the device was handed out before something that ended at *ended*."""
    before = [at for at in state.handed_out if at <= ended + CLOCK_TRUST_MS]
    return before[-1] if before else None


def answer(
    state: SourceDeadlines, known: Tracked, landed: SegmentLanded, policy: Policy
) -> tuple[SourceDeadlines, Tracked, Changes]:
    """The first file of a recording: what was expected of the device has come, or comes late."""
    if landed.ends == "next_block":
        return state, known, ()
    end = claimed_end(landed, policy)
    if end is None or not state.handed_out or not state.handed_out[0] <= end <= landed.received_at:
        end = landed.received_at
    state = replace(state, ends=tuple(sorted((*state.ends, end)))[-REMEMBERED_HANDOUTS:])
    handout = _handout_of(state, end)
    awaited = None if handout is None else state.open.get(handout_id(handout))
    if awaited is None:
        return state, known, ()
    known = replace(known, stands_for=awaited.recording_id)
    if awaited.state == "missed":
        known = replace(known, state="missed")
        return keep(state, replace(awaited, state="withdrawn"), policy), known, ()
    state, changes = withdraw(state, awaited, landed.received_at, policy)
    return state, known, changes


def _schedule(state: SourceDeadlines, said: Annotation, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    camera = with_schedule(state.camera, said, policy)
    return _asked_anew(replace(state, camera=camera), said.made_at, policy)


def _pause(state: SourceDeadlines, said: Annotation, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    assert said.window is not None
    camera = with_pause(state.camera, said.window.start, said.window.end)
    return _asked_anew(replace(state, camera=camera), said.made_at, policy)


def _asked_anew(state: SourceDeadlines, now: WallMs, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """What is asked of the camera changed: expected blocks of which nothing is asked any more, and an explained silence."""
    changes: Changes = ()
    for tracked in list(state.open.values()):
        end = tracked.expected_end
        silent = tracked.state in ("expected", "at_risk") and first_seen(tracked) is None
        if end is None or tracked.issued_at is not None or not silent:
            continue
        if not is_expected(state.camera, end - policy.block_s * 1000, policy):
            state, withdrawn = withdraw(state, tracked, now, policy)
            changes += withdrawn
    if state.camera.silent_since is not None:
        camera, explained = notice_silence(state.camera, state.source_id, state.source_kind, now)
        state, changes = replace(state, camera=camera), (*changes, *explained)
    return state, changes


def _schedule_due(state: SourceDeadlines, said: Annotation, policy: Policy) -> tuple[SourceDeadlines, Changes]:
    """The timer's word: blocks that have ended are looked at, and whether the camera is silent."""
    camera, missing = account_blocks(state.camera, said.made_at, policy)
    if camera.unit is None:
        return state, ()
    camera, silence = notice_silence(camera, state.source_id, state.source_kind, said.made_at)
    state = replace(state, camera=camera)
    changes: Changes = ()
    for start in missing:
        name = block_recording_id(state.source_id, start, policy.block_s)
        known = state.open.get(name, Tracked(recording_id=name))
        if name in state.finished or known.state is not None:
            continue
        tracked = replace(
            known,
            source_kind=state.source_kind or kind_of(camera),
            unit=camera.unit,
            expected_end=wall(start + policy.block_s * 1000),
            ends="next_block",
        )
        state, expected = expect(state, tracked, said.made_at, policy)
        changes += expected
    return state, (*changes, *silence)


def _outage(state: SourceDeadlines, said: Annotation, _: Policy) -> tuple[SourceDeadlines, Changes]:
    """A time in which nothing could be stored; saying its end replaces its beginning."""
    assert said.outage is not None
    others = [out for out in state.outages if out.start != said.outage.start]
    known = next((out for out in state.outages if out.start == said.outage.start), said.outage)
    merged = said.outage if known.end is None else known
    outages = tuple(sorted([*others, merged], key=lambda out: out.start))[-REMEMBERED_OUTAGES:]
    return replace(state, outages=outages), ()


OF_THE_SOURCE: Final[Mapping[str, Callable[[SourceDeadlines, Annotation, Policy], tuple[SourceDeadlines, Changes]]]] = {
    "issued": _issued,
    "returned": _returned,
    "schedule": _schedule,
    "schedule_window": _pause,
    "schedule_due": _schedule_due,
    "outage": _outage,
}
