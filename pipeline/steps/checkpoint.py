"""Checkpoint, the step: what :mod:`pipeline.domain.checkpoint` lets go of is locked in the records bucket first, sealed.

A crash before the state is put repeats the same bytes under the same key. A store whose locks this process has not seen to
hold gets nothing: the input waits, and so do the links behind it, on the broker.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain import checkpoint
from pipeline.domain.archive import record_key
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointDue,
    CheckpointState,
    checkpoint_document,
    checkpoint_folder,
    checkpoint_key,
    checkpoint_of,
)
from pipeline.domain.errors import Malformed, ObjectMissing
from pipeline.domain.identity import SourceId
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, ObjectStat, ObjectStore, Signer, StoreTrust
from pipeline.steps.seal import Sealer
from pipeline.wire import codec


class ReceivedLinkOrDue(Protocol):
    """A link or the timer's word; where it stood does not matter here."""

    @property
    def event(self) -> LinkAppended | CheckpointDue: ...


@dataclass(frozen=True, kw_only=True)
class CheckpointStep:
    """*records* is the bucket. One instance per worker; calls may run side by side."""

    store: ObjectStore
    trust: StoreTrust
    clock: Clock
    signer: Signer
    policy: Policy
    records: str

    async def step(self, state: CheckpointState, received: ReceivedLinkOrDue) -> tuple[CheckpointState, tuple[()]]:
        """Hold or write. Raises :class:`StoreUntrusted`, :class:`NotLocked` and what the store raises while it does not
        answer."""
        state, written = checkpoint.step(state, received.event)
        if written:
            self.trust.require()
            await asyncio.to_thread(self._write, written)
        return state, ()

    def _write(self, written: tuple[Checkpoint, ...]) -> None:
        for one in written:
            if not self._is_archived(one):
                self._put(one)

    def _is_archived(self, one: Checkpoint) -> bool:
        """Whether the chain that *one* ends already stands in the archive, behind its receipt."""
        if one.closes is None:
            return False
        try:
            self.store.stat(self.records, record_key(one.source_id, one.recording_id, one.closes, "receipt.json"))
        except ObjectMissing:
            return False
        return True

    def _put(self, one: Checkpoint) -> None:
        # Not of the recording, as a receipt's: an open recording has no end to count from. A repeat may lock for longer.
        until = WallMs(self.clock.now() + self.policy.provisional_retention_s * 1000)
        sealer = Sealer(store=self.store, signer=self.signer, records=self.records)
        sealer.put("a checkpoint", checkpoint_key(one), checkpoint_document(one), until)


class ListedStore(Protocol):
    """What reading checkpoints needs of :class:`pipeline.ports.ObjectStore`; its obligations hold."""

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes: ...
    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]: ...


def checkpoints(store: ListedStore, records: str, source: SourceId) -> Iterator[Checkpoint]:
    """Every checkpoint of *source* in the bucket *records*, in the order of their keys.

    Raises :class:`Malformed`, naming the object, for one that is none or lies where another belongs, and what the store
    raises.
    """
    for listed in store.list(records, checkpoint_folder(source)):
        if checkpoint_of(listed.key) is not None:
            yield read_checkpoint(listed.key, store.read(records, listed.key))


def read_checkpoint(key: str, data: bytes) -> Checkpoint:
    """The checkpoint that *data*, found at *key*, is; raises :class:`Malformed`."""
    try:
        one = codec.load_state(Checkpoint, json.loads(data))
        if checkpoint_document(one) != data:
            raise ValueError(f"expected a {CHECKPOINT_FORMAT} in its one form, found other bytes of the same meaning")
        if checkpoint_key(one) != key:
            raise ValueError(f"its place is {checkpoint_key(one)}")
    except (ValueError, RecursionError, Malformed) as exc:
        raise Malformed(f"this is no checkpoint: {exc} ({key})") from exc
    return one
