"""Seal, the doing: a record that no receipt lists is put under lock, and its seal behind it; and whether one is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.archive import RecordingArchived, signed_message
from pipeline.domain.canonical import canonical
from pipeline.domain.errors import NotLocked, ObjectDiffers, ObjectMissing
from pipeline.domain.identity import Sha256
from pipeline.domain.keys import public_of, published_key
from pipeline.domain.seal import raw_signature, read_seal, seal_key, unsigned_seal, with_signature
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.ports import ObjectStore, Signer

SignedBy = Callable[[bytes, bytes, bytes], bool]
"""Whether a raw key signed a message with a signature."""


class RecordsStore(Protocol):
    """What reading seals needs of :class:`pipeline.ports.ObjectStore`; its obligations hold."""

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Sealer:
    """*records* is the bucket. Calls may run side by side."""

    store: ObjectStore
    signer: Signer
    records: str

    def put(self, what: str, key: str, data: bytes, until: WallMs) -> None:
        """Lock *data* at *key* until *until*, then its seal. *what* it is begins a message. A repeat asks for the same two.

        Raises :class:`ObjectDiffers` if other bytes lie there (they get no seal of ours), :class:`NotLocked`, and what the
        store raises."""
        digest = Sha256(hashlib.sha256(data).hexdigest())
        self._lock(what, key, data, digest, until)
        unsigned = unsigned_seal(key, digest, self.signer.key_id)
        seal = with_signature(unsigned, self.signer.sign(canonical(unsigned)))
        with suppress(ObjectDiffers):  # sealed before, with a key we had then; or by a stranger, which verify tells
            self._lock("a seal", seal_key(key), seal, Sha256(hashlib.sha256(seal).hexdigest()), until)

    def _lock(self, what: str, key: str, data: bytes, digest: Sha256, until: WallMs) -> None:
        stat = self.store.put_bytes(self.records, key, data, digest, retain_until=until)
        if stat.lock_mode != "COMPLIANCE" or stat.retain_until is None or stat.retain_until < until:
            raise NotLocked(
                f"{what} is not locked as it must be: expected COMPLIANCE until {to_rfc3339(until)}, "
                f"found {stat.lock_mode} until {stat.retain_until} ({stat.bucket}/{stat.key})"
            )


def public_key(store: RecordsStore, records: str, keys: Mapping[str, bytes], name: str) -> bytes | None:
    """The raw public key *name*: of *keys*, known from outside the archive, or, if there are none, the one it holds itself."""
    if keys:
        return keys.get(name)
    try:
        return public_of(store.read(records, published_key(name)))
    except (ObjectMissing, OSError, ValueError):
        return None


@dataclass(frozen=True, kw_only=True)
class Seals:
    """Whose seals are believed: *keys* as for :func:`public_key`."""

    store: RecordsStore
    records: str
    keys: Mapping[str, bytes]
    signed: SignedBy

    def signed_by_ours(self, receipt: RecordingArchived) -> bool:
        """Whether one of the keys signed *receipt*. Raises what the store raises."""
        public = public_key(self.store, self.records, self.keys, receipt.key_id)
        signature = raw_signature(receipt.signature)
        return public is not None and self.signed(public, signed_message(receipt), signature)

    def believed(self, key: str, data: bytes) -> bool:
        """Whether the record *data* at *key* was sealed with one of the keys. Raises what the store raises."""
        try:
            seal = read_seal(self.store.read(self.records, seal_key(key)))
        except (ObjectMissing, ValueError):
            return False
        public = public_key(self.store, self.records, self.keys, seal.signed.key_id)
        stated = seal.key, seal.sha256
        return (
            stated == (key, hashlib.sha256(data).hexdigest())
            and public is not None
            and self.signed(public, seal.signed.message, seal.signed.signature)
        )
