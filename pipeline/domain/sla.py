"""SLA report: what became of the recordings of a period, unit by unit, from the records and nothing else.

Rule 1: a recording belongs to the period in which its 24 hours began (T0, the end of a camera's block), whether anything of
it arrived or not; a period holds its last instant and not its first, so that the block that ends at midnight is the day's. An
expectation and the recording that answers it are one; what is withdrawn was never owed.
Rule 2: a miss is a miss, however late it was made up for; a deadline that nothing has decided yet is open, and a report with
an open one says that it is not complete.
Rule 3: of a gap the newest archived account counts. A rejected explanation explains nothing.
Rule 4: a camera's availability is what it recorded of what it owed by its hours, in millionths, in whole milliseconds.
Rule 5: what the records cannot tell is named and never counted as zero.

The document is canonical JSON; its signature covers all of it but the signature itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from pipeline.domain.account import Gap, Run
from pipeline.domain.annotation import Annotation
from pipeline.domain.canary import CANARY_UNIT
from pipeline.domain.canonical import Json, digest, plain
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.duty import Camera, owed
from pipeline.domain.identity import RecordingId, SourceId, SourceKind
from pipeline.domain.policy import Policy
from pipeline.domain.recording import Verdict
from pipeline.domain.review import Review, is_uninterrupted, opinions, review_of
from pipeline.domain.schedule import length
from pipeline.domain.spans import both, joined
from pipeline.domain.statement import described
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.domain.tracked import Cause

FORMAT: Final = "unbroken.sla-report.v1"
FOLDER: Final = "reports/"
EVERYBODY: Final = "all"
MOST_NAME: Final = 200
_KEY: Final = re.compile(
    r"reports/[0-9]{4}-[0-9]{2}-[0-9]{2}/(?:all|unit-[\w.-]{1,200}|long-[0-9a-f]{32})\.json", re.ASCII
)
FARTHEST_ZONE_MS: Final = 14 * 3600_000
"""How far the noon of a day lies from that of the same date in UTC, at most."""
MILLION: Final = 1_000_000

Named = tuple[SourceId, RecordingId]
Outcome = Literal["met", "missed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the archive holds of a recording: its newest account and when its first revision was archived."""

    verdict: Verdict
    covered_ms: int
    runs: tuple[Run, ...]
    gaps: tuple[Gap, ...]
    archived_at: WallMs
    statements: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All a report is made of. ``changes``: of deadlines, in any order. ``said``: what people said and the archive does not
    hold (yet). ``cameras``: by source. ``not_known``: what could not be looked at, in words."""

    changes: tuple[DeadlineChanged, ...]
    kept: Mapping[Named, Kept]
    said: tuple[Annotation, ...]
    cameras: Mapping[SourceId, tuple[SourceKind, Camera]]
    not_known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A recording. ``late_at``: when a missed one was complete after all. ``ask``: the people who know of it: who had the
    device, who recorded, who described it; their unit where nobody is named."""

    recording_id: RecordingId
    source_id: SourceId
    source_kind: SourceKind
    unit: str
    due_at: WallMs
    outcome: Outcome
    cause: Cause | None
    missing_fields: tuple[str, ...]
    late_at: WallMs | None
    archived_at: WallMs | None
    verdict: Verdict | None
    covered_ms: int
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemGap:
    """An interruption. ``explained``: by an explanation or a schedule that was not rejected."""

    recording_id: RecordingId
    source_id: SourceId
    unit: str
    start: WallMs
    end: WallMs
    size_ms: int
    error_ms: int
    explained: bool
    reason: str | None
    said_by: str | None
    review: Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What a scheduled camera recorded of what it owed in the period; ``None`` for one that owed nothing."""

    source_id: SourceId
    unit: str
    owed_ms: int
    recorded_ms: int
    available_millionths: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts of a unit, or of all of them (``unit`` is ``None``). ``late``: of the missed, those that are complete by now."""

    unit: str | None
    recordings: int
    met: int
    missed: int
    late: int
    open: int
    causes: Mapping[str, int]
    gaps_explained: int
    gaps_unexplained: int
    gaps_to_review: int
    gap_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaReport:
    """``start``, ``end``: the period. ``unit``: the only one looked at. ``complete``: every deadline of the period is decided."""

    unit: str | None
    start: WallMs
    end: WallMs
    made_at: WallMs
    software: str
    policy_version: str
    complete: bool
    not_known: tuple[str, ...]
    totals: Totals
    units: tuple[Totals, ...]
    recordings: tuple[Item, ...]
    gaps: tuple[ItemGap, ...]
    cameras: tuple[Availability, ...]


