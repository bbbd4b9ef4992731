"""Source statement: what people say about a source and no recording, kept in the archive, because no chain holds it.

A device that is handed out, a camera's hours, a planned pause: they explain gaps and make deadlines, and a broker that is
lost must not take them along. Each lies under lock at a place made of its own digest; none is ever changed.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.identity import Sha256, SourceId

STATEMENT_FORMAT: Final = "unbroken.statement.v1"
KEPT: Final = ("schedule_window", "schedule", "issued", "returned", "outage")
"""Kinds that speak of a source. What a timer says it says again."""
_KEY: Final = re.compile(r"statements/([A-Za-z0-9][\w.-]{0,95})/([0-9a-f]{64})\.json", re.ASCII)


def statement_document(said: Annotation) -> bytes:
    """The statement as it lies in the archive: canonical JSON."""
    return canonical({"format": STATEMENT_FORMAT, "statement": plain(said)})


def statement_digest(said: Annotation) -> Sha256:
    """SHA-256 of its document."""
    return Sha256(hashlib.sha256(statement_document(said)).hexdigest())


def statement_key(said: Annotation) -> str:
    """Key in the records bucket."""
    return f"statements/{said.source_id}/{statement_digest(said)}.json"


def statement_at(key: str) -> tuple[SourceId, Sha256] | None:
    """Whose statement with which digest lies at *key*; ``None`` if none can."""
    match = _KEY.fullmatch(key)
    return None if match is None else (SourceId(match[1]), Sha256(match[2]))
