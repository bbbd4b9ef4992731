"""Check: files somebody has at hand, judged by the code that judges what connectors send.

Nothing about continuity is decided here: the files become the segments of one recording, :func:`continuity.step
<pipeline.domain.continuity.step>` judges them, and a declared end asks for the account. What is added is for a reader who
was not there: which file a gap lies in or between, what each place rests on, and what could not be tested. Files are put in
the order of their evidence; their names decide nothing.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from pipeline.domain import continuity
from pipeline.domain.account import Gap, Run
from pipeline.domain.annotation import Annotation, SessionEnded
from pipeline.domain.continuity import SourceState
from pipeline.domain.dates import Ruling, place, settled
from pipeline.domain.findings import LEVEL_ORDER, Evidence, Finding, FindingKind, Level
from pipeline.domain.grounds import Basis, Unread, Untested, bases_of, not_tested, unopened, unsaid
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.listing import Listing, followed, ranks, remarks, times
from pipeline.domain.policy import Policy, Tolerance
from pipeline.domain.probe import MediaFacts, SegmentProbed
from pipeline.domain.recording import JudgedSegment, RecordingEnded, Verdict
from pipeline.domain.spans import both, joined
from pipeline.domain.time import ClaimedTime, WallMs, seconds
from pipeline.domain.timeline import locate, running_stamp

_HERE: Final = "check"
_RECORDING: Final = RecordingId("check")
_SURELY_SHARED_MS: Final = 5000
"""More than error bars of names and dates can feign: 2 s at either end, and a second of rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One file as it was read: the digest and facts of its bytes, and what its name, place and date claim. ``opaque``: why
    it can hold media although nothing in it can be read. ``said``: what a list beside it says of it."""

    name: str
    sha256: Sha256
    size_bytes: int
    facts: MediaFacts
    start: ClaimedTime | None = None
    sequence: int | None = None
    run: str | None = None
    opaque: str | None = None
    said: tuple[Finding, ...] = ()


class Observation(NamedTuple):
    """A gap or finding with the names of its files. ``after``: what lies before it, if it lies between two files, or the
    file a duplicate repeats. ``at_ms``: where it begins, since the start of the recording. ``error_ms``: how far a gap's clock times may both be off."""

    kind: FindingKind
    level: Level
    evidence: Evidence
    expected: str
    found: str
    file: str | None
    after: str | None
    stream: int | None
    start: WallMs | None
    end: WallMs | None
    at_ms: int | None
    size_ms: int | None
    how_many: int | None
    error_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One recording judged. ``files`` are in the order of their evidence, those without a place last; ``ended`` is ``None``
    where there was no file to judge."""

    name: str
    verdict: Verdict
    ended: RecordingEnded | None
    files: tuple[tuple[str, JudgedSegment], ...]
    observations: tuple[Observation, ...]
    bases: tuple[Basis, ...]
    not_tested: tuple[Untested, ...]
    unread: tuple[Unread, ...]

    @property
    def span_ms(self) -> int:
        """From the first sample to the last; what is covered, where nothing is placed."""
        if self.ended is None:
            return 0
        if self.ended.started_at is None or self.ended.ended_at is None:
            return self.ended.covered_ms
        return self.ended.ended_at - self.ended.started_at


def check(
    name: str,
    files: Sequence[FileRead],
    unread: Sequence[Unread],
    kind: SourceKind,
    now: WallMs,
    policy: Policy,
    listings: Sequence[Listing] = (),
) -> Checked:
    """Judge *files* as one recording called *name*. *unread*: what lay beside them and could not be read. *listings*: lists
    that name files of it."""
    if not files:
        return Checked(
            name=name,
            verdict="unreadable" if unread else "not_testable",
            ended=None,
            files=(),
            observations=(),
            bases=(),
            not_tested=tuple(unopened(unread)) or (Untested("no_media"),),
            unread=tuple(unread),
        )
    stamps = {file.sha256: at for file in files if (at := running_stamp(file.facts)) is not None}
    starts = times(listings, stamps)
    files = [_claimed(file, starts, listings) for file in files]
    folded = first, told, _ = _fold(files, kind, now, policy)
    ordered = _in_order(files, first, ranks(listings))
    if listings:
        ordered = _told(ordered, files, first, told, listings, policy.tolerance[kind])
    if doubt := _several_sources(first):
        ordered[0] = replace(ordered[0], said=(*ordered[0].said, doubt))
    in_order = all(one is other for one, other in zip(ordered, files, strict=True))
    segments, ended, ruling = folded if in_order else _fold(ordered, kind, now, policy)
    named = tuple(zip([file.name for file in ordered], segments, strict=True))
    tolerance = policy.tolerance[kind]
    return Checked(
        name=name,
        verdict=ended.verdict,
        ended=ended,
        files=named,
        observations=tuple(_observations(ended, named, followed(listings))),
        bases=tuple(bases_of(ended, segments, ruling)),
        not_tested=(*unopened(unread), *not_tested(ended, named, tolerance, ruling), *unsaid(listings)),
        unread=tuple(unread),
    )


def exit_code(checked: Sequence[Checked]) -> int:
    """0: every recording continuous and every file read; 1: some interruption; 3: only degradations; 4: else, what could not
    be tested or read."""
    verdicts = {item.verdict for item in checked}
    if "interrupted" in verdicts:
        return 1
    if "degraded" in verdicts:
        return 3
    return 4 if verdicts != {"continuous"} or any(item.unread for item in checked) else 0


def gravest(observations: Sequence[Observation], most: int) -> list[Observation]:
    """At most *most* of them, the gravest, in their order."""
    ranked = sorted(range(len(observations)), key=lambda number: LEVEL_ORDER.index(observations[number].level))
    return [observations[number] for number in sorted(ranked[:most])]


def covered_cells(runs: Sequence[Run], start: int, end: int, width: int) -> tuple[bool, ...]:
    """*start* to *end* in *width* equal cells: whether a cell is covered wholly. The shortest hole takes a cell."""
    edges = [start + (end - start) * number // width for number in range(width + 1)]
    holes = [(left.end, right.start) for left, right in itertools.pairwise(runs)]
    cells = [True] * width
    at = 0
    for lo, hi in holes:
        while at < width - 1 and edges[at + 1] <= lo:
            at += 1
        number = at
        while number < width and (number == at or edges[number] < hi):
            cells[number] = False
            number += 1
    return tuple(cells)


# What lists say, and the order of the files.


def _claimed(file: FileRead, starts: Mapping[Sha256, ClaimedTime], listings: Sequence[Listing]) -> FileRead:
    """*file* with the time a list states: before its name's if a person gave the list, else after it."""
    facts, start = file.facts, file.start
    if file.opaque is not None and facts.media == "unreadable":
        facts = replace(facts, media="timed", findings=(_opaque(file.opaque),))
    claim = starts.get(file.sha256)
    if claim is not None:
        given = any(listing.given for listing in listings)
        own = (start,) if given and start is not None and start.origin != "file_system" else ()
        facts = replace(facts, clocks=(*facts.clocks, claim, *own))
        start = claim if given else start
    return replace(file, facts=facts, start=start)


