"""The archive alone knows every chain: closed ones from their revisions, open ones from checkpoints."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.signing import Ed25519Signer
from pipeline.adapters.signing import verify as verify_signature
from pipeline.domain.archive import RecordingArchived, receipt_document, record_key, signed_message
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import link_hash, verify
from pipeline.domain.identity import Sha256
from pipeline.domain.seal import seal_key, unsigned_seal, with_signature
from pipeline.domain.time import WallMs
from pipeline.steps.recall import Recalled, recalled
from pipeline.wire import codec, topics
from tests.builders import SOURCE, T0, mp4
from tests.builders_archive import signer
from tests.steps.archived import FIRST, OPEN, Archive, Stages, links_of

KEYS = {signer().key_id: signer().public}
STRANGER = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def known(archive: Stages, **more: bool) -> dict[str, Recalled]:
    return {one.recording_id: one for one in recalled(archive.store, "records", KEYS, verify_signature, **more)}


def test_every_chain_comes_back_link_by_link_accounts_included() -> None:
    archive = Archive(checkpoints=True)

    found = known(archive)

    # How a sender means to end a recording stands beside the links, and not in the documents of an ended one.
    ended = {name: tuple(replace(link, ends=None) for link in links) for name, links in archive.links.items()}
    assert {name: one.chain.links for name, one in found.items()} == {**ended, OPEN: tuple(archive.links[OPEN])}
    assert all(one.chain.faults == () for one in found.values())
    assert verify(found[FIRST].chain.links) == ()


def test_what_is_archived_is_told_from_what_is_only_begun() -> None:
    found = known(Archive(checkpoints=True))

    assert [receipt.revision for receipt in found[FIRST].receipts] == [1, 2]
    assert found[FIRST].archived_links == len(found[FIRST].chain.links)
    assert (found[OPEN].receipts, found[OPEN].archived_links, len(found[OPEN].chain.links)) == ((), 0, 4)


def test_a_chain_with_a_hole_ends_before_it_and_says_so() -> None:
    links = list(links_of([mp4(0), mp4(1), mp4(2)]))
    stages = Stages()
    stages.keep(links[:2])
    stages.keep(links[3:])

    (found,) = known(stages).values()

    assert found.chain.links == tuple(links[:2])
    assert [(fault.expected, fault.found) for fault in found.chain.faults] == [("link 1", "link 2")]


def test_a_checkpoint_that_is_none_is_a_fault_of_its_recording() -> None:
    archive = Archive(checkpoints=True)
    key = archive.keep(archive.links[OPEN][:2])[: -len("0123456789abcdef.json")] + "0123456789abcdef.json"
    archive.store.put_bytes("records", key, b"{}", Sha256(hashlib.sha256(b"{}").hexdigest()), retain_until=WallMs(T0))

    found = known(archive)[OPEN].chain

    assert found.links == tuple(archive.links[OPEN])
    assert len(found.faults) == 1
    assert key in found.faults[0].found


def planted(archive: Archive, hand: Ed25519Signer | None) -> str:
    """A later checkpoint of the open recording, right in every form, by somebody who may write to the store."""
    last = archive.links[OPEN][-1]
    record = {**json.loads(last.record), "prev": last.hash, "seq": last.seq + 1}
    made = replace(last, seq=last.seq + 1, record=canonical(record).decode(), hash=link_hash(record))
    key = archive.keep([made])
    records = archive.store._buckets["records"].versions
    del records[seal_key(key)]
    if hand is not None:
        digest = Sha256(hashlib.sha256(archive.store.read("records", key)).hexdigest())
        unsigned = unsigned_seal(key, digest, hand.key_id)
        seal = with_signature(unsigned, hand.sign(canonical(unsigned)))
        found = Sha256(hashlib.sha256(seal).hexdigest())
        archive.store.put_bytes("records", seal_key(key), seal, found, retain_until=WallMs(T0))
    return key


@pytest.mark.parametrize("hand", [None, STRANGER], ids=["no seal", "a stranger's"])
def test_links_that_our_key_did_not_seal_are_not_gone_on_from(hand: Ed25519Signer | None) -> None:
    archive = Archive(checkpoints=True)
    key = planted(archive, hand)

    found = known(archive)[OPEN].chain

    assert found.links == tuple(archive.links[OPEN])
    assert [(fault.expected, key in fault.found) for fault in found.faults] == [
        ("a checkpoint with a seal by a key of ours", True)
    ]


def test_links_without_a_seal_count_when_they_are_asked_for() -> None:
    archive = Archive(checkpoints=True)
    planted(archive, None)

    found = known(archive, unsealed=True)[OPEN].chain

    assert (len(found.links), found.faults) == (len(archive.links[OPEN]) + 1, ())


def test_a_checkpoint_that_has_served_needs_no_seal() -> None:
    archive = Archive(checkpoints=True)
    for key in [
        key
        for key in archive.store._buckets["records"].versions
        if key.startswith(f"seals/checkpoints/{SOURCE}/{FIRST}")
    ]:
        del archive.store._buckets["records"].versions[key]

    assert known(archive)[FIRST].chain.faults == ()


def test_a_revision_whose_receipt_a_stranger_signed_is_not_gone_on_from() -> None:
    archive = Archive(checkpoints=True)
    key = record_key(SOURCE, FIRST, 2, "receipt.json")
    receipt: RecordingArchived = codec.decode(topics.ARCHIVED.name, archive.store.read("records", key))
    forged = replace(receipt, key_id=STRANGER.key_id)
    forged = replace(forged, signature=base64.b64encode(STRANGER.sign(signed_message(forged))).decode())
    versions = archive.store._buckets["records"].versions[key]
    versions[-1] = replace(versions[-1], data=receipt_document(forged))

    found = known(archive)[FIRST]

    assert [one.revision for one in found.receipts] == [1]
    assert [fault.expected for fault in found.chain.faults] == ["a receipt that a key of ours signed"]
