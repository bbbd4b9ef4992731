"""Reports: what the commands print as JSON, made of domain values. The shapes are ``schemas/recordings.v1``, ``gaps.v1``
and ``status.v1``.

Seconds are numbers with milliseconds; times are RFC 3339 UTC. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import LockedObject, LockMode, RecordingArchived
from pipeline.domain.canonical import plain
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.identity import RecordingId
from pipeline.domain.policy import Policy
from pipeline.domain.review import is_uninterrupted, opinions, review_of
from pipeline.domain.statement import described
from pipeline.domain.time import to_rfc3339
from pipeline.domain.tracked import Progress

ArchiveStateWord = Literal["open", "pending", "archived"]
"""Still recording or expected to; ended and on its way; locked with a receipt."""


class Awaited(NamedTuple):
    """What a deadline that is not met waits for: how far its recording is, and the mandatory fields nobody has stated."""

    progress: Progress
    missing_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """A recording's chain so far: how many links (the genesis counts), the newest hash, whether it ends with a close."""

    links: int
    head: str | None
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """Everything known of one recording, from the archive if it is there, else from the running state. ``statements``:
    those its archived manifest keeps; ``awaited``: as long as its deadline is neither met nor given up."""

    account: RecordingEnded
    chain: Chained
    archived: RecordingArchived | None
    deadline: DeadlineChanged | None
    ended: bool
    statements: tuple[Annotation, ...] = ()
    awaited: Awaited | None = None

    @property
    def recording_id(self) -> RecordingId:
        return self.account.recording_id


def recording_report(known: Reported) -> dict[str, Any]:
    """One recording as ``unbroken recordings --json`` shows it."""
    account = known.account
    return {
        "recording_id": account.recording_id,
        "source_id": account.source_id,
        "unit": account.unit,
        "kind": account.source_kind,
        "verdict": account.verdict,
        "started_at": plain(account.started_at),
        "ended_at": plain(account.ended_at),
        "covered_s": account.covered_ms / 1000,
        "segments": account.segments,
        "bytes": account.bytes,
        "runs": plain(account.runs),
        "gaps": [
            {
                "start": to_rfc3339(gap.start),
                "end": to_rfc3339(gap.end),
                "seconds": gap.size_ms / 1000,
                "state": gap.state,
                "reason": gap.reason,
            }
            for gap in account.gaps
        ],
        "findings": plain(account.findings),
        "chain": {"links": known.chain.links, "head": known.chain.head, "closed": known.chain.closed},
        "archive": _archive(known),
        "deadline": _deadline(known.deadline, known.awaited),
    }


def gap_reports(known: Reported, policy: Policy) -> list[dict[str, Any]]:
    """A recording's interruptions as ``unbroken gaps --json`` shows them."""
    account = known.account
    reviews = opinions(known.statements)
    uninterrupted = is_uninterrupted(described(known.statements), policy)
    return [
        {
            "recording_id": account.recording_id,
            "source_id": account.source_id,
            "unit": account.unit,
            "kind": account.source_kind,
            "start": to_rfc3339(gap.start),
            "end": to_rfc3339(gap.end),
            "seconds": gap.size_ms / 1000,
            "error_s": gap.error_ms / 1000,
            "evidence": gap.evidence,
            "state": gap.state,
            "reason": gap.reason,
            "explained_by": gap.explained_by,
            "review": review_of(gap, reviews, uninterrupted=uninterrupted),
        }
        for gap in account.gaps
    ]


def _deadline(change: DeadlineChanged | None, awaited: Awaited | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"at": to_rfc3339(change.at), "state": change.state, "cause": change.cause, **awaited_report(awaited)}


def awaited_report(awaited: Awaited | None) -> dict[str, Any]:
    """What is waited for, as every report has it."""
    if awaited is None:
        return {"progress": None, "missing_fields": []}
    return {"progress": awaited.progress, "missing_fields": list(awaited.missing_fields)}


def _archive(known: Reported) -> dict[str, Any]:
    if known.archived is None:
        state: ArchiveStateWord = "pending" if known.ended else "open"
        return {"state": state, "objects": 0, "lock_mode": None, "retain_until_min": None}
    locked = (*known.archived.originals, *known.archived.records)
    return {
        "state": "archived",
        "objects": len(locked),
        "lock_mode": weakest_mode(locked),
        "retain_until_min": to_rfc3339(min(item.retain_until for item in locked)) if locked else None,
    }


def weakest_mode(locked: Sequence[LockedObject]) -> LockMode | None:
    """The weakest lock among the objects: a chain is as strong as that; ``None`` when there are none."""
    order: tuple[LockMode, ...] = ("none", "GOVERNANCE", "COMPLIANCE")
    return min((item.lock_mode for item in locked), key=order.index, default=None)