def report(
    facts: Facts, unit: str | None, period: tuple[WallMs, WallMs], made_at: WallMs, policy: Policy, software: str
) -> SlaReport:
    """The report of the *period* as the *facts* stand."""
    start, end = period
    said: dict[Named, dict[str, Annotation]] = {}
    for one in facts.said:
        if one.recording_id is not None:
            said.setdefault((one.source_id, one.recording_id), {}).setdefault(one.annotation_id, one)
    items, gaps = [], []
    for last, changes in _recordings(facts.changes):
        if not _is_wanted(last, unit) or not start < last.at - policy.deadline_s * 1000 <= end:
            continue
        name = (last.source_id, last.recording_id)
        kept = facts.kept.get(name)
        told = {one.annotation_id: one for one in kept.statements} if kept is not None else {}
        statements = tuple({**said.get(name, {}), **told}.values())
        items.append(_item(last, changes, kept, statements, facts.said))
        gaps += _gaps(last, kept, statements, policy) if kept is not None else []
    cameras = _cameras(facts, unit, start, min(end, made_at))
    units = sorted({item.unit for item in items})
    return SlaReport(
        unit=unit,
        start=start,
        end=end,
        made_at=made_at,
        software=software,
        policy_version=policy.version,
        complete=made_at >= end + policy.deadline_s * 1000 and all(item.outcome != "open" for item in items),
        not_known=facts.not_known,
        totals=_totals(None, items, gaps),
        units=tuple(
            _totals(each, [i for i in items if i.unit == each], [g for g in gaps if g.unit == each]) for each in units
        ),
        recordings=tuple(sorted(items, key=lambda item: (item.due_at, item.recording_id))),
        gaps=tuple(sorted(gaps, key=lambda gap: (gap.start, gap.recording_id))),
        cameras=cameras,
    )


def in_period(
    changes: Iterable[DeadlineChanged], unit: str | None, period: tuple[WallMs, WallMs], policy: Policy
) -> list[Named]:
    """The recordings a report of the *period* asks the archive for: its own, and blocks of cameras that reach into it."""
    start, end = period[0], period[1] + policy.block_s * 1000
    return [
        (last.source_id, last.recording_id)
        for last, _ in _recordings(changes)
        if _is_wanted(last, unit) and start < last.at - policy.deadline_s * 1000 <= end
    ]


def _is_wanted(last: DeadlineChanged, unit: str | None) -> bool:
    """Of the unit asked for, or of any; our own canary is nobody's recording."""
    return last.unit == unit or (unit is None and last.unit != CANARY_UNIT)


def _recordings(changes: Iterable[DeadlineChanged]) -> list[tuple[DeadlineChanged, list[DeadlineChanged]]]:
    """Each recording that was owed with its last word and all its changes, those of the expectation it answers included."""
    found: dict[Named, list[DeadlineChanged]] = {}
    for one in sorted(changes, key=lambda change: change.changed_at):
        found.setdefault((one.source_id, one.recording_id), []).append(one)
    answered: set[Named] = set()
    for (source, _), own in list(found.items()):
        expectation = next((one.stands_for for one in own if one.stands_for is not None), None)
        if expectation is not None and (source, expectation) in found:
            own[:0] = [one for one in found[source, expectation] if one.state == "missed"]
            answered.add((source, expectation))
    return [
        (own[-1], own)
        for name, own in found.items()
        if name not in answered and not (own[-1].state == "withdrawn" and all(one.state != "missed" for one in own))
    ]


def _item(
    last: DeadlineChanged,
    changes: Sequence[DeadlineChanged],
    kept: Kept | None,
    statements: Sequence[Annotation],
    said: Sequence[Annotation],
) -> Item:
    miss = next((one for one in changes if one.state == "missed"), None)
    met = any(one.state == "met" for one in changes)
    late = next((one.changed_at for one in changes if one.state == "late"), None)
    return Item(
        recording_id=last.recording_id,
        source_id=last.source_id,
        source_kind=last.source_kind,
        unit=last.unit,
        due_at=last.at if miss is None else miss.at,
        outcome="missed" if miss is not None else "met" if met else "open",
        cause=None if miss is None else miss.cause,
        missing_fields=() if miss is None else miss.missing_fields,
        late_at=late if miss is not None else None,
        archived_at=None if kept is None else kept.archived_at,
        verdict=None if kept is None else kept.verdict,
        covered_ms=0 if kept is None else kept.covered_ms,
        ask=_ask(last, statements, said) if miss is not None else (),
    )


