"""Archiving locks everything, says so once, and says the same again however often and wherever it was interrupted."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.adapters.signing import Ed25519Signer, verify
from pipeline.domain.archive import (
    ArchiveState,
    RecordingArchived,
    receipt_document,
    receipt_message,
    record_key,
    signed_message,
)
from pipeline.domain.canonical import canonical, digest
from pipeline.domain.errors import NotLocked, ObjectDiffers, ObjectMissing, StoreUnavailable, StoreUntrusted
from pipeline.domain.identity import Sha256
from pipeline.domain.keys import pem_of, published_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.stitch import Document, DocumentName, RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStore
from pipeline.steps.archive import ArchiveStep
from tests.builders import RECORDING, SOURCE, T0, policy, sha
from tests.builders_archive import DAY_MS, YEAR_MS, Trusting, ended, keeper_of, signer

POLICY = policy()
CALLS = ("read", "put_bytes", "stat", "extend_retention")
UNTIL = ended().last_received_at + YEAR_MS
DOCUMENTS: tuple[tuple[DocumentName, bytes], ...] = (
    ("chain.jsonl", b"chain"),
    ("timeline.json", b"timeline"),
    ("playlist.m3u8", b"playlist"),
    ("manifest.json", b"manifest"),
)


class Ticking:
    """A clock that moves on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.at = T0 + DAY_MS

    def now(self) -> WallMs:
        self.at += 1000
        return WallMs(self.at)


@dataclass(frozen=True)
class Received:
    event: RecordingStitched


class Archive:
    """A store with a stitched recording of *originals* files, and the step that archives it."""

    def __init__(self, originals: int = 3, lock_days: int | None = 1, key: Ed25519Signer | None = None) -> None:
        self.clock = Ticking()
        self.store = MemoryObjects(self.clock)
        self.store.make_bucket("originals", lock_days=lock_days)
        self.store.make_bucket("records", lock_days=1)
        self.store.make_bucket("derived")
        self.signer = key or signer()
        self.trust = Trusting()
        self.step = ArchiveStep(
            store=self.store,
            trust=self.trust,
            clock=self.clock,
            signer=self.signer,
            keeper=keeper_of(self.store, POLICY),
            derived="derived",
        )
        self.stitched = RecordingStitched(
            source_id=SOURCE,
            source_kind="cctv",
            unit="service-hall",
            recording_id=RECORDING,
            revision=1,
            close_hash=sha("close"),
            close_seq=originals,
            documents=tuple(self._staged(name, data) for name, data in DOCUMENTS),
            originals=tuple(self._original(number) for number in range(originals)),
            ended=ended(),
        )

    def _staged(self, name: DocumentName, data: bytes) -> Document:
        found = Sha256(hashlib.sha256(data).hexdigest())
        self.store.put_bytes("derived", f"staged/{found}", data, found, retain_until=None)
        return Document(name=name, sha256=found, size_bytes=len(data), staged_key=f"staged/{found}")

    def _original(self, number: int) -> ObjectRef:
        data = f"original {number}".encode()
        found = Sha256(hashlib.sha256(data).hexdigest())
        stat = self.store.put_bytes("originals", f"sha256/{found[:2]}/{found}.ts", data, found, retain_until=None)
        return ObjectRef(
            bucket=stat.bucket, key=stat.key, version_id=stat.version_id, sha256=found, size_bytes=len(data)
        )

    async def run(self, state: ArchiveState | None = None) -> tuple[ArchiveState, tuple[RecordingArchived, ...]]:
        return await self.step.step(state or ArchiveState(), Received(self.stitched))

    def record(self, name: DocumentName) -> str:
        return record_key(SOURCE, RECORDING, 1, name)


async def test_documents_and_originals_are_locked_until_the_retention_of_the_recording_ends() -> None:
    archive = Archive()

    _, (archived,) = await archive.run()

    objects = [*archived.originals, *archived.records]
    assert [item.object.key.rpartition("/")[2] for item in archived.records] == sorted(name for name, _ in DOCUMENTS)
    assert {item.lock_mode for item in objects} == {"COMPLIANCE"}
    for item in objects:
        stat = archive.store.stat(item.object.bucket, item.object.key, item.object.version_id)
        assert stat.retain_until == item.retain_until
        assert item.retain_until >= UNTIL


async def test_a_store_that_is_not_trusted_gets_nothing_until_it_is() -> None:
    archive = Archive()
    archive.trust.why = "a shorter lock: accepted"

    with pytest.raises(StoreUntrusted, match="a shorter lock") as caught:
        await archive.run()

    assert caught.value.retryable
    assert list(archive.store.list("records", "")) == []
    archive.trust.why = ""
    _, (archived,) = await archive.run()
    assert archived.recording_id == RECORDING


