"""Beside, the reading: records that no receipt lists, each with its seal and lock, and what lies over objects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.domain import beside
from pipeline.domain.beside import Layered, Vouched
from pipeline.domain.errors import ObjectMissing
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.seal import read_seal, seal_key, signed_in
from pipeline.domain.selection import Selection
from pipeline.domain.sla import misplaced
from pipeline.domain.verify import Item, Lock
from pipeline.ports import Layers
from pipeline.steps.seal import SignedBy, public_key
from pipeline.steps.shelf import ReadableStore, Shelf

_BLOCK_BYTES: Final = 1 << 20
_NOT_STATED: Final = Sha256("0" * 64)
"""Of a version of which nobody says a digest."""


@dataclass(frozen=True, kw_only=True)
class BesideReader:
    """As :class:`pipeline.steps.verify.Verification`, whose words these are."""

    store: ReadableStore
    records: str
    originals: str
    locks: bool
    keys: Mapping[str, bytes]
    signed: SignedBy
    on_read: Callable[[int], None]

    def items(
        self, shelf: Shelf, selection: Selection, digests: Mapping[str, Sha256], *, whole: bool
    ) -> Iterator[Item]:
        """Every answer about them that *selection* takes; *digests*: of records that were read already; *whole*: those too
        that speak of no recording. Raises what the store raises."""
        vouched: list[Vouched] = []
        for key in sorted({*shelf.beside, *shelf.seals, *shelf.reports}):
            about = shelf.beside.get(key, "")
            if not (selection.takes(about) if about else whole):
                continue
            found = digests.get(key) or self._digest(key)
            if key in shelf.entries and found is not None:
                yield beside.check_entry(self.records, key, shelf.entries[key], found)
            vouched.append(self._vouched(key, found, sealed=key in shelf.seals, report=key in shelf.reports))
        yield from beside.check_seals(self.records, vouched, self.keys.keys())
        yield from beside.check_record_locks(self.records, vouched)
        if self.locks:
            yield from self._layered(shelf, selection)

    def _layered(self, shelf: Shelf, selection: Selection) -> Iterator[Item]:
        """What lies over objects: of a whole bucket, or of a source's records."""
        for bucket in (self.records, self.originals):
            prefixes = [""] if selection.takes_bucket(bucket) else []
            if bucket == self.records and selection.source is not None and selection.part is None:
                prefixes = [prefix for prefix in shelf.prefixes if selection.recording is None]
                prefixes = prefixes or [f"{shelf.prefix}{selection.recording}/"]
            if prefixes:
                found = (one for prefix in prefixes for one in self.store.layers(bucket, prefix))
                yield from beside.check_layers(bucket, [self._layer(bucket, one) for one in found])

    def _layer(self, bucket: str, found: Layers) -> Layered:
        """*found* as it counts: where sizes are equal and ETags are not, the bytes decide."""
        sizes, tags = {size for _, size, _ in found.versions}, {tag for _, _, tag in found.versions}
        equal = len(sizes) == 1 and (len(tags) == 1 or len(self._digests_of(bucket, found)) == 1)
        told = ", ".join(f"{name} of {size} bytes" for name, size, _ in found.versions)
        return Layered(f"{bucket}/{found.key}", found.marked, equal, told)

    def _digests_of(self, bucket: str, found: Layers) -> set[str]:
        digests = set[str]()
        for name, size, _ in found.versions:
            ref = ObjectRef(bucket=bucket, key=found.key, version_id=name, sha256=_NOT_STATED, size_bytes=size)
            digest = hashlib.sha256()
            with self.store.open(ref) as body:
                while block := body.read(_BLOCK_BYTES):
                    digest.update(block)
                    self.on_read(len(block))
            digests.add(digest.hexdigest())
        return digests

    def _digest(self, key: str) -> Sha256 | None:
        try:
            return self._digest_of(self.store.read(self.records, key))
        except ObjectMissing:
            return None

    def _digest_of(self, data: bytes) -> Sha256:
        self.on_read(len(data))
        return Sha256(hashlib.sha256(data).hexdigest())

    def _vouched(self, key: str, found: Sha256 | None, *, sealed: bool, report: bool) -> Vouched:
        """What is said for the record at *key* with the digest *found*: by its seal, or, of a report, by itself."""
        there = [key] * (found is not None) + [seal_key(key)] * sealed
        locks = tuple((one, self._lock(one)) for one in there if self.locks)
        if not sealed and not report:
            return Vouched(key=key, found=found, locks=locks)
        data = self.store.read(self.records, key if report else seal_key(key))
        self.on_read(len(data))
        try:
            signed = signed_in(data)
            stated = None if report else read_seal(data)
            why = misplaced(key, signed.fields) if report else ""
        except ValueError as exc:
            return Vouched(key=key, found=found, why=str(exc), locks=locks)
        public = public_key(self.store, self.records, self.keys, signed.key_id)
        return Vouched(
            key=key,
            found=found,
            stated=None if stated is None else (stated.key, stated.sha256),
            key_id=signed.key_id,
            why=why,
            genuine=None if public is None else self.signed(public, signed.message, signed.signature),
            locks=locks,
        )

    def _lock(self, key: str) -> Lock:
        stat = self.store.stat(self.records, key)
        return Lock(mode=stat.lock_mode, retain_until=stat.retain_until)
