"""Breach: the record of a missed deadline in the archive, and of what completed after one.

One key for each recording and outcome, and bytes that follow from the event: writing it again asks for the same object.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.domain.canonical import canonical, plain
from pipeline.domain.docket import DeadlineChanged

BREACH_FORMAT: Final = "unbroken.breach.v1"
BREACH_FOLDER: Final = "deadlines/"
_KEY: Final = re.compile(r"deadlines/[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}/(missed|late)\.json", re.ASCII)


def breach_key(change: DeadlineChanged) -> str:
    """Key in the records bucket."""
    return f"{BREACH_FOLDER}{change.source_id}/{change.recording_id}/{change.state}.json"


def is_breach_key(key: str) -> bool:
    """Whether *key* is one that :func:`breach_key` makes of a miss or of what came late."""
    return _KEY.fullmatch(key) is not None


def breach_document(change: DeadlineChanged) -> bytes:
    """The fields of the event and ``format``, as canonical JSON."""
    fields = plain(change)
    assert isinstance(fields, dict)
    return canonical({"format": BREACH_FORMAT, **fields})
