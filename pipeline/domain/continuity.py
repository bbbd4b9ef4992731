"""Continuity: is a recording whole, and if not, exactly where not?

One fold per source puts its segments and annotations into a single ordered history (:class:`Judged`, positions without a
hole) and keeps each recording's :mod:`timeline <pipeline.domain.timeline>` until it ends. The rules:

1. An announcement counts once. A repeat changes nothing; a number that never came is a finding on the recording of the
   next one, and is forgiven when it comes.
2. Byte-identical files count once on the timeline: the first to arrive is placed, the others are notes.
3. A recording ends when its sender says so and every announced segment is here, when a continuous camera is well into
   its next block, or when nothing came for long. What arrives afterwards reopens it: a segment until it ends again, an
   explanation, a case's fields or a schedule at once, because they announce nothing further. Each end is a new revision.
4. A gap is explained by a person's explanation that covers it (and is spoken after the restart, where the policy asks
   for a voice) or by a schedule window that covers it. Explained or not, the recording was interrupted.
5. The account at the end follows from the set of what came, not from its order.

The verdict is the worst of: all unreadable, an interruption, a degradation, something not testable; else continuous.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from pipeline.domain.account import Account, Gap, GapState, Run, account, in_order, ranges
from pipeline.domain.annotation import Annotation, EndReason, Explanation, SessionEnded
from pipeline.domain.errors import HistoryMissing
from pipeline.domain.findings import LEVEL_ORDER, Finding, FindingKind, Level
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, about_recording, recording_id, source_id
from pipeline.domain.policy import Policy
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import Arrival, Timeline, claim_of, has_stamps, insert

__all__ = ["Gap", "GapState", "Judged", "JudgedSegment", "RecordingEnded", "Run", "SourceState", "idle_ends", "step"]

Verdict = Literal["continuous", "interrupted", "degraded", "not_testable", "unreadable"]
JudgedKind = Literal["segment", "annotation", "ended"]

DIGEST_CHARS: Final = 12
"""48 bits of a digest tell a recording's files apart: two of 4096 are taken for one once in 30 million recordings."""
MAX_DIGESTS: Final = 4096
"""Files of one open recording whose bytes are recognised; older ones are recognised by their place, as overlaps."""
MAX_CLOSED_DIGESTS: Final = 512
"""The same for all ended recordings of a source together, the latest first."""
MAX_FINDINGS: Final = 256
"""Listed one by one in an account; more of a kind are counted."""
MAX_SEEN: Final = 64
"""Annotations of one recording recognised as repeats."""
MAX_WINDOWS: Final = 128
_NEVER: Final = WallMs(0)
_NOBODY: Final = SourceId("")
MAX_FORGOTTEN: Final = 512
"""Ended recordings, no longer remembered, that are still known to have been: a late segment must not begin them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSegment:
    """A segment placed on its recording's timeline (``start``/``end`` are ``None`` where nothing places it: a photo, an
    unreadable file, a duplicate). ``findings``: the file's own and what arose against the recording so far, in that order."""

    probed: SegmentProbed
    start: WallMs | None
    end: WallMs | None
    duplicate: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    """The whole recording's account at its end; ``revision`` counts ends from 1 (a late segment reopens and ends it anew).

    ``runs``, ``gaps`` and ``findings`` are in timeline order and depend on which segments came, not on their order of
    arrival. ``gaps`` holds every interruption of time, ``findings`` everything else. ``covered_ms``: the runs, and the
    length of files that nothing places. ``bytes`` and ``segments`` count every announced segment.
    """

    recording_id: RecordingId
    source_id: SourceId
    source_kind: SourceKind
    unit: str
    revision: int
    reason: EndReason
    verdict: Verdict
    started_at: WallMs | None
    ended_at: WallMs | None
    covered_ms: int
    segments: int
    bytes: int
    expected_segments: int | None
    first_received_at: WallMs
    last_received_at: WallMs
    runs: tuple[Run, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    policy_version: str

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        if self.revision < 1:
            raise ValueError(f"revisions count from 1, found {self.revision}")
        if min(self.covered_ms, self.segments, self.bytes) < 0:
            raise ValueError(f"totals are not negative, found {self.covered_ms}, {self.segments}, {self.bytes}")


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


class Island(NamedTuple):
    """Announcements ``first`` to ``last`` of a connector came; ``recording`` is the one ``first`` belongs to."""

    first: int
    last: int
    recording: str


class Said(NamedTuple):
    """A reason for missing time: an explanation (``recording``'s own) or a schedule window. ``voice_start`` and
    ``voice_end`` are ``None`` where nothing was spoken."""

    start: WallMs
    end: WallMs
    reason: str
    annotation_id: str
    made_at: WallMs
    voice_start: WallMs | None = None
    voice_end: WallMs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is remembered of one recording.

    ``kind`` and ``unit`` are ``None`` until its first segment; ``held`` keeps annotations that came before. ``findings``:
    the files' own, and duplicates, at most :data:`MAX_FINDINGS`; ``kinds`` counts all of them by level and kind.
    ``untimed``: timed media without usable stamps. ``block_end``: the end of a continuous camera's block.
    ``closed``: why it ended, ``None`` while open; ``closed_at``: the position of its end.
    """

    kind: SourceKind | None = None
    unit: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    findings: tuple[Finding, ...] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    digests: str = ""
    segments: int = 0
    bytes: int = 0
    timed: int = 0
    untimed: int = 0
    unreadable: int = 0
    first_received_at: WallMs = _NEVER
    last_received_at: WallMs = _NEVER
    block_end: WallMs | None = None
    said: tuple[Said, ...] = ()
    held: tuple[Annotation, ...] = ()
    seen: tuple[str, ...] = ()
    expected: int | None = None
    pending: EndReason | None = None
    revision: int = 0
    reason: EndReason | None = None
    closed: bool = False
    closed_at: int = 0


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

    Raises :class:`HistoryMissing` for an event of a recording that ended so long ago that it is no longer remembered.
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


def _is_idle(recording: Recording, now: WallMs, policy: Policy) -> bool:
    return now - recording.last_received_at >= policy.idle_end_s * 1000


# Segments.


def _segment(state: SourceState, probed: SegmentProbed, policy: Policy) -> Step:
    landed = probed.landed
    name = landed.recording_id
    islands = state.connectors.get(landed.connector, ())
    joined = _announce(islands, landed.announcement, name)
    if joined is None:
        return state, ()
    recording = _recall(state, name)
    recording, judged = _judge(recording, probed, policy, _hole_before(islands, landed.announcement))
    connectors = {**state.connectors, landed.connector: joined}
    state = replace(state, source_id=landed.source_id, connectors=connectors)
    state, items = _say(state, name, [judged, *recording.held])
    state = _keep(state, name, replace(recording, held=()) if recording.held else recording)
    state, ended = _end_if_complete(state, name, policy)
    state, blocks = _end_blocks(state, probed, policy)
    return state, (*items, *ended, *blocks)


def _judge(
    recording: Recording, probed: SegmentProbed, policy: Policy, skipped: Finding | None
) -> tuple[Recording, JudgedSegment]:
    """Place one segment; *skipped* is the finding about announcements that did not come before it."""
    landed, facts = probed.landed, probed.facts
    own = landed.object.sha256[:DIGEST_CHARS]
    duplicate = _holds(recording.digests, own)
    placed, timeline = None, recording.timeline
    if facts.media == "timed" and not duplicate:
        timeline, placed = insert(timeline, probed, policy.tolerance[landed.source_kind])
    files = _own_findings(probed, placed, duplicate)
    lasting = [finding for finding in files if finding.kind != "gap" or placed is None or finding.from_ms is None]
    counted = facts.media == "timed" and not duplicate
    recording = replace(
        _with_findings(recording, lasting),
        kind=landed.source_kind,
        unit=landed.unit,
        timeline=timeline,
        digests=recording.digests if duplicate else (recording.digests + own)[-MAX_DIGESTS * DIGEST_CHARS :],
        segments=recording.segments + 1,
        bytes=recording.bytes + landed.object.size_bytes,
        timed=recording.timed + counted,
        untimed=recording.untimed + (counted and not has_stamps(probed)),
        unreadable=recording.unreadable + (facts.media == "unreadable"),
        first_received_at=min(recording.first_received_at or landed.received_at, landed.received_at),
        last_received_at=max(recording.last_received_at, landed.received_at),
        block_end=_block_end(recording, probed, policy),
        closed=False,
    )
    findings = (*files, *_arisen(probed, placed), *([skipped] if skipped else []))
    start, end = (placed.start, placed.end) if placed else (None, None)
    return recording, JudgedSegment(probed=probed, start=start, end=end, duplicate=duplicate, findings=findings)


def _own_findings(probed: SegmentProbed, placed: Arrival | None, duplicate: bool) -> list[Finding]:
    """What is to be said of the file itself, with its name on it and its place where it has one."""
    digest = probed.landed.object.sha256
    if duplicate:
        return [_note("duplicate", "bytes", "bytes not seen before", "bytes already here", digest)]
    claim = claim_of(probed)
    found = []
    for finding in probed.facts.findings:
        changes: dict[str, object] = {} if finding.segment else {"segment": digest}
        if finding.from_ms is not None and finding.wall_start is None and claim is not None and placed is not None:
            changes["wall_start"] = WallMs(claim.at + finding.from_ms)
            if finding.to_ms is not None:
                changes["wall_end"] = WallMs(claim.at + finding.to_ms)
        found.append(replace(finding, **changes) if changes else finding)  # type: ignore[arg-type]  # names of its fields
    if probed.facts.media == "unreadable" and not any(finding.kind == "unreadable" for finding in found):
        found.append(
            Finding(
                kind="unreadable",
                level="interruption",
                evidence="bytes",
                expected="a readable file",
                found=f"none that {probed.facts.reader} reads",
                segment=digest,
            )
        )
    if probed.facts.media == "timed" and claim is None and probed.landed.claimed_start is not None:
        at = probed.landed.claimed_start.at // 1000
        found.append(_note("clock_step", "wall_clock", "a clock that may be right", f"{at} s after 1970", digest))
    return found


def _arisen(probed: SegmentProbed, placed: Arrival | None) -> Iterator[Finding]:
    """What the arrival of this segment shows right now. The account at the end is computed afresh and does not use it."""
    if placed is None:
        return
    digest = probed.landed.object.sha256
    start = placed.start
    if placed.gap_ms:
        yield Finding(
            kind="gap",
            level="interruption",
            evidence="media_clock" if probed.facts.container == "mpegts" else "wall_clock",
            expected="the next file to follow",
            found=f"{placed.gap_ms} ms missing before it so far",
            segment=digest,
            size_ms=placed.gap_ms,
            wall_start=WallMs(max(start - placed.gap_ms, 0)),
            wall_end=start,
        )
    if placed.overlap_ms:
        found = f"{placed.overlap_ms} ms that other files cover"
        yield _note("overlap", "media_clock", "time not covered before", found, digest, placed.overlap_ms, start)
    if placed.out_of_order:
        yield _note("out_of_order", "media_clock", "the latest file last", "an earlier time", digest, None, start)


def _note(
    kind: Literal["duplicate", "clock_step", "overlap", "out_of_order"],
    evidence: Literal["bytes", "wall_clock", "media_clock"],
    expected: str,
    found: str,
    segment: str,
    size_ms: int | None = None,
    at: WallMs | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        level="note",
        evidence=evidence,
        expected=expected,
        found=found,
        segment=segment,  # type: ignore[arg-type]  # a digest off a landed segment
        size_ms=size_ms,
        wall_start=at,
    )


def _with_findings(recording: Recording, added: list[Finding]) -> Recording:
    if not added:
        return recording
    kinds = dict(recording.kinds)
    for finding in added:
        word = f"{finding.level}/{finding.kind}"
        kinds[word] = kinds.get(word, 0) + 1
    return replace(recording, findings=in_order((*recording.findings, *added))[:MAX_FINDINGS], kinds=kinds)


def _block_end(recording: Recording, probed: SegmentProbed, policy: Policy) -> WallMs | None:
    """The end of the block the recording's earliest segment begins in; ``None`` if nobody waits for the next block."""
    claim = probed.landed.claimed_start
    if probed.landed.ends != "next_block" or claim is None:
        return recording.block_end
    block_ms = policy.block_s * 1000
    end = WallMs(claim.at - claim.at % block_ms + block_ms)
    return end if recording.block_end is None else min(end, recording.block_end)


# Announcements.


def _announce(islands: tuple[Island, ...], number: int, recording: str) -> tuple[Island, ...] | None:
    """*islands* with *number*, or ``None`` if it came before."""
    index = sum(1 for island in islands if island.first <= number)
    left = islands[index - 1] if index else None
    right = islands[index] if index < len(islands) else None
    if left is not None and number <= left.last:
        return None
    new = Island(number, number, recording)
    before, after = islands[:index], islands[index:]
    if left is not None and left.last + 1 == number:
        before, new = before[:-1], Island(left.first, number, left.recording)
    if right is not None and right.first == number + 1:
        after, new = after[1:], Island(new.first, right.last, new.recording)
    return (*before, new, *after)


def _hole_before(islands: tuple[Island, ...], number: int) -> Finding | None:
    """The finding if announcements right before *number* are missing, as far as one can know when it arrives."""
    last = max((island.last for island in islands if island.last < number), default=0)
    if last + 1 == number or any(island.first > number for island in islands):
        return None
    return _missing_announcements([(last + 1, number - 1)], f"announcement {number}")


def _announcement_findings(state: SourceState, name: str) -> Iterator[Finding]:
    for connector, islands in sorted(state.connectors.items()):
        ends = [0, *(island.last for island in islands)]
        lost = [
            (end + 1, island.first - 1) for end, island in zip(ends, islands, strict=False) if end + 1 < island.first
        ]
        mine = [hole for hole in lost if any(i.first == hole[1] + 1 and i.recording == name for i in islands)]
        if mine:
            yield _missing_announcements(mine, f"the later ones of {connector}")


def _missing_announcements(lost: list[tuple[int, int]], found: str) -> Finding:
    return Finding(
        kind="missing_sequence",
        level="degradation",
        evidence="sequence",
        expected=f"announcement {ranges(lost)}",
        found=found,
        count=sum(last - first + 1 for first, last in lost),
    )


# Annotations.


def _statement(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    """An explanation or a case's fields: kept, passed on, and an ended recording's account is given anew."""
    name = _named(annotation)
    recording = _recall(state, name)
    if annotation.annotation_id in recording.seen:
        return state, ()
    recording = replace(recording, seen=(*recording.seen, annotation.annotation_id)[-MAX_SEEN:])
    if annotation.explanation is not None:
        said = _said(annotation, annotation.explanation)
        recording = replace(recording, said=tuple(sorted({*recording.said, said}, key=_first_said)))
    state = replace(state, source_id=annotation.source_id)
    if recording.kind is None:
        return _keep(state, name, replace(recording, held=(*recording.held, annotation))), ()
    state, items = _say(_keep(state, name, recording), name, [annotation])
    if not recording.closed or recording.reason is None:
        return state, items
    state, ended = _end(state, name, recording.reason, policy)
    return state, (*items, *ended)


def _session_ended(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    name, ended = _named(annotation), annotation.ended
    assert ended is not None
    recording = _recall(state, name)
    if ended.reason == "idle":  # said by a timer that read an older state than this
        if recording.closed or not recording.segments or not _is_idle(recording, annotation.made_at, policy):
            return state, ()
        return _end(state, name, "idle", policy)
    if annotation.annotation_id in recording.seen:
        return state, ()
    recording = replace(
        recording,
        seen=(*recording.seen, annotation.annotation_id)[-MAX_SEEN:],
        expected=max(recording.expected or 0, ended.expected_segments or 0) or None,
        pending=None if recording.closed else ended.reason,
    )
    state = _keep(replace(state, source_id=annotation.source_id), name, recording)
    return _end_if_complete(state, name, policy)


def _window(state: SourceState, annotation: Annotation, policy: Policy) -> Step:
    """A schedule window: ended recordings whose gaps it explains are told anew."""
    window = annotation.window
    assert window is not None
    if any(known.annotation_id == annotation.annotation_id for known in state.windows):
        return state, ()
    said = Said(window.start, window.end, window.reason, annotation.annotation_id, annotation.made_at)
    before = state
    windows = tuple(sorted((*state.windows, said))[-MAX_WINDOWS:])
    state = replace(state, source_id=annotation.source_id, windows=windows)
    told: list[Judged] = []
    for name, recording in sorted(state.recordings.items()):
        if (
            recording.closed
            and recording.reason
            and _gaps(before, recording, policy) != _gaps(state, recording, policy)
        ):
            state, ended = _end(state, name, recording.reason, policy)
            told += ended
    return state, tuple(told)


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


def _first_said(said: Said) -> tuple[int, str]:
    return said.made_at, said.annotation_id


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
    recording = state.recordings[name]
    assert recording.kind is not None  # only recordings with segments end
    told = account(recording.timeline, policy.tolerance[recording.kind])
    gaps = _explained(state, recording, told, policy)
    findings = _all_findings(state, name, recording, told)
    verdict = _verdict(recording, gaps, findings)
    if verdict == "not_testable" and not any(finding.kind == "not_testable" for finding in findings):
        findings = (*findings, _not_testable(recording))
    ended = RecordingEnded(
        recording_id=RecordingId(name),
        source_id=state.source_id,
        source_kind=recording.kind,
        unit=recording.unit,
        revision=recording.revision + 1,
        reason=reason,
        verdict=verdict,
        started_at=told.runs[0].start if told.runs else None,
        ended_at=told.runs[-1].end if told.runs else None,
        covered_ms=sum(run.end - run.start for run in told.runs) + recording.timeline.unplaced_ms,
        segments=recording.segments,
        bytes=recording.bytes,
        expected_segments=recording.expected,
        first_received_at=recording.first_received_at,
        last_received_at=recording.last_received_at,
        runs=told.runs,
        gaps=gaps,
        findings=findings,
        policy_version=policy.version,
    )
    state, items = _say(state, RecordingId(name), [ended])
    closed = replace(
        recording, revision=ended.revision, reason=reason, pending=None, closed=True, closed_at=state.position
    )
    return _prune(_keep(state, name, closed), policy), items


def _gaps(state: SourceState, recording: Recording, policy: Policy) -> tuple[Gap, ...]:
    assert recording.kind is not None
    told = account(recording.timeline, policy.tolerance[recording.kind])
    return _explained(state, recording, told, policy)


def _explained(state: SourceState, recording: Recording, told: Account, policy: Policy) -> tuple[Gap, ...]:
    """The gaps with who explains them: the first explanation said that covers one, else the first schedule window."""
    assert recording.kind is not None
    voice = recording.kind in policy.voice_explanation_kinds
    slack_ms = policy.tolerance[recording.kind].wall_clock_ms
    found = []
    for gap in told.gaps:
        error_ms = gap.error_ms + slack_ms
        spoken = [
            said
            for said in recording.said
            if _covers(said, gap, error_ms) and (not voice or _spoken(said, gap, error_ms))
        ]
        planned = [said for said in state.windows if _covers(said, gap, error_ms)]
        by = next(iter([*spoken, *sorted(planned, key=_first_said)]), None)
        if by is None:
            found.append(replace(gap, state="unexplained"))
        else:
            found.append(replace(gap, state="explained", reason=by.reason, explained_by=by.annotation_id))
    return tuple(found)


def _covers(said: Said, gap: Gap, error_ms: int) -> bool:
    return said.start <= gap.start + error_ms and gap.end - error_ms <= said.end


def _spoken(said: Said, gap: Gap, error_ms: int) -> bool:
    """Whether the reason is spoken after the restart (article 8)."""
    if said.voice_start is None or said.voice_end is None:
        return False
    return gap.end - error_ms <= said.voice_start < said.voice_end


def _all_findings(state: SourceState, name: str, recording: Recording, told: Account) -> tuple[Finding, ...]:
    findings = [*told.findings, *recording.findings, *_announcement_findings(state, name)]
    listed: dict[str, int] = {}
    for finding in recording.findings:
        word = f"{finding.level}/{finding.kind}"
        listed[word] = listed.get(word, 0) + 1
    for word, count in sorted(recording.kinds.items()):
        more = count - listed.get(word, 0)
        if more:
            findings.append(_more(word, more))
    if recording.expected is not None and recording.segments < recording.expected:
        findings.append(
            Finding(
                kind="missing_sequence",
                level="degradation",
                evidence="totals",
                expected=f"announced {recording.expected} segments",
                found=f"received {recording.segments}",
                count=recording.expected - recording.segments,
            )
        )
    return in_order(findings)


def _more(word: str, count: int) -> Finding:
    level: Level = next(level for level in LEVEL_ORDER if word.startswith(f"{level}/"))
    kind: FindingKind = word.partition("/")[2]  # type: ignore[assignment]  # written from a kind
    found = f"{count} more of this kind than are listed"
    return Finding(kind=kind, level=level, evidence="none", expected="none", found=found, count=count)


def _verdict(recording: Recording, gaps: tuple[Gap, ...], findings: tuple[Finding, ...]) -> Verdict:
    levels = {finding.level for finding in findings}
    if recording.unreadable and recording.unreadable == recording.segments:
        return "unreadable"
    if gaps or "interruption" in levels:
        return "interrupted"
    if "degradation" in levels:
        return "degraded"
    apart = recording.timeline.unplaced and recording.timed > 1
    return "not_testable" if not recording.timed or recording.untimed or apart else "continuous"


def _not_testable(recording: Recording) -> Finding:
    if not recording.timed:
        found = "only files without a time line"
    elif recording.untimed:
        found = f"{recording.untimed} files without time stamps"
    else:
        found = f"{recording.timeline.unplaced} of {recording.timed} files that nothing places in time"
    return Finding(kind="not_testable", level="note", evidence="none", expected="media with time stamps", found=found)


# Remembering.


def _recall(state: SourceState, name: str) -> Recording:
    recording = state.recordings.get(name)
    if recording is None and _holds(state.forgotten, _mark(name)):
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
            recordings[name] = replace(recordings[name], digests="")
    return replace(state, recordings=recordings, forgotten=forgotten)


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARS]


def _holds(marks: str, mark: str) -> bool:
    """Whether *mark* is one of the equally long *marks* written one after the other."""
    at = marks.find(mark)
    while at >= 0 and at % DIGEST_CHARS:
        at = marks.find(mark, at + 1)
    return at >= 0
