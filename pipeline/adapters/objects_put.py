"""The put protocol: how bytes get under a key exactly once, locked, on a store that may lose its answer.

1. Look. The key holds these bytes: nothing is sent. It holds others: stop, nothing is overwritten.
2. Send. No answer means *unknown*: look again, and only then decide.
3. Look at what the store reports: size, digest, lock. Not locked means not stored. Too short a lock is extended.

Stores differ in what they promise about conditional writes and about locks on multi-part uploads, so the protocol rests
on none of that: it looks before and after, and every bucket of evidence has a default retention besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.errors import NotLocked, ObjectDiffers, ObjectMissing, StoreUnavailable
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStat


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What must be in the store when the put returns. ``retain_until`` is ``None`` where nothing is locked."""

    bucket: str
    key: str
    sha256: Sha256
    size_bytes: int
    retain_until: WallMs | None


class Locks(Protocol):
    """The two questions the protocol asks a store."""

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat: ...

    def extend_retention(self, bucket: str, key: str, version_id: str, until: WallMs) -> ObjectStat: ...


def put_once(store: Locks, wanted: Wanted, send: Callable[[], None]) -> ObjectStat:
    """Bring *wanted* into *store* with *send* unless it is there; returns what the store reports at the end.

    Raises ``ObjectDiffers``, ``NotLocked``, and whatever *send* raises except a ``StoreUnavailable`` that looking cleared up.
    """
    found = _look(store, wanted)
    if found is None:
        try:
            send()
        except StoreUnavailable:
            found = _look(store, wanted)
            if found is None:
                raise
        else:
            found = store.stat(wanted.bucket, wanted.key)
    return _locked(store, wanted, _same(wanted, found))


def whole_second(at: WallMs) -> WallMs:
    """*at* rounded up to the second: some stores keep retain-until no finer, and a lock must not end early."""
    return WallMs(-(-at // 1000) * 1000)


def _look(store: Locks, wanted: Wanted) -> ObjectStat | None:
    try:
        return store.stat(wanted.bucket, wanted.key)
    except ObjectMissing:
        return None


def _same(wanted: Wanted, found: ObjectStat) -> ObjectStat:
    if (found.size_bytes, found.sha256) != (wanted.size_bytes, wanted.sha256):
        raise ObjectDiffers(
            f"the key holds other bytes: expected {wanted.size_bytes} bytes of sha256 {wanted.sha256}, "
            f"found {found.size_bytes} bytes of {found.sha256 or 'no recorded digest'} ({wanted.bucket}/{wanted.key})"
        )
    return found


def _locked(store: Locks, wanted: Wanted, found: ObjectStat) -> ObjectStat:
    if wanted.retain_until is None:
        return found
    if found.lock_mode != "COMPLIANCE":
        raise NotLocked(
            f"the store took the object without locking it: expected COMPLIANCE, found {found.lock_mode} "
            f"({wanted.bucket}/{wanted.key})"
        )
    if found.retain_until is None or found.retain_until < wanted.retain_until:
        return store.extend_retention(wanted.bucket, wanted.key, found.version_id, wanted.retain_until)
    return found
