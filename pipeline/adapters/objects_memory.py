"""The store's twin in memory: the same port, the same put protocol, the same answers about locks, and faults on demand.

It is shipped, not hidden in the tests, because whoever writes against the port needs it. One contract suite runs
over it and over a real server, so that neither drifts from the other.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

from pipeline.adapters.objects_put import Wanted, put_once, whole_second
from pipeline.domain.archive import LockMode
from pipeline.domain.errors import Misconfigured, NotLocked, ObjectMissing, SourceFileChanged, StoreError
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, Layers, ObjectStat

Operation = Literal["stat", "send", "read", "extend", "hold"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The next *operation* raises *error*: before it is done, or after (the answer is lost, the effect is there)."""

    operation: Operation
    error: StoreError
    after: bool = False


@dataclass(frozen=True, slots=True)
class _Version:
    stat: ObjectStat
    data: bytes


@dataclass(slots=True)
class _Bucket:
    lock_days: int | None
    versions: dict[str, list[_Version]] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    """Keys over which a delete marker lies."""


class MemoryObjects:
    """:class:`pipeline.ports.ObjectStore` in a dictionary. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._mutex = threading.RLock()
        self._made = 0
        self.faults: list[Fault] = []
        self.sent_bytes = 0
        """How many bytes were really sent: what was there already is not."""

    def make_bucket(self, name: str, lock_days: int | None = None) -> None:
        """A bucket; with *lock_days* it has Object Lock and that default retention (COMPLIANCE)."""
        self._buckets.setdefault(name, _Bucket(lock_days))

    def put_file(self, bucket: str, key: str, path: Path, sha256: Sha256, *, retain_until: WallMs | None) -> ObjectStat:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SourceFileChanged(f"the file is not what it was when it was hashed ({path})")
        return self.put_bytes(bucket, key, data, sha256, retain_until=retain_until)

    def put_bytes(
        self, bucket: str, key: str, data: bytes, sha256: Sha256, *, retain_until: WallMs | None
    ) -> ObjectStat:
        until = None if retain_until is None else whole_second(retain_until)
        wanted = Wanted(bucket=bucket, key=key, sha256=sha256, size_bytes=len(data), retain_until=until)
        return put_once(self, wanted, lambda: self._send(wanted, data))

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat:
        with self._faulty("stat"):
            return self._version(bucket, key, version_id).stat

    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]:
        with self._faulty("read"):
            return io.BytesIO(self._version(ref.bucket, ref.key, ref.version_id or None).data)

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes:
        with self._faulty("read"):
            data = self._version(bucket, key, None).data
        if len(data) > limit_bytes:
            raise ValueError(f"expected at most {limit_bytes} bytes, found {len(data)} ({bucket}/{key})")
        return data

    def extend_retention(self, bucket: str, key: str, version_id: str, until: WallMs) -> ObjectStat:
        with self._faulty("extend"):
            found = self._version(bucket, key, version_id)
            if self._buckets[bucket].lock_days is None:
                raise NotLocked(f"the bucket has no Object Lock ({bucket}/{key})")
            if found.stat.retain_until is not None and found.stat.retain_until >= until:
                return found.stat
            stat = replace(found.stat, lock_mode="COMPLIANCE", retain_until=whole_second(until))
            versions = self._buckets[bucket].versions[key]
            versions[versions.index(found)] = _Version(stat, found.data)
            return stat

    def set_hold(self, bucket: str, key: str, version_id: str, on: bool) -> ObjectStat:
        with self._faulty("hold"):
            found = self._version(bucket, key, version_id)
            if self._buckets[bucket].lock_days is None:
                raise NotLocked(f"the bucket has no Object Lock ({bucket}/{key})")
            stat = replace(found.stat, legal_hold=on)
            versions = self._buckets[bucket].versions[key]
            versions[versions.index(found)] = _Version(stat, found.data)
            return stat

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]:
        found, marked = self._bucket(bucket).versions, self._bucket(bucket).marked
        for key in sorted(key for key in found if key.startswith(prefix) and key not in marked):
            yield found[key][-1].stat

    def layers(self, bucket: str, prefix: str) -> Iterator[Layers]:
        found = self._bucket(bucket)
        for key, kept in sorted(found.versions.items()):
            if key.startswith(prefix) and len(kept) > 1:
                told = (
                    (one.stat.version_id, len(one.data), hashlib.sha256(one.data).hexdigest()) for one in kept[::-1]
                )
                yield Layers(key=key, versions=tuple(told))
        yield from (Layers(key=key, marked=True) for key in sorted(found.marked) if key.startswith(prefix))

    def mark_deleted(self, bucket: str, key: str) -> None:
        """What a plain DELETE does, which no lock prevents: the key seems empty, and its versions stay."""
        self._bucket(bucket).marked.add(key)

    def versions(self, bucket: str, key: str) -> Sequence[str]:
        return [version.stat.version_id for version in reversed(self._bucket(bucket).versions.get(key, []))]

    def _send(self, wanted: Wanted, data: bytes) -> None:
        with self._faulty("send"):
            bucket = self._bucket(wanted.bucket)
            mode: LockMode = "none"
            until = None
            if bucket.lock_days is not None:
                mode = "COMPLIANCE"
                until = wanted.retain_until or WallMs(self._clock.now() + bucket.lock_days * 86_400_000)
            elif wanted.retain_until is not None:
                raise Misconfigured(f"the bucket has no Object Lock ({wanted.bucket})")
            self._made += 1
            stat = ObjectStat(
                bucket=wanted.bucket,
                key=wanted.key,
                version_id=f"v{self._made}" if bucket.lock_days is not None else "",
                size_bytes=len(data),
                sha256=wanted.sha256,
                lock_mode=mode,
                retain_until=until,
                legal_hold=False,
            )
            bucket.marked.discard(wanted.key)
            kept = bucket.versions.setdefault(wanted.key, [])
            if bucket.lock_days is None:
                kept.clear()
            kept.append(_Version(stat, data))
            self.sent_bytes += len(data)

    def _bucket(self, name: str) -> _Bucket:
        if name not in self._buckets:
            raise Misconfigured(f"the bucket does not exist, make it with `unbroken store apply` ({name})")
        return self._buckets[name]

    def _version(self, bucket: str, key: str, version_id: str | None) -> _Version:
        hidden = version_id is None and key in self._bucket(bucket).marked
        found = [] if hidden else self._bucket(bucket).versions.get(key, [])
        for version in reversed(found):
            if version_id is None or version.stat.version_id == version_id:
                return version
        raise ObjectMissing(f"the store does not hold this object ({bucket}/{key} {version_id or ''})".rstrip())

    def _faulty(self, operation: Operation) -> _Faulty:
        return _Faulty(self, operation)


class _Faulty:
    """Around one operation: holds the store's lock, and raises the fault planned for it."""

    def __init__(self, store: MemoryObjects, operation: Operation) -> None:
        self._store = store
        self._operation = operation

    def __enter__(self) -> None:
        self._store._mutex.acquire()
        self._fault = next((fault for fault in self._store.faults if fault.operation == self._operation), None)
        if self._fault is not None:
            self._store.faults.remove(self._fault)
            if not self._fault.after:
                self._store._mutex.release()
                raise self._fault.error

    def __exit__(self, kind: object, exc: object, trace: object) -> None:
        self._store._mutex.release()
        if kind is None and self._fault is not None:
            raise self._fault.error
