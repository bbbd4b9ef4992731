"""Recording: what is remembered of one recording while its segments come, and its account at the end.

:func:`admit` takes one segment in, :func:`tell` says what the recording is as it stands. Byte-identical files count once
on the timeline: the first to arrive is placed, the others are notes. A gap is explained by the last explanation said
that covers it, and is spoken soon after the restart where the policy asks for a voice, or by a schedule window that covers
it. Explained or not, the recording was interrupted.

The verdict is the worst of: all files unreadable, an interruption, a degradation, something not testable; else continuous.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, get_args

from pipeline.domain.account import Account, Gap, Run, in_order
from pipeline.domain.annotation import Annotation, EndReason, ReasonCode
from pipeline.domain.dates import held_ms
from pipeline.domain.findings import LEVEL_ORDER, Finding, FindingKind, Level
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, about_recording
from pipeline.domain.policy import Policy
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import RUNNING, Arrival, Timeline, claim_of, has_stamps, insert, lead_ms

Verdict = Literal["continuous", "interrupted", "degraded", "not_testable", "unreadable"]

DIGEST_CHARS: Final = 12
"""48 bits of a digest tell a recording's files apart: two of 4096 are taken for one once in 30 million recordings."""
MAX_DIGESTS: Final = 4096
"""Files of one open recording whose bytes are recognised; older ones are recognised by their place, as overlaps."""
MAX_FINDINGS: Final = 256
"""Listed one by one in an account; more of a kind are counted."""

GAP_CLASSES: Final = (*get_args(ReasonCode), "planned", "unexplained")

_EMPTY_TIMELINE: Final = Timeline()
_NO_KINDS: Final[Mapping[str, int]] = {}
_NEVER: Final = WallMs(0)


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


class Recording(NamedTuple):
    """What is remembered of one recording.

    ``kind`` and ``unit`` are ``None`` until its first segment; ``held`` keeps annotations that came before. ``findings``:
    the files' own, and duplicates, at most :data:`MAX_FINDINGS`; ``kinds`` counts all of them by level and kind.
    ``untimed``: files of timed media in which something has no usable stamps; ``brief``: files too short to be judged alone. ``block_end``: the end of a continuous camera's block.
    ``closed``: why it ended, ``None`` while open; ``closed_at``: the position of its end; ``standing``: how many gaps of
    each class it had then.
    """

    kind: SourceKind | None = None
    unit: str = ""
    timeline: Timeline = _EMPTY_TIMELINE
    findings: tuple[Finding, ...] = ()
    kinds: Mapping[str, int] = _NO_KINDS
    digests: str = ""
    segments: int = 0
    bytes: int = 0
    timed: int = 0
    untimed: int = 0
    brief: int = 0
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
    standing: Mapping[str, int] = _NO_KINDS


def admit(
    recording: Recording, probed: SegmentProbed, policy: Policy, skipped: Finding | None = None
) -> tuple[Recording, JudgedSegment]:
    """Take one segment in. *skipped*: what is to be said of announcements that did not come before it."""
    landed, facts = probed.landed, probed.facts
    own = landed.object.sha256[:DIGEST_CHARS]
    duplicate = holds(recording.digests, own)
    placed, timeline = None, recording.timeline
    if facts.media == "timed" and not duplicate:
        timeline, placed = insert(timeline, probed, policy.tolerance[landed.source_kind])
    files = _own_findings(probed, placed, duplicate)
    lasting = [finding for finding in files if finding.kind != "gap" or placed is None or finding.from_ms is None]
    counted = facts.media == "timed" and not duplicate
    doubt = _doubt(probed) if counted else None
    recording = _with_findings(recording, lasting)._replace(
        kind=landed.source_kind,
        unit=landed.unit,
        timeline=timeline,
        digests=recording.digests if duplicate else (recording.digests + own)[-MAX_DIGESTS * DIGEST_CHARS :],
        segments=recording.segments + 1,
        bytes=recording.bytes + landed.object.size_bytes,
        timed=recording.timed + counted,
        untimed=recording.untimed + (doubt == "untimed"),
        brief=recording.brief + (doubt == "brief"),
        unreadable=recording.unreadable + (facts.media == "unreadable"),
        first_received_at=min(recording.first_received_at or landed.received_at, landed.received_at),
        last_received_at=max(recording.last_received_at, landed.received_at),
        block_end=_block_end(recording, probed, policy),
        closed=False,
    )
    findings = (*files, *_arisen(probed, placed), *([skipped] if skipped else []))
    start, end = (placed.start, placed.end) if placed else (None, None)
    return recording, JudgedSegment(probed=probed, start=start, end=end, duplicate=duplicate, findings=findings)


