"""What tests ask of the findings of a file's facts."""

from __future__ import annotations

from pipeline.domain.findings import Finding
from pipeline.domain.probe import MediaFacts


def kinds(found: MediaFacts) -> list[str]:
    return [finding.kind for finding in found.findings]


def serious(found: MediaFacts) -> list[Finding]:
    return [finding for finding in found.findings if finding.level != "note"]


def the(found: MediaFacts, kind: str) -> Finding:
    """The only finding of this kind."""
    only = [finding for finding in found.findings if finding.kind == kind]
    assert len(only) == 1, found.findings
    return only[0]
