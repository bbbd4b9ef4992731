"""A record is locked, then its seal; a repeat asks for the same two, whatever key it is made with."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.adapters.signing import Ed25519Signer, verify
from pipeline.domain.errors import NotLocked, ObjectDiffers, StoreUnavailable
from pipeline.domain.identity import Sha256
from pipeline.domain.keys import pem_of, published_key
from pipeline.domain.seal import seal_key
from pipeline.domain.time import WallMs
from pipeline.steps.seal import Sealer, Seals
from tests.builders import T0
from tests.builders_archive import DAY_MS, signer
from tests.steps.archived import Noon

KEY = "deadlines/hall-1/a/missed.json"
UNTIL = WallMs(T0 + 9 * DAY_MS)
LATER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))


@pytest.fixture
def store() -> MemoryObjects:
    made = MemoryObjects(Noon())
    made.make_bucket("records", lock_days=1)
    return made


def sealer(store: MemoryObjects, key: Ed25519Signer | None = None) -> Sealer:
    return Sealer(store=store, signer=key or signer(), records="records")


def believed(store: MemoryObjects, *known: Ed25519Signer, data: bytes = b"{}", key: str = KEY) -> bool:
    keys = {one.key_id: one.public for one in known}
    return Seals(store=store, records="records", keys=keys, signed=verify).believed(key, data)


def test_a_record_and_its_seal_are_locked_as_long_and_believed(store: MemoryObjects) -> None:
    sealer(store).put("a record", KEY, b"{}", UNTIL)

    stats = [store.stat("records", key) for key in (KEY, seal_key(KEY))]
    assert {(stat.lock_mode, stat.retain_until) for stat in stats} == {("COMPLIANCE", UNTIL)}
    assert believed(store, signer())


def test_other_bytes_another_place_and_another_key_are_not_believed(store: MemoryObjects) -> None:
    sealer(store).put("a record", KEY, b"{}", UNTIL)

    assert not believed(store, signer(), data=b"[]")
    assert not believed(store, signer(), key=KEY.replace("missed", "late"))
    assert not believed(store, LATER)


def test_without_a_key_from_outside_the_archives_own_is_tried(store: MemoryObjects) -> None:
    sealer(store).put("a record", KEY, b"{}", UNTIL)
    unknown = believed(store)
    pem = pem_of(signer().public)
    digest = Sha256(hashlib.sha256(pem).hexdigest())
    store.put_bytes("records", published_key(signer().key_id), pem, digest, retain_until=UNTIL)

    assert (unknown, believed(store)) == (False, True)


def test_a_repeat_after_the_key_was_changed_leaves_record_and_seal_as_they_are(store: MemoryObjects) -> None:
    sealer(store).put("a record", KEY, b"{}", UNTIL)

    sealer(store, LATER).put("a record", KEY, b"{}", UNTIL)

    assert [len(store.versions("records", key)) for key in (KEY, seal_key(KEY))] == [1, 1]
    assert believed(store, signer(), LATER)


def test_what_a_crash_left_without_a_seal_gets_it_by_the_repeat(store: MemoryObjects) -> None:
    digest = Sha256(hashlib.sha256(b"{}").hexdigest())
    store.put_bytes("records", KEY, b"{}", digest, retain_until=UNTIL)
    store.faults.append(Fault("send", StoreUnavailable("no answer")))
    with pytest.raises(StoreUnavailable):
        sealer(store).put("a record", KEY, b"{}", UNTIL)

    sealer(store).put("a record", KEY, b"{}", UNTIL)

    assert believed(store, signer())


def test_other_bytes_that_lie_there_get_no_seal_of_ours(store: MemoryObjects) -> None:
    digest = Sha256(hashlib.sha256(b"[]").hexdigest())
    store.put_bytes("records", KEY, b"[]", digest, retain_until=UNTIL)

    with pytest.raises(ObjectDiffers):
        sealer(store).put("a record", KEY, b"{}", UNTIL)

    assert [stat.key for stat in store.list("records", "seals/")] == []


def test_a_store_that_locks_for_less_is_told(store: MemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    put = store.put_bytes

    def shorter(bucket: str, key: str, data: bytes, sha256: Sha256, *, retain_until: WallMs | None) -> object:
        return put(bucket, key, data, sha256, retain_until=WallMs(UNTIL - DAY_MS))

    monkeypatch.setattr(store, "put_bytes", shorter)

    with pytest.raises(NotLocked, match="a record is not locked as it must be"):
        sealer(store).put("a record", KEY, b"{}", UNTIL)