def _doubt(probed: SegmentProbed) -> Literal["untimed", "brief"] | None:
    """What keeps a file from being tested: no usable times in it or in one of its streams, or hardly a frame."""
    found = [finding for finding in probed.facts.findings if finding.kind == "not_testable"]
    if not has_stamps(probed) or any(item.stream is not None or item.evidence == "totals" for item in found):
        return "untimed"
    return "brief" if found else None


def _own_findings(probed: SegmentProbed, placed: Arrival | None, duplicate: bool) -> list[Finding]:
    """What is to be said of the file itself, with its name on it and its place where it has one."""
    digest = probed.landed.object.sha256
    if duplicate:
        return [_note("duplicate", "bytes", "bytes not seen before", "bytes already here", digest)]
    claim = claim_of(probed)
    began = claim.at - lead_ms(probed) if claim else None
    found = []
    for finding in probed.facts.findings:
        changes: dict[str, object] = {} if finding.segment else {"segment": digest}
        if finding.from_ms is not None and finding.wall_start is None and began is not None and placed is not None:
            changes["wall_start"] = WallMs(max(0, began + finding.from_ms))
            if finding.to_ms is not None:
                changes["wall_end"] = WallMs(max(0, began + finding.to_ms))
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
            evidence="media_clock" if probed.facts.container in RUNNING else "wall_clock",
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
    return recording._replace(findings=in_order((*recording.findings, *added))[:MAX_FINDINGS], kinds=kinds)


def _block_end(recording: Recording, probed: SegmentProbed, policy: Policy) -> WallMs | None:
    """The end of the block the recording's earliest segment begins in; ``None`` if nobody waits for the next block."""
    claim = probed.landed.claimed_start
    if probed.landed.ends != "next_block" or claim is None:
        return recording.block_end
    block_ms = policy.block_s * 1000
    end = WallMs(claim.at - claim.at % block_ms + block_ms)
    return end if recording.block_end is None else min(end, recording.block_end)


