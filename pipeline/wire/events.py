"""Events: which type of the domain travels on which topic. One type per topic, one topic per type."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

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
from pipeline.wire import topics
from pipeline.wire.topics import Topic

Event: TypeAlias = (
    SegmentLanded
    | SegmentProbed
    | Judged
    | Annotation
    | LinkAppended
    | CheckpointDue
    | RecordingStitched
    | RecordingArchived
    | DeadlineChanged
    | SilenceChanged
    | Quarantined
    | QuarantineDecided
)
Headers: TypeAlias = tuple[tuple[str, bytes], ...]
"""Kafka headers, in order."""

TYPES: Final[dict[str, type[Any]]] = {
    topics.LANDED.name: SegmentLanded,
    topics.PROBED.name: SegmentProbed,
    topics.JUDGED.name: Judged,
    topics.ANNOTATION.name: Annotation,
    topics.LINK.name: LinkAppended,
    topics.CHECKPOINT_DUE.name: CheckpointDue,
    topics.STITCHED.name: RecordingStitched,
    topics.ARCHIVED.name: RecordingArchived,
    topics.DEADLINE.name: DeadlineChanged,
    topics.SILENCE.name: SilenceChanged,
    topics.QUARANTINE.name: Quarantined,
    topics.DECIDED.name: QuarantineDecided,
}
_TOPICS: Final[dict[type[Any], Topic]] = {TYPES[topic.name]: topic for topic in topics.DATA}


def event_topic(event: Event) -> Topic:
    """The topic that carries *event*."""
    return _TOPICS[type(event)]