async def test_the_receipt_is_signed_over_what_it_says() -> None:
    archive = Archive()

    _, (archived,) = await archive.run()

    message = receipt_message(archive.stitched, archived.objects_sha256, archived.archived_at, archived.key_id)
    assert verify(archive.signer.public, message, base64.b64decode(archived.signature))
    assert archived.key_id == archive.signer.key_id


async def test_the_public_key_is_published_before_the_receipt_and_locked_as_long() -> None:
    archive = Archive()

    await archive.run()

    key = archive.store.stat("records", published_key(archive.signer.key_id))
    receipt = archive.store.stat("records", archive.record("receipt.json"))
    assert archive.store.read("records", key.key) == archive.signer.public_pem
    assert int(key.version_id[1:]) < int(receipt.version_id[1:])
    assert (key.lock_mode, key.retain_until) == ("COMPLIANCE", receipt.retain_until)


async def test_another_key_at_our_key_s_place_stops_the_archiving() -> None:
    archive = Archive()
    data = pem_of(bytes(32))
    digest_of = Sha256(hashlib.sha256(data).hexdigest())
    archive.store.put_bytes("records", published_key(archive.signer.key_id), data, digest_of, retain_until=None)

    with pytest.raises(ObjectDiffers, match="keys/"):
        await archive.run()

    with pytest.raises(ObjectMissing):
        archive.store.stat("records", archive.record("receipt.json"))


async def test_the_receipt_document_says_the_same_as_the_event() -> None:
    archive = Archive()

    _, (archived,) = await archive.run()

    receipt = json.loads(archive.store.read("records", archive.record("receipt.json")))
    listed = {"originals": receipt["originals"], "records": receipt["records"]}
    assert receipt["format"] == "unbroken.receipt.v1"
    assert digest(listed) == receipt["objects_sha256"] == archived.objects_sha256
    assert receipt["signature"] == archived.signature
    assert canonical(receipt) == archive.store.read("records", archive.record("receipt.json"))
    assert (archive.store.stat("records", archive.record("receipt.json")).retain_until or 0) >= UNTIL


async def test_a_repeat_says_nothing_and_a_repeat_without_memory_says_the_same() -> None:
    archive = Archive()
    state, first = await archive.run()

    _, known = await archive.run(state)
    _, unknown = await archive.run()

    assert (known, unknown) == ((), first)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_interruption_at_any_call_changes_nothing_of_the_outcome(after: bool) -> None:
    undisturbed = Archive()
    _, (expected,) = await undisturbed.run()
    interrupted = 0
    for call in range(40):
        archive = Archive()
        archive.step = replace(archive.step, store=_failing(archive.store, call, after))
        try:
            await archive.run()
        except StoreUnavailable:
            interrupted += 1
        archive.step = replace(archive.step, store=archive.store)

        _, (archived,) = await archive.run()

        assert _undated(archived) == _undated(expected)
        names: list[DocumentName] = [name for name, _ in DOCUMENTS]
        assert [len(archive.store.versions("records", archive.record(name))) for name in [*names, "receipt.json"]] == [
            1
        ] * 5
    assert 10 <= interrupted < 40


def _undated(archived: RecordingArchived) -> RecordingArchived:
    return replace(archived, archived_at=T0, signature="")


class Instead:
    """A store of which some methods are replaced."""

    def __init__(self, store: MemoryObjects, **methods: Callable[..., Any]) -> None:
        self._store = store
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._store, name)


def _failing(store: MemoryObjects, failing: int, after: bool) -> ObjectStore:
    """The same store, whose call number *failing* is not answered, whether it was carried out or not."""
    calls = itertools.count()

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            fails = next(calls) == failing
            if fails and not after:
                raise StoreUnavailable("no answer")
            answer = method(*args, **kwargs)
            if fails:
                raise StoreUnavailable("no answer")
            return answer

        return call

    return Instead(store, **{name: counted(getattr(store, name)) for name in CALLS})


async def test_a_faster_worker_s_receipt_is_the_one() -> None:
    archive = Archive()
    _, (theirs,) = await archive.run()
    looks = itertools.count()

    def read(bucket: str, key: str) -> bytes:
        if key == archive.record("receipt.json") and next(looks) == 0:
            raise ObjectMissing(f"not yet ({key})")
        return archive.store.read(bucket, key)

    archive.step = replace(archive.step, store=Instead(archive.store, read=read))

    _, (ours,) = await archive.run()

    assert ours == theirs


