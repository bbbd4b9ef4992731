"""Truth: what a recording must come out as, as plain data, and how a report differs from it.

The footage is cut on purpose, so what is wrong with it is known before anything looks at it. A time in the truth is
exact; ``tolerance_ms`` says how exact a report must be (frames have a length, a name's stamp has whole seconds).
Everything else must be equal, and a finding too many is as wrong as one too few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from pipeline.domain.continuity import Verdict
from pipeline.domain.findings import FindingKind
from pipeline.domain.identity import RecordingId, SourceId, SourceKind
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339

DeadlineState = Literal["tracked", "met", "missed", "late"]

DEADLINE_MS: Final = 24 * 3600 * 1000
"""Article 9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedGap:
    """Time cut out of a recording. ``reason`` is what a schedule says of it; without one it stays unexplained."""

    start: WallMs
    end: WallMs
    tolerance_ms: int
    state: Literal["explained", "unexplained"]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One fault made on purpose, in words for people, and where a report shows it: its gaps, its verdict, or the
    findings of one kind."""

    what: str
    shows: Literal["verdict"] | FindingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One recording as it must be reported once all of its files are in.

    ``findings``: the kinds beside gaps, each once. ``started_at`` is ``None`` where nothing places a file in time.
    ``bytes`` counts every announced file, duplicates too; ``originals`` are the keys of the distinct ones.
    """

    recording_id: RecordingId
    source_id: SourceId
    unit: str
    kind: SourceKind
    verdict: Verdict
    started_at: WallMs | None
    ended_at: WallMs | None
    covered_ms: int
    tolerance_ms: int
    segments: int
    bytes: int
    originals: tuple[str, ...]
    deadline: DeadlineState
    gaps: tuple[PlantedGap, ...] = ()
    findings: tuple[FindingKind, ...] = ()
    plants: tuple[Plant, ...] = ()


def differences(truth: Truth, report: Mapping[str, Any] | None) -> list[str]:
    """How *report* (one entry of ``unbroken recordings --json``) differs from the truth; empty when it does not."""
    if report is None:
        return ["not reported at all"]
    exact: dict[str, tuple[object, object]] = {
        "source_id": (truth.source_id, report["source_id"]),
        "unit": (truth.unit, report["unit"]),
        "kind": (truth.kind, report["kind"]),
        "verdict": (truth.verdict, report["verdict"]),
        "segments": (truth.segments, report["segments"]),
        "bytes": (truth.bytes, report["bytes"]),
        "findings": (sorted(truth.findings), finding_kinds(report)),
        "chain closed": (True, report["chain"]["closed"]),
        "archive state": ("archived", report["archive"]["state"]),
        "lock mode": ("COMPLIANCE", report["archive"]["lock_mode"]),
    }
    found = [f"{name}: expected {want!r}, found {got!r}" for name, (want, got) in exact.items() if want != got]
    found += _wall("started_at", truth.started_at, report["started_at"], truth.tolerance_ms)
    found += _wall("ended_at", truth.ended_at, report["ended_at"], truth.tolerance_ms)
    if abs(_ms(report["covered_s"]) - truth.covered_ms) > truth.tolerance_ms:
        found.append(f"covered: expected {truth.covered_ms} ms, found {report['covered_s']} s")
    return found + _deadline_differences(truth, report["deadline"]) + _gap_differences(truth.gaps, report["gaps"])


def finding_kinds(report: Mapping[str, Any]) -> list[str]:
    """The kinds of a report's findings, each once; gaps have their own list."""
    return sorted({finding["kind"] for finding in report["findings"]} - {"gap"})


def _deadline_differences(truth: Truth, reported: Mapping[str, Any] | None) -> list[str]:
    """The state as planted, and a due time that gives nobody more than the rule's day after the end."""
    if reported is None or reported["state"] != truth.deadline:
        return [f"deadline: expected {truth.deadline}, found {reported['state'] if reported else None}"]
    latest = None if truth.ended_at is None else WallMs(truth.ended_at + DEADLINE_MS + truth.tolerance_ms)
    if latest is not None and from_rfc3339(reported["at"]) > latest:
        return [f"deadline: expected at the latest {to_rfc3339(latest)}, found {reported['at']}"]
    return []


def _gap_differences(planted: Sequence[PlantedGap], reported: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(planted) != len(reported):
        places = ", ".join(f"{gap['start']} to {gap['end']}" for gap in reported) or "none"
        return [f"gaps: expected {len(planted)}, found {len(reported)} ({places})"]
    found = []
    for number, (want, got) in enumerate(zip(planted, reported, strict=True), start=1):
        found += _wall(f"gap {number} start", want.start, got["start"], want.tolerance_ms)
        found += _wall(f"gap {number} end", want.end, got["end"], want.tolerance_ms)
        if abs(_ms(got["seconds"]) - (want.end - want.start)) > want.tolerance_ms:
            found.append(f"gap {number} size: expected {want.end - want.start} ms, found {got['seconds']} s")
        if (want.state, want.reason) != (got["state"], got["reason"]):
            found.append(f"gap {number}: expected {want.state} ({want.reason}), found {got['state']} ({got['reason']})")
    return found


def _wall(name: str, want: WallMs | None, got: str | None, tolerance_ms: int) -> list[str]:
    if want is None or got is None:
        same = want is None and got is None
    else:
        same = abs(from_rfc3339(got) - want) <= tolerance_ms
    return [] if same else [f"{name}: expected {to_rfc3339(want) if want is not None else None}, found {got}"]


def _ms(seconds: object) -> int:
    return int(Decimal(str(seconds)) * 1000)