def _opaque(reason: str) -> Finding:
    return Finding(kind="not_testable", level="note", evidence="none", expected="media that can be read", found=reason)


def _in_order(
    files: Sequence[FileRead], segments: Sequence[JudgedSegment], listed: Mapping[Sha256, int]
) -> list[FileRead]:
    """*files* by their place in time: those of one identity by its clock, and those that a wall clock or nothing places by
    their numbers, a recorder's or a list's."""
    pairs = sorted(zip(segments, files, strict=True), key=lambda pair: (pair[0].start is None, pair[0].start or 0))
    numbered: dict[str | None, list[tuple[int, int]]] = {}
    for at, (segment, file) in enumerate(pairs):
        number = file.sequence if file.sequence is not None else listed.get(file.sha256)
        placed = locate(segment.probed)
        if placed is not None and placed.clock.startswith("mtxi:"):
            numbered.setdefault(placed.clock, []).append((at, placed.at))
        elif number is not None and (placed is None or placed.clock == "wall"):
            run = f"numbers of {file.run or ''}" if file.sequence is not None else None
            numbered.setdefault(run, []).append((at, number))
    ordered = [file for _, file in pairs]
    for places in numbered.values():
        by_number = sorted(places, key=lambda place: (place[1], place[0]))
        for (at, _), (taken, _) in zip(places, by_number, strict=True):
            ordered[at] = pairs[taken][1]
    return ordered


