"""CloudEvents 1.0, binary mode: who says it, what it is and which one it is, as Kafka headers.

``ce_id`` is a digest of what makes the event the one it is, so a repeated event has the same id wherever it is made
again. ``ce_time`` is given where the event itself says when it happened; our own clock is never read here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import CheckpointDue
from pipeline.domain.continuity import Judged
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.duty import SilenceChanged
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.quarantine import Quarantined, QuarantineDecided
from pipeline.domain.stitch import RecordingStitched
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.wire.events import Event, Headers, event_topic


class _Envelope(NamedTuple):
    """``source``: who says it; ``identity``: what tells it from every other event of its type; ``at``: when it happened."""

    source: str
    identity: tuple[object, ...]
    at: WallMs | None = None


_ENVELOPE: Final[dict[type[Any], Callable[[Any], _Envelope]]] = {
    SegmentLanded: lambda e: _Envelope(
        f"/connectors/{quote(e.connector, safe='')}", (e.connector, e.source_id, e.announcement), e.received_at
    ),
    SegmentProbed: lambda e: _Envelope(
        "/stages/probe", (e.landed.connector, e.landed.source_id, e.landed.announcement, e.probe_version)
    ),
    Judged: lambda e: _Envelope("/stages/continuity", (e.source_id, e.position)),
    Annotation: lambda e: _Envelope(f"/people/{quote(e.made_by, safe='')}", (e.annotation_id,), e.made_at),
    LinkAppended: lambda e: _Envelope("/stages/chain", (e.source_id, e.recording_id, e.seq)),
    CheckpointDue: lambda e: _Envelope(
        "/timers/checkpoint", (e.source_id, e.recording_id, e.through_seq, e.said_at), e.said_at
    ),
    RecordingStitched: lambda e: _Envelope("/stages/stitch", (e.source_id, e.recording_id, e.revision)),
    RecordingArchived: lambda e: _Envelope("/stages/archive", (e.source_id, e.recording_id, e.revision), e.archived_at),
    DeadlineChanged: lambda e: _Envelope(
        "/stages/deadline", (e.source_id, e.recording_id, e.state, e.changed_at), e.changed_at
    ),
    SilenceChanged: lambda e: _Envelope("/stages/deadline", (e.source_id, e.since, e.state), e.changed_at),
    Quarantined: lambda e: _Envelope(f"/stages/{e.stage}", e.place, e.at),
    QuarantineDecided: lambda e: _Envelope(f"/people/{quote(e.made_by, safe='')}", (*e.place, e.decision, e.at), e.at),
}


def headers(event: Event) -> Headers:
    """The event's CloudEvents attributes; equal events give equal headers."""
    name = event_topic(event).name
    envelope = _ENVELOPE[type(event)](event)
    # No part holds a control character (the domain refuses them), so the line feeds keep the parts apart.
    identity = "\n".join((name, *map(str, envelope.identity)))
    made = [
        ("ce_specversion", b"1.0"),
        ("ce_id", hashlib.sha256(identity.encode()).hexdigest().encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", f"unbroken.{name}".encode()),
        ("ce_dataschema", f"urn:unbroken:schema:{name}".encode()),
        ("content-type", b"application/json"),
    ]
    if envelope.at is not None:
        made.append(("ce_time", to_rfc3339(envelope.at).encode()))
    return tuple(made)


def key(event: Event) -> bytes:
    """The Kafka key: the source's id, so that all of a source is in one order. A quarantined input keeps its own key, a
    decision on it has its place."""
    if isinstance(event, QuarantineDecided):
        return str(event.place).encode()
    if isinstance(event, Quarantined):
        return b"" if event.key_base64 is None else base64.b64decode(event.key_base64)
    return (event.landed.source_id if isinstance(event, SegmentProbed) else event.source_id).encode()
