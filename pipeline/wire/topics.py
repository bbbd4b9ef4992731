"""Topics, as data: name, what it carries, how long it is kept. ``unbroken topics apply`` creates them; nothing else does.

All data topics are keyed by ``source_id`` and co-partitioned, so that everything about a source stays in one partition
and in one order. State topics hold one record per key and are compacted, never deleted by time: a lost record there
would be lost state (docs/adr). Partition count and replication come from the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

DAY_MS: Final = 24 * 3600 * 1000
OVERHEAD_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """``name`` is without the prefix of the installation; ``schema`` names the file in ``schemas/``."""

    name: str
    cleanup: Literal["delete", "compact"]
    retention_ms: int | None
    schema: str | None
    about: str
    max_value_bytes: int = 1 << 20
    """What one message may weigh; the broker is allowed a little more, for key, headers and batch."""

    def config(self) -> dict[str, str]:
        """The broker-side settings that ``topics apply`` writes and a worker checks at start."""
        wanted = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_value_bytes + OVERHEAD_BYTES)}
        if self.retention_ms is not None:
            wanted["retention.ms"] = str(self.retention_ms)
        if self.cleanup == "compact":
            wanted["min.cleanable.dirty.ratio"] = "0.1"
        return wanted


def _data(name: str, about: str, days: int = 14, max_value_bytes: int = 1 << 20) -> Topic:
    return Topic(
        name=name,
        cleanup="delete",
        retention_ms=days * DAY_MS,
        schema=name,
        about=about,
        max_value_bytes=max_value_bytes,
    )


def _state(stage: str) -> Topic:
    return Topic(
        name=f"{stage}.state.v1", cleanup="compact", retention_ms=None, schema=None, about=f"{stage}, to itself"
    )


LANDED: Final = _data("segment.landed.v1", "connector -> probe, deadline: a segment's bytes are in the store")
PROBED: Final = _data("segment.probed.v1", "probe -> continuity: what the bytes themselves say")
ACCOUNT_BYTES: Final = 4 << 20
"""An account lists every interruption: some 15,000 of them, more than a bad camera makes in an hour."""
JUDGED: Final = _data(
    "segment.judged.v1", "continuity -> chain: a source's single ordered history", max_value_bytes=ACCOUNT_BYTES
)
ANNOTATION: Final = _data("annotation.made.v1", "people, connectors, timers -> continuity, deadline, keeping", days=60)
LINK: Final = _data(
    "link.appended.v1",
    "chain -> stitch, checkpoint: the entries of each recording's hash chain",
    max_value_bytes=ACCOUNT_BYTES,
)
CHECKPOINT_DUE: Final = _data("checkpoint.due.v1", "timer -> checkpoint: links that have waited long enough")
STITCHED: Final = _data(
    "recording.stitched.v1", "stitch -> archive: a recording's documents, by digest", max_value_bytes=ACCOUNT_BYTES
)
ARCHIVED: Final = _data(
    "recording.archived.v1",
    "archive -> deadline, connectors: the signed receipt",
    days=60,
    max_value_bytes=ACCOUNT_BYTES,
)
DEADLINE: Final = _data(
    "deadline.changed.v1",
    "deadline -> anyone: expected, tracked, at risk, met, missed, late, withdrawn",
    days=60,
)
SILENCE: Final = _data("silence.changed.v1", "deadline -> anyone: a camera on duty fell silent, or is heard", days=60)
QUARANTINE: Final = Topic(
    name="quarantine.v1",
    cleanup="delete",
    retention_ms=365 * DAY_MS,
    schema="quarantine.v1",
    about="any stage: an input it could not carry on, bytes kept",
    # The bytes of a whole input in base64, which makes three of them four, and its headers.
    max_value_bytes=2 << 20,
)
DECIDED: Final = _data(
    "quarantine.decided.v1", "people -> people: what became of an input that was set aside, and why", days=365
)

STATEFUL_STAGES: Final = ("continuity", "chain", "checkpoint", "stitch", "archive", "deadline")
STATES: Final = tuple(_state(stage) for stage in STATEFUL_STAGES)
DATA: Final = (
    LANDED,
    PROBED,
    JUDGED,
    ANNOTATION,
    LINK,
    CHECKPOINT_DUE,
    STITCHED,
    ARCHIVED,
    DEADLINE,
    SILENCE,
    QUARANTINE,
    DECIDED,
)
ALL: Final = DATA + STATES


def state_topic(stage: str) -> Topic:
    """The state topic of *stage*; raises ``KeyError`` for a stage that keeps none."""
    return dict(zip(STATEFUL_STAGES, STATES, strict=True))[stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the broker describes it."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def difference(topic: Topic, full_name: str, partitions: int, replication: int, found: FoundTopic | None) -> str | None:
    """What is wrong with *topic* on the broker, in one line, or ``None``. Both sides are named."""
    if found is None:
        return f"topic {full_name} does not exist, create it with `unbroken topics apply`"
    faults = []
    if found.partitions != partitions:
        faults.append(f"partitions: expected {partitions}, found {found.partitions}")
    if found.replication != replication:
        faults.append(f"replication: expected {replication}, found {found.replication}")
    faults += [
        f"{name}: expected {wanted}, found {found.config.get(name)}"
        for name, wanted in topic.config().items()
        if found.config.get(name) != wanted
    ]
    return f"topic {full_name}: {'; '.join(faults)}" if faults else None
