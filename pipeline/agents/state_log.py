"""State of a stage, one record per key in a compacted topic, and proof of who may write it.

A record holds the state, the source offsets applied to it and an *outbox*: the outputs of the batch that led to it.
State is put before its outputs are sent, so the order in which several inputs were folded is fixed before anyone sees
an effect; whoever takes the partition next sends the outbox again.

A partition of a state topic has one writer at a time. On taking it, the writer puts an *owner* record; that record's
offset is its epoch. From then on its own puts must land on consecutive offsets: an unexpected offset means that somebody
else has written, and nothing may be sent for that put until the log was read again. If a younger owner record is found,
this process is a ghost (paused, or cut off while the group moved on) and stops. Of several records of one key the one
with the highest (epoch, version) counts, so a ghost's late put never wins over its successor's.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pipeline.agents.stage import Output, S, Stage
from pipeline.domain.errors import Malformed, StateUnreadable

OWNER_KEY: Final = b"\x00owner"
PASSED_KEY: Final = b"\x00passed"
LAYOUT: Final = 1
"""Raised when records themselves are written in another way. Within one layout each stage numbers its own states."""


@dataclass(frozen=True, slots=True)
class Record:
    """One key's state as the log holds it. ``state`` is what the stage's ``dump`` gave; ``applied`` maps a source topic to
    the highest offset folded; ``outbox`` are the outputs of the last batch. ``format`` is the stage's ``state_format``;
    ``None`` for a record of another layout than ours, of which only version and epoch are known."""

    state: Any
    applied: Mapping[str, int]
    version: int
    epoch: int
    outbox: tuple[Output, ...]
    format: int | None = 1


@dataclass(slots=True)
class Loaded:
    """A partition of the state log, read to its end. ``passed`` maps a source topic to the next offset to read as far as
    records without a key are concerned (quarantined inputs). ``owner`` wrote the youngest owner record. ``stale`` are
    keys whose counting record is not their last one and would be lost to compaction."""

    records: dict[str, Record] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    owner: str | None = None
    stale: set[str] = field(default_factory=set)

    def add(self, key: bytes, value: bytes) -> None:
        """Fold one record of the log, in log order."""
        if key == OWNER_KEY:
            self.owner = msgspec.json.decode(value)["owner"]
        elif key == PASSED_KEY:
            for topic, offset in msgspec.json.decode(value).items():
                self.passed[topic] = max(offset, self.passed.get(topic, 0))
        else:
            self._add_record(key.decode(), decode_record(value))

    def _add_record(self, key: str, record: Record) -> None:
        held = self.records.get(key)
        if held is None or (record.epoch, record.version) >= (held.epoch, held.version):
            self.records[key] = record
            self.stale.discard(key)
        else:
            self.stale.add(key)

    def next_offset(self, topic: str) -> int:
        """The offset after the highest one of *topic* that left a trace here; 0 when none did."""
        applied = (record.applied.get(topic, -1) + 1 for record in self.records.values())
        return max(self.passed.get(topic, 0), max(applied, default=0))


def encode_record(record: Record) -> bytes:
    """The record as JSON; the inverse of :func:`decode_record`."""
    outbox = [[o.topic, _b64(o.key), [[k, _b64(v)] for k, v in o.headers], _b64(o.value)] for o in record.outbox]
    return msgspec.json.encode(
        {
            "format": f"{LAYOUT}.{record.format}",
            "applied": record.applied,
            "version": record.version,
            "epoch": record.epoch,
            "outbox": outbox,
            "state": record.state,
        }
    )


def decode_record(value: bytes) -> Record:
    """Our own record back from its bytes; one without a format is of the first."""
    held = msgspec.json.decode(value)
    layout, _, form = str(held.get("format", f"{LAYOUT}.1")).partition(".")
    if layout != str(LAYOUT):
        return Record(None, {}, held.get("version", 0), held.get("epoch", 0), (), None)
    outbox = tuple(
        Output(topic, _bytes(key), _bytes(body), tuple((k, _bytes(v)) for k, v in headers))
        for topic, key, headers, body in held["outbox"]
    )
    return Record(held["state"], held["applied"], held["version"], held["epoch"], outbox, int(form))


def load(stage: Stage[S, Any], key: str, record: Record) -> S:
    """The state in *record*; raises :class:`StateUnreadable`, which names the way out, for one this release cannot read."""
    try:
        if record.format != stage.state_format:
            raise Malformed(f"expected format {LAYOUT}.{stage.state_format}, found {record.format or 'another layout'}")
        return stage.load(record.state)
    except Malformed as exc:
        raise StateUnreadable(
            f"the state of {stage.name} is not one this release reads; stop the workers, then `unbroken rebuild --write`: "
            f"{exc} ({key})"
        ) from exc


def encode_owner(owner: str) -> bytes:
    return msgspec.json.encode({"owner": owner})


def encode_passed(passed: Mapping[str, int]) -> bytes:
    return msgspec.json.encode(passed)


def consecutive(offsets: Sequence[int], expected: int) -> bool:
    """Whether *offsets* are exactly ``expected, expected + 1, ...``, in any order."""
    return sorted(offsets) == list(range(expected, expected + len(offsets)))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