def _told(
    ordered: Sequence[FileRead],
    files: Sequence[FileRead],
    segments: Sequence[JudgedSegment],
    ended: RecordingEnded,
    listings: Sequence[Listing],
    tolerance: Tolerance,
) -> list[FileRead]:
    """Each file with what lists say of it, held against *segments* and *ended*, the files' own account."""
    placed = {file.sha256: segment for file, segment in zip(files, segments, strict=True) if not segment.duplicate}
    said: dict[Sha256, tuple[Finding, ...]] = {}
    for file, finding in remarks(listings, placed, ended.gaps, tolerance):
        said[file] = (*said.get(file, ()), finding)
    return [replace(file, said=said.pop(file.sha256, ())) for file in ordered]


def _several_sources(segments: Sequence[JudgedSegment]) -> Finding | None:
    """The finding that files of two kinds of picture cover the same time: each hides what the other lost."""
    kinds: dict[str, list[tuple[int, int]]] = {}
    for segment in segments:
        pictures = [stream for stream in segment.probed.facts.streams if stream.kind == "video"]
        if pictures and segment.start is not None and segment.end is not None and not segment.duplicate:
            kind = f"{pictures[0].codec} {pictures[0].format}".strip()
            kinds.setdefault(kind, []).append((segment.start, segment.end))
    spans = {kind: joined(places) for kind, places in kinds.items()}
    for (one, mine), (other, theirs) in itertools.combinations(sorted(spans.items()), 2):
        shared = _sum_ms(both(mine, theirs))
        if 2 * shared > min(_sum_ms(mine), _sum_ms(theirs)) and shared > _SURELY_SHARED_MS:
            found = f"{seconds(shared)} both as {one} and as {other}: check each source in a folder of its own (-r)"
            # Totals: as with a stream whose loss has no place, the recording is not called continuous.
            return Finding(
                kind="not_testable", level="note", evidence="totals", expected="files of one source", found=found
            )
    return None