async def test_an_unlocked_original_is_not_archived_and_gets_no_receipt() -> None:
    archive = Archive(lock_days=None)

    with pytest.raises(NotLocked, match=r"expected COMPLIANCE until 2027-11-24T08:00:30\.500Z, found none"):
        await archive.run()

    assert archive.store.versions("records", archive.record("receipt.json")) == []


async def test_a_store_that_does_not_extend_a_lock_is_found_out() -> None:
    archive = Archive()
    idle = Instead(archive.store, extend_retention=lambda *_: None)
    archive.step = replace(archive.step, store=idle)

    with pytest.raises(NotLocked, match="found COMPLIANCE until 2026-11-26"):
        await archive.run()


async def test_a_lock_that_lasts_longer_is_left_alone() -> None:
    archive = Archive()
    original = archive.stitched.originals[0]
    longer = WallMs(UNTIL + YEAR_MS)
    archive.store.extend_retention(original.bucket, original.key, original.version_id, longer)

    _, (archived,) = await archive.run()

    assert archived.originals[0].retain_until >= longer


async def test_an_original_of_another_size_stops_the_recording() -> None:
    archive = Archive()
    wrong = replace(archive.stitched.originals[1], size_bytes=9)
    archive.stitched = replace(archive.stitched, originals=(archive.stitched.originals[0], wrong))

    with pytest.raises(ObjectDiffers, match="expected 9 bytes"):
        await archive.run()


async def test_an_original_that_is_gone_stops_the_recording() -> None:
    archive = Archive()
    gone = replace(archive.stitched.originals[1], version_id="v999")
    archive.stitched = replace(archive.stitched, originals=(gone,))

    with pytest.raises(ObjectMissing):
        await archive.run()


async def test_a_staged_document_that_changed_stops_the_recording() -> None:
    archive = Archive()
    document = archive.stitched.documents[0]
    archive.store.make_bucket("derived")
    archive.stitched = replace(archive.stitched, documents=(replace(document, sha256=sha("other")),))

    with pytest.raises(ObjectDiffers, match="is not what was staged"):
        await archive.run()


async def test_a_second_close_of_one_revision_is_refused() -> None:
    archive = Archive()
    state, _ = await archive.run()
    archive.stitched = replace(archive.stitched, close_hash=sha("another close"))

    with pytest.raises(ObjectDiffers, match="archived with another close"):
        await archive.run(state)


async def test_a_receipt_our_key_did_not_sign_is_refused() -> None:
    archive = Archive()
    _, (archived,) = await archive.run()
    forged = json.loads(archive.store.read("records", archive.record("receipt.json")))
    forged["originals"] = forged["originals"][:-1]
    data = canonical(forged)
    twin = Archive(key=archive.signer)
    found = Sha256(hashlib.sha256(data).hexdigest())
    twin.store.put_bytes("records", twin.record("receipt.json"), data, found, retain_until=archived.archived_at)

    with pytest.raises(ObjectDiffers, match=f"what key {archived.key_id} did not sign"):
        await twin.run()


async def test_a_receipt_that_a_stranger_put_there_first_archives_nothing() -> None:
    archive = Archive()
    _, (archived,) = await archive.run()
    stranger = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    forged = replace(archived, originals=archived.originals[:-1], key_id=stranger.key_id)
    forged = replace(forged, signature=base64.b64encode(stranger.sign(signed_message(forged))).decode())
    data, twin = receipt_document(forged), Archive(key=archive.signer)
    found = Sha256(hashlib.sha256(data).hexdigest())
    twin.store.put_bytes("records", twin.record("receipt.json"), data, found, retain_until=archived.archived_at)

    with pytest.raises(ObjectDiffers, match="no key of ours"):
        await twin.run()


async def test_hundreds_of_originals_are_looked_at() -> None:
    archive = Archive(originals=360)

    _, (archived,) = await archive.run()

    assert [item.object for item in archived.originals] == list(archive.stitched.originals)


async def test_a_later_revision_stands_beside_the_first() -> None:
    archive = Archive()
    state, _ = await archive.run()
    archive.stitched = replace(archive.stitched, revision=2, close_hash=sha("second close"))

    _, (second,) = await archive.run(state)

    keys = [stat.key for stat in archive.store.list("records", f"recordings/{SOURCE}/{RECORDING}/")]
    assert second.revision == 2
    assert len([key for key in keys if "/r1/" in key]) == len([key for key in keys if "/r2/" in key]) == 5