def tell(
    name: RecordingId,
    source: SourceId,
    recording: Recording,
    told: Account,
    reason: EndReason,
    windows: Sequence[Said],
    more: Sequence[Finding],
    policy: Policy,
) -> RecordingEnded:
    """The account of *recording* as it stands, for its next revision. *told*: its timeline's; *more*: findings that the
    recording itself cannot know, of announcements that never came."""
    assert recording.kind is not None  # only recordings with segments end
    gaps = gaps_of(recording, told, windows, policy)
    findings = in_order([*_lasting(recording, told), *more])
    lost = any(finding.kind == "not_testable" for finding in told.findings)
    verdict = _verdict(recording, gaps, findings, lost)
    if verdict == "not_testable" and not any(finding.kind == "not_testable" for finding in findings):
        findings = (*findings, _not_testable(recording))
    covered_ms = sum(run.end - run.start for run in told.runs) if told.runs else held_ms(recording.timeline)
    return RecordingEnded(
        recording_id=name,
        source_id=source,
        source_kind=recording.kind,
        unit=recording.unit,
        revision=recording.revision + 1,
        reason=reason,
        verdict=verdict,
        started_at=told.runs[0].start if told.runs else None,
        ended_at=told.runs[-1].end if told.runs else None,
        covered_ms=covered_ms + recording.timeline.unplaced_ms,
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


def gaps_of(recording: Recording, told: Account, windows: Sequence[Said], policy: Policy) -> tuple[Gap, ...]:
    """The gaps with who explains them: the last explanation said that covers one (a correction counts), else the first
    schedule window."""
    assert recording.kind is not None
    voice = recording.kind in policy.voice_explanation_kinds
    slack_ms = policy.tolerance[recording.kind].wall_clock_ms
    found = []
    for gap in told.gaps:
        error_ms = gap.error_ms + slack_ms
        spoken = [
            said
            for said in recording.said
            if _covers(said, gap, error_ms) and (not voice or _spoken(said, gap, error_ms, policy))
        ]
        planned = [said for said in windows if _covers(said, gap, error_ms)]
        by = next(iter([*reversed(spoken), *sorted(planned, key=first_said)]), None)
        if by is None:
            found.append(replace(gap, state="unexplained"))
        else:
            found.append(replace(gap, state="explained", reason=by.reason, explained_by=by.annotation_id))
    return tuple(found)


def gap_class(gap: Gap) -> str:
    """One of :data:`GAP_CLASSES`: article 8's reason, ``planned`` by a schedule, or ``unexplained``."""
    if gap.state != "explained" or gap.reason is None:
        return "unexplained"
    return gap.reason if gap.reason in GAP_CLASSES else "planned"


def _covers(said: Said, gap: Gap, error_ms: int) -> bool:
    return said.start <= gap.start + error_ms and gap.end - error_ms <= said.end


def _spoken(said: Said, gap: Gap, error_ms: int, policy: Policy) -> bool:
    """Whether the reason is spoken after the restart (article 8), as soon as the policy asks."""
    if said.voice_start is None or said.voice_end is None:
        return False
    latest = gap.end + policy.voice_within_s * 1000 + error_ms
    return gap.end - error_ms <= said.voice_start < said.voice_end and said.voice_start <= latest


def _lasting(recording: Recording, told: Account) -> list[Finding]:
    """The timeline's findings, the files' own, how many of those are not listed, and whether all announced files came."""
    findings = [*told.findings, *recording.findings]
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
    return findings


def _more(word: str, count: int) -> Finding:
    level: Level = next(level for level in LEVEL_ORDER if word.startswith(f"{level}/"))
    kind: FindingKind = word.partition("/")[2]  # type: ignore[assignment]  # written from a kind
    found = f"{count} more of this kind than are listed"
    return Finding(kind=kind, level=level, evidence="none", expected="none", found=found, count=count)


def _verdict(recording: Recording, gaps: tuple[Gap, ...], findings: tuple[Finding, ...], lost: bool) -> Verdict:
    """*lost*: what lies between files is not known, although they have places."""
    levels = {finding.level for finding in findings}
    if recording.unreadable and recording.unreadable == recording.segments:
        return "unreadable"
    if gaps or "interruption" in levels:
        return "interrupted"
    if "degradation" in levels:
        return "degraded"
    apart = recording.timeline.unplaced and recording.timed > 1
    testable = recording.timed > recording.brief and not recording.untimed and not apart and not lost
    return "continuous" if testable else "not_testable"


def _not_testable(recording: Recording) -> Finding:
    if not recording.timed:
        found = "only files without a time line"
    elif recording.untimed:
        found = f"{recording.untimed} files without usable time stamps"
    elif recording.timed == recording.brief:
        found = "too few frames to know their rate"
    else:
        found = f"{recording.timeline.unplaced} of {recording.timed} files that nothing places in time"
    return Finding(kind="not_testable", level="note", evidence="none", expected="media with time stamps", found=found)


def first_said(said: Said) -> tuple[int, str]:
    """The order in which statements were made."""
    return said.made_at, said.annotation_id


def holds(marks: str, mark: str) -> bool:
    """Whether *mark* is one of the equally long *marks* written one after the other."""
    at = marks.find(mark)
    while at >= 0 and at % DIGEST_CHARS:
        at = marks.find(mark, at + 1)
    return at >= 0