def _sum_ms(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


# The pipeline's own judgement.


def _fold(
    files: Sequence[FileRead], kind: SourceKind, now: WallMs, policy: Policy
) -> tuple[list[JudgedSegment], RecordingEnded, Ruling]:
    """Every file through continuity, then the end that says how many there were; and whether their dates are believed."""
    state = SourceState()
    segments: list[JudgedSegment] = []
    for number, file in enumerate(files, start=1):
        state, items = continuity.step(state, _segment(file, number, kind, now), policy)
        segments += [item.segment for item in items if item.segment is not None]
    state, items = continuity.step(state, _end(len(files), now), policy)
    (ended,) = [item.ended for item in items if item.ended is not None]
    timeline, ruling = settled(state.recordings[_RECORDING].timeline)
    if ruling in ("stamps", "nothing"):  # where files were taken to be as they came rests on their dates
        segments = [_moved(segment, place(timeline, ruling, segment.probed)) for segment in segments]
    return segments, ended, ruling


def _moved(segment: JudgedSegment, to: tuple[WallMs, WallMs] | None) -> JudgedSegment:
    if segment.start is None:
        return segment
    start, end = to or (None, None)
    return replace(segment, start=start, end=end)


def _segment(file: FileRead, number: int, kind: SourceKind, now: WallMs) -> SegmentProbed:
    landed = SegmentLanded(
        connector=_HERE,
        announcement=number,
        source_id=SourceId(_HERE),
        source_kind=kind,
        unit=_HERE,
        recording_id=_RECORDING,
        object=ObjectRef(bucket=_HERE, key=file.sha256, version_id="", sha256=file.sha256, size_bytes=file.size_bytes),
        original_name=file.name,
        received_at=now,
        ends="declared",
        sequence=file.sequence,
        run=file.run,
        claimed_start=file.start,
    )
    facts = replace(file.facts, findings=(*file.facts.findings, *file.said))
    return SegmentProbed(landed=landed, facts=facts, observed_sha256=file.sha256, probe_version=_HERE)


def _end(count: int, now: WallMs) -> Annotation:
    return Annotation(
        annotation_id=f"{_HERE}-end",
        kind="session_ended",
        source_id=SourceId(_HERE),
        recording_id=_RECORDING,
        made_at=now,
        made_by=_HERE,
        ended=SessionEnded(reason="declared", expected_segments=count),
    )


# Names for what was found.


def _observations(
    ended: RecordingEnded, files: Sequence[tuple[str, JudgedSegment]], pairs: Mapping[tuple[Sha256, Sha256], str]
) -> list[Observation]:
    """Gaps and findings in timeline order, those without a place last. *pairs*: files a list has one after the other."""
    names: dict[str, str] = {}
    copies: dict[str, list[str]] = {}
    for name, segment in files:
        digest = segment.probed.landed.object.sha256
        if segment.duplicate:
            copies.setdefault(digest, []).append(name)
        else:
            names[digest] = name
    places = _places(files)
    listed = {(names.get(before), names.get(after)): name for (before, after), name in pairs.items()}
    found = [_of_gap(gap, ended, places, listed) for gap in ended.gaps]
    for finding in ended.findings:
        file, after = names.get(finding.segment or ""), names.get(finding.previous or "")
        if finding.kind == "duplicate" and copies.get(finding.segment or ""):
            file, after = copies[finding.segment or ""].pop(0), file
        elif finding.segment == finding.previous:  # it lies behind the last file
            file = None
        found.append(_of_finding(finding, ended, file, after))
    return sorted(found, key=lambda item: (item.start is None, item.start or 0))


class _Place(NamedTuple):
    """Where a file begins, and which file so far ends latest."""

    start: int
    name: str
    latest: int
    latest_name: str


def _places(files: Sequence[tuple[str, JudgedSegment]]) -> list[_Place]:
    placed = sorted((seg.start, seg.end, name) for name, seg in files if seg.start is not None and seg.end is not None)
    latest = itertools.accumulate(((end, name) for _, end, name in placed), max)
    return [_Place(start, name, *last) for (start, _, name), last in zip(placed, latest, strict=True)]


def _of_gap(
    gap: Gap, ended: RecordingEnded, places: Sequence[_Place], listed: Mapping[tuple[str | None, str | None], str]
) -> Observation:
    """*places* in the order of their starts. The middle of a gap is the last to be off by an error bar. *listed*: the list
    that has two files one after the other."""
    middle = (gap.start + gap.end) // 2
    number = bisect.bisect_left(places, middle, key=lambda place: place.start)
    before = places[number - 1] if number else None
    inside = before is not None and before.latest > middle
    behind = places[number].name if number < len(places) else None
    file = before.latest_name if before and inside else behind
    after = before.latest_name if before and not inside else None
    claimed = listed.get((after, file))
    return Observation(
        kind="gap",
        level="interruption",
        evidence=gap.evidence,
        expected="media that runs on" + (f", as {claimed} has it" if claimed else ""),
        found=f"{seconds(gap.size_ms)} missing",
        file=file,
        after=after,
        stream=None,
        start=gap.start,
        end=gap.end,
        at_ms=_since(ended, gap.start),
        size_ms=gap.size_ms,
        how_many=None,
        error_ms=gap.error_ms,
    )


def _of_finding(finding: Finding, ended: RecordingEnded, file: str | None, after: str | None) -> Observation:
    return Observation(
        kind=finding.kind,
        level=finding.level,
        evidence=finding.evidence,
        expected=finding.expected,
        found=finding.found,
        file=file,
        after=after,
        stream=finding.stream,
        start=finding.wall_start,
        end=finding.wall_end,
        at_ms=_since(ended, finding.wall_start),
        size_ms=finding.size_ms,
        how_many=finding.count,
        error_ms=None,
    )


def _since(ended: RecordingEnded, at: WallMs | None) -> int | None:
    return None if at is None or ended.started_at is None else max(0, at - ended.started_at)
