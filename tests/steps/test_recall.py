"""The archive alone knows every chain: closed ones from their revisions, open ones from checkpoints."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pipeline.domain.chain import verify
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.steps.recall import Recalled, recalled
from tests.builders import T0, mp4
from tests.steps.archived import FIRST, OPEN, Archive, Stages, links_of


def known(archive: Archive) -> dict[str, Recalled]:
    return {one.recording_id: one for one in recalled(archive.store, "records")}


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

    (found,) = recalled(stages.store, "records")

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
