"""Archive, the step: a stitched revision's documents and originals are locked, and a signed receipt says so.

The order makes it repeatable after a crash at any line: documents (deterministic bytes under deterministic keys), then
the look at every original, then the public key that checks the receipt, locked as long as it, then the receipt. Then the
register is asked once more, and what lies there of the recording is kept as it demands. A receipt that already stands is returned as it is. What the store does not
report as locked in mode COMPLIANCE for long enough is not archived: the step fails loudly and writes no receipt. A store
whose locks this process has not seen to hold gets nothing at all: the input waits.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.domain.archive import (
    ArchiveState,
    LockedObject,
    RecordingArchived,
    is_repeat,
    objects_digest,
    receipt_document,
    receipt_message,
    record_key,
    remember,
)
from pipeline.domain.errors import NotLocked, ObjectDiffers, ObjectMissing
from pipeline.domain.identity import Sha256
from pipeline.domain.keeping import Register, demanded
from pipeline.domain.keys import key_id, pem_of, published_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.stitch import Document, RecordingStitched
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.ports import Clock, ObjectStat, ObjectStore, Signer, StoreTrust
from pipeline.steps.keeping import Keeper
from pipeline.wire import codec, topics

LOOKS_AT_ONCE: Final = 8
"""Originals asked for at the same time: enough to hide the store's latency, few enough not to crowd it."""

__all__ = ["ArchiveState", "ArchiveStep"]


class ReceivedStitched(Protocol):
    """A stitched recording and where it stood; only the event matters here."""

    @property
    def event(self) -> RecordingStitched: ...


@dataclass(frozen=True, kw_only=True)
class ArchiveStep:
    """*keeper* knows the bucket of records, *derived* is a bucket's name. One instance per worker; calls may run side by side."""

    store: ObjectStore
    trust: StoreTrust
    clock: Clock
    signer: Signer
    keeper: Keeper
    derived: str

    @property
    def records(self) -> str:
        """Name of the bucket of records."""
        return self.keeper.records

    async def step(
        self, state: ArchiveState, received: ReceivedStitched
    ) -> tuple[ArchiveState, tuple[RecordingArchived, ...]]:
        """Archive one revision. Raises :class:`StoreUntrusted`, :class:`NotLocked`, :class:`ObjectDiffers`,
        :class:`ObjectMissing` and what the store raises while it does not answer."""
        stitched = received.event
        if is_repeat(state, stitched):
            return state, ()
        self.trust.require()
        archived = await asyncio.to_thread(self._archive, stitched)
        return remember(state, stitched), (archived,)

    def _archive(self, stitched: RecordingStitched) -> RecordingArchived:
        keeper = self.keeper
        about = stitched.source_id, stitched.recording_id
        archived = self._standing(stitched) or self._receipted(stitched, keeper.register(*about))
        if stitched.revision > 1 or keeper.register(*about):
            keeper.settle(*about, stitched.ended.last_received_at)
        return archived

    def _receipted(self, stitched: RecordingStitched, register: Register) -> RecordingArchived:
        until = demanded(stitched.ended.last_received_at, register, self.keeper.policy).until
        ordered = sorted(stitched.documents, key=lambda document: document.name)
        records = tuple(self._put(stitched, document, until) for document in ordered)
        originals = self._look_at(stitched.originals, until)
        publish_key(self.store, self.records, self.signer.public, until)
        return self._sign(stitched, originals, records, until)

    def _put(self, stitched: RecordingStitched, document: Document, until: WallMs) -> LockedObject:
        data = self.store.read(self.derived, document.staged_key)
        found = hashlib.sha256(data).hexdigest()
        if found != document.sha256:
            raise ObjectDiffers(
                f"a staged document is not what was staged: expected {document.sha256}, found {found} "
                f"({self.derived}/{document.staged_key})"
            )
        key = record_key(stitched.source_id, stitched.recording_id, stitched.revision, document.name)
        stat = self.store.put_bytes(self.records, key, data, document.sha256, retain_until=until)
        return _locked(stat, document.sha256, document.size_bytes, until)

    def _look_at(self, originals: Iterable[ObjectRef], until: WallMs) -> tuple[LockedObject, ...]:
        with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="archive") as pool:
            return tuple(pool.map(lambda original: self._checked(original, until), originals))

    def _checked(self, original: ObjectRef, until: WallMs) -> LockedObject:
        stat = self.store.stat(original.bucket, original.key, original.version_id)
        if stat.lock_mode == "COMPLIANCE" and (stat.retain_until is None or stat.retain_until < until):
            self.store.extend_retention(original.bucket, original.key, original.version_id, until)
            stat = self.store.stat(original.bucket, original.key, original.version_id)
        return _locked(stat, original.sha256, original.size_bytes, until)

    def _sign(
        self,
        stitched: RecordingStitched,
        originals: tuple[LockedObject, ...],
        records: tuple[LockedObject, ...],
        until: WallMs,
    ) -> RecordingArchived:
        objects_sha256 = objects_digest(originals, records)
        archived_at = self.clock.now()
        message = receipt_message(stitched, objects_sha256, archived_at, self.signer.key_id)
        archived = RecordingArchived(
            source_id=stitched.source_id,
            source_kind=stitched.source_kind,
            unit=stitched.unit,
            recording_id=stitched.recording_id,
            revision=stitched.revision,
            close_hash=stitched.close_hash,
            archived_at=archived_at,
            originals=originals,
            records=records,
            objects_sha256=objects_sha256,
            key_id=self.signer.key_id,
            signature=base64.b64encode(self.signer.sign(message)).decode(),
            ended_at=stitched.ended.ended_at,
            first_received_at=stitched.ended.first_received_at,
        )
        data = receipt_document(archived)
        digest = Sha256(hashlib.sha256(data).hexdigest())
        try:
            stat = self.store.put_bytes(self.records, _receipt_key(stitched), data, digest, retain_until=until)
        except ObjectDiffers:
            # Another worker, which still thought this partition its own, was faster. Its receipt is the one.
            standing = self._standing(stitched)
            if standing is None:
                raise
            return standing
        _locked(stat, digest, len(data), until)
        return archived

    def _standing(self, stitched: RecordingStitched) -> RecordingArchived | None:
        """The receipt this revision already has, or ``None``; raises :class:`ObjectDiffers` if it is of another close
        or says what no key of ours signed: whoever can write to the store could announce a recording as archived."""
        key = _receipt_key(stitched)
        try:
            data = self.store.read(self.records, key)
        except ObjectMissing:
            return None
        archived: RecordingArchived = codec.decode(topics.ARCHIVED.name, data)
        if archived.close_hash != stitched.close_hash:
            raise ObjectDiffers(
                f"this revision is archived with another close: expected {stitched.close_hash}, "
                f"found {archived.close_hash} ({self.records}/{key})"
            )
        if not self.keeper.seals.signed_by_ours(archived):
            raise ObjectDiffers(
                f"the receipt says what key {archived.key_id} did not sign, or that is no key of ours; those of earlier times "
                f"belong into the state folder, as .pub.pem ({self.records}/{key})"
            )
        return archived


