"""Reports as ``unbroken recordings --json`` gives them, made from a truth."""

from __future__ import annotations

from typing import Any

from pipeline.demo.truth import DEADLINE_MS, Truth
from pipeline.domain.time import to_rfc3339


def report_of(truth: Truth) -> dict[str, Any]:
    """A report that says exactly the truth."""
    return {
        "recording_id": truth.recording_id,
        "source_id": truth.source_id,
        "unit": truth.unit,
        "kind": truth.kind,
        "verdict": truth.verdict,
        "started_at": None if truth.started_at is None else to_rfc3339(truth.started_at),
        "ended_at": None if truth.ended_at is None else to_rfc3339(truth.ended_at),
        "covered_s": f"{truth.covered_ms / 1000:.3f}",
        "segments": truth.segments,
        "bytes": truth.bytes,
        "runs": [],
        "gaps": [
            {
                "start": to_rfc3339(gap.start),
                "end": to_rfc3339(gap.end),
                "seconds": f"{(gap.end - gap.start) / 1000:.3f}",
                "state": gap.state,
                "reason": gap.reason,
            }
            for gap in truth.gaps
        ],
        "findings": [{"kind": kind, "found": f"a {kind}"} for kind in truth.findings],
        "chain": {"links": 14, "head": "0123456789abcdef" * 4, "closed": True},
        "archive": {"state": "archived", "objects": 15, "lock_mode": "COMPLIANCE", "retain_until_min": None},
        "deadline": {
            "at": to_rfc3339((truth.ended_at or 0) + DEADLINE_MS),
            "state": truth.deadline,
            "cause": None,
        },
    }