def _ask(last: DeadlineChanged, statements: Sequence[Annotation], said: Sequence[Annotation]) -> tuple[str, ...]:
    issues = [
        (one.issue.at, one.issue.officer)
        for one in said
        if one.source_id == last.source_id and one.issue is not None and one.issue.at <= last.at
    ]
    fields = described(statements)
    named = [officer for _, officer in sorted(issues)[-1:]]
    named += [fields["recorder_id"].text] if "recorder_id" in fields else []
    spoken = [one for one in statements if one.kind in ("metadata", "explanation")]  # not by timers and connectors
    named += [one.made_by for one in sorted(spoken, key=lambda one: one.made_at)]
    return tuple(dict.fromkeys(named)) or (last.unit,)


def _gaps(last: DeadlineChanged, kept: Kept, statements: Sequence[Annotation], policy: Policy) -> list[ItemGap]:
    reviews, must = opinions(statements), is_uninterrupted(described(statements), policy)
    authors = {one.annotation_id: one.made_by for one in statements}
    found = []
    for gap in kept.gaps:
        review = review_of(gap, reviews, uninterrupted=must)
        found.append(
            ItemGap(
                recording_id=last.recording_id,
                source_id=last.source_id,
                unit=last.unit,
                start=gap.start,
                end=gap.end,
                size_ms=gap.size_ms,
                error_ms=gap.error_ms,
                explained=gap.state == "explained" and review != "rejected",
                reason=gap.reason,
                said_by=authors.get(gap.explained_by or ""),
                review=review,
            )
        )
    return found


def _cameras(facts: Facts, unit: str | None, start: WallMs, end: WallMs) -> tuple[Availability, ...]:
    recorded: dict[SourceId, list[tuple[int, int]]] = {}
    for (source, _), kept in facts.kept.items():
        recorded.setdefault(source, []).extend((run.start, run.end) for run in kept.runs)
    found = []
    for source, (_, camera) in sorted(facts.cameras.items()):
        if camera.unit is None or unit not in (None, camera.unit):
            continue
        duty = owed(camera, start, end)
        due_ms, held_ms = length(duty), length(list(both(duty, joined(recorded.get(source, [])))))
        found.append(
            Availability(
                source_id=source,
                unit=camera.unit,
                owed_ms=due_ms,
                recorded_ms=held_ms,
                available_millionths=held_ms * MILLION // due_ms if due_ms else None,
            )
        )
    return tuple(found)


def _totals(unit: str | None, items: Sequence[Item], gaps: Sequence[ItemGap]) -> Totals:
    outcomes = Counter(item.outcome for item in items)
    causes = Counter(item.cause or "unknown" for item in items if item.outcome == "missed")
    return Totals(
        unit=unit,
        recordings=len(items),
        met=outcomes["met"],
        missed=outcomes["missed"],
        late=sum(item.late_at is not None for item in items),
        open=outcomes["open"],
        causes=dict(sorted(causes.items())),
        gaps_explained=sum(gap.explained for gap in gaps),
        gaps_unexplained=sum(not gap.explained for gap in gaps),
        gaps_to_review=sum(gap.review == "waiting" for gap in gaps),
        gap_ms=sum(gap.size_ms for gap in gaps),
    )


# -- the document --------------------------------------------------------------------------------------------------------


def document(made: SlaReport, key_id: str) -> dict[str, Json]:
    """Everything the signature covers."""
    fields = plain(made)
    assert isinstance(fields, dict)
    return {"format": FORMAT, **fields, "key_id": key_id}


def report_key(day: str, unit: str | None) -> str:
    """Where the report of a *day* (``2026-11-24``) and a unit stands in the bucket of records. Whatever a unit is called,
    the key is short and a file name on any system."""
    if unit is None:
        return f"{FOLDER}{day}/{EVERYBODY}.json"
    name = quote(unit, safe="").replace("_", "%5F").replace("~", "%7E").replace("%", "_")
    return f"{FOLDER}{day}/{f'unit-{name}' if len(name) <= MOST_NAME else f'long-{digest(unit)[:32]}'}.json"


def misplaced(key: str, fields: Mapping[str, Any]) -> str:
    """What is wrong with the report *fields* at *key*; empty if it is one, of this unit and of this day in some zone."""
    if fields.get("format") != FORMAT:
        return f"it is no {FORMAT}: {fields.get('format')!r:.80}"
    try:
        day, unit = key.split("/")[1], fields["unit"]
        noon = from_rfc3339(f"{day}T12:00:00.000Z")
        middle = (from_rfc3339(fields["start"]) + from_rfc3339(fields["end"])) // 2
        if report_key(day, unit) == key and abs(middle - noon) <= FARTHEST_ZONE_MS:
            return ""
        return f"it is the report of unit {unit!r:.80} from {fields['start']} to {fields['end']}"
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        return f"it does not say of what it is the report: {type(exc).__name__} {exc}"


def is_sla_key(key: str) -> bool:
    """Whether *key* is one that :func:`report_key` makes; what it names says nothing about a recording."""
    return _KEY.fullmatch(key) is not None