def publish_key(store: ObjectStore, records: str, public: bytes, until: WallMs) -> str:
    """Put the public key where its id says, or lock the one there until *until*; returns its place in *records*. Raises as
    the store, :class:`ObjectDiffers` if another key lies there."""
    data, key = pem_of(public), published_key(key_id(public))
    digest = Sha256(hashlib.sha256(data).hexdigest())
    _locked(store.put_bytes(records, key, data, digest, retain_until=until), digest, len(data), until)
    return key


def _receipt_key(stitched: RecordingStitched) -> str:
    return record_key(stitched.source_id, stitched.recording_id, stitched.revision, "receipt.json")


def _locked(stat: ObjectStat, digest: Sha256, size_bytes: int, until: WallMs) -> LockedObject:
    """*stat* as a locked object; raises unless the store reports what was sent, locked in COMPLIANCE until *until*."""
    place = f"{stat.bucket}/{stat.key}"
    if stat.size_bytes != size_bytes or (stat.sha256 is not None and stat.sha256 != digest):
        raise ObjectDiffers(
            f"the store holds another object: expected {size_bytes} bytes of {digest}, "
            f"found {stat.size_bytes} of {stat.sha256} ({place})"
        )
    if stat.lock_mode != "COMPLIANCE" or stat.retain_until is None or stat.retain_until < until:
        found = "no date" if stat.retain_until is None else to_rfc3339(stat.retain_until)
        raise NotLocked(
            f"an object is not locked as it must be: expected COMPLIANCE until {to_rfc3339(until)}, "
            f"found {stat.lock_mode} until {found} ({place})"
        )
    kept = ObjectRef(bucket=stat.bucket, key=stat.key, version_id=stat.version_id, sha256=digest, size_bytes=size_bytes)
    return LockedObject(object=kept, lock_mode=stat.lock_mode, retain_until=stat.retain_until)
