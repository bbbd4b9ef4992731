"""An excerpt is proven by its bytes, its chain and its receipt, each for itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.chain import LinkAppended
from pipeline.domain.chunks import CHUNK_BYTES, chunk_count, leaf, root
from pipeline.domain.excerpt import check_bytes, check_chain, check_receipt, excerpt, excerpt_document, is_proven
from pipeline.domain.identity import Sha256
from tests.builders import metadata, object_ref, probed, session_ended, sha
from tests.builders_archive import archived, locked
from tests.steps.archived import links_of

LEAVES = [leaf(data) for data in (b"one", b"two", b"three")]
WHOLE = sha("film")
LENGTH = 2 * CHUNK_BYTES + 5


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ((0, 0), (0, CHUNK_BYTES - 1)),
        ((CHUNK_BYTES - 1, CHUNK_BYTES), (0, 2 * CHUNK_BYTES - 1)),
        ((LENGTH - 1, LENGTH - 1), (2 * CHUNK_BYTES, LENGTH - 1)),
        ((0, LENGTH - 1), (0, LENGTH - 1)),
    ],
)
def test_an_excerpt_holds_the_whole_chunks_around_what_was_asked_for(
    asked: tuple[int, int], held: tuple[int, int]
) -> None:
    told = excerpt(WHOLE, LENGTH, LEAVES[:3], *asked)

    assert (told.first_byte, told.last_byte) == held
    assert is_proven(told, LEAVES[told.first_chunk : chunk_count(told.last_byte + 1)])


@pytest.mark.parametrize("asked", [(-1, 0), (1, 0), (0, LENGTH)])
def test_bytes_the_file_does_not_have_are_not_excerpted(asked: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected bytes within"):
        excerpt(WHOLE, LENGTH, LEAVES[:3], *asked)


def test_an_excerpt_of_other_chunks_another_root_or_too_few_is_not_proven() -> None:
    told = excerpt(WHOLE, LENGTH, LEAVES[:3], 0, CHUNK_BYTES)

    assert is_proven(told, LEAVES[:2])
    assert not is_proven(told, LEAVES[1:3])
    assert not is_proven(told, LEAVES[:1])
    assert not is_proven(told, [])
    assert not is_proven(replace(told, chunk_root=sha("other")), LEAVES[:2])
    assert not is_proven(replace(told, proof=()), LEAVES[:2])


@pytest.mark.parametrize(
    "changes",
    [{"first_byte": 1}, {"last_byte": CHUNK_BYTES}, {"last_byte": LENGTH}, {"first_byte": -CHUNK_BYTES}],
)
def test_an_excerpt_is_whole_chunks(changes: dict[str, Any]) -> None:
    told = excerpt(WHOLE, LENGTH, LEAVES[:3], 0, 0)

    with pytest.raises(ValueError, match="whole chunks"):
        replace(told, **changes)


def test_an_excerpt_is_written_canonically() -> None:
    told = excerpt(Sha256(hashlib.sha256(b"abc").hexdigest()), 3, [leaf(b"abc")], 0, 0)

    assert excerpt_document(told).decode() == (
        f'{{"chunk_root":"{leaf(b"abc").hex()}","first_byte":0,"format":"unbroken.excerpt.v1","last_byte":2,"length":3,'
        f'"proof":[],"sha256":"{told.sha256}"}}'
    )


FILM = object_ref("film", size_bytes=LENGTH)
LINKS = tuple(
    replace(link, ended=None, disclosed=None)  # as they stand in chain.jsonl
    for link in links_of(
        [replace(probed(0, object=FILM), chunk_root=Sha256(root(LEAVES).hex())), metadata(), session_ended()]
    )
)
TOLD = excerpt(WHOLE, LENGTH, LEAVES, 0, 0)
RECEIPT = replace(archived(originals=0), close_hash=LINKS[-1].hash, originals=(replace(locked(), object=FILM),))
KEYS = {RECEIPT.key_id}


def test_each_step_passes_by_itself() -> None:
    assert check_bytes(TOLD, LEAVES[:1]).result == "pass"
    assert check_chain(TOLD, LINKS).result == "pass"
    assert check_receipt(TOLD, LINKS, RECEIPT, KEYS, True).result == "pass"
    assert check_receipt(TOLD, None, RECEIPT, KEYS, True).result == "pass"


def test_what_was_not_handed_in_is_not_covered() -> None:
    assert check_chain(TOLD, None).result == "not_covered"
    assert check_receipt(TOLD, LINKS, None, KEYS, True).result == "not_covered"
    assert check_receipt(TOLD, LINKS, RECEIPT, set(), False).result == "not_covered"


def test_bytes_that_are_others_fail() -> None:
    assert check_bytes(TOLD, [leaf(b"other")]).result == "fail"


def _changed(links: tuple[LinkAppended, ...], at: int, **changes: Any) -> tuple[LinkAppended, ...]:
    return (*links[:at], replace(links[at], **changes), *links[at + 1 :])


@pytest.mark.parametrize(
    ("told", "links", "why"),
    [
        (replace(TOLD, sha256=sha("other")), LINKS, "no link states"),
        (replace(TOLD, chunk_root=sha("other")), LINKS, "no link states"),
        (TOLD, LINKS[:-1], "faults"),
        (TOLD, (), "faults"),
        (TOLD, _changed(LINKS, 1, hash=sha("other")), "faults"),
        (TOLD, _changed(LINKS, 1, facts=None), ""),
    ],
)
def test_a_chain_that_does_not_state_it_fails(told: Any, links: tuple[LinkAppended, ...], why: str) -> None:
    found = check_chain(told, links)

    assert found.result == ("fail" if why else "pass")
    assert why in found.told


@pytest.mark.parametrize(
    ("changes", "genuine", "why"),
    [
        ({"close_hash": sha("other")}, True, "chain ends in"),
        ({"originals": ()}, True, "lists no original"),
        ({}, False, "did not sign"),
    ],
)
def test_a_receipt_of_something_else_fails(changes: dict[str, Any], genuine: bool, why: str) -> None:
    found = check_receipt(TOLD, LINKS, replace(RECEIPT, **changes), KEYS, genuine)

    assert (found.result, why in found.told) == ("fail", True)


def test_a_passing_chain_says_whose_file_it_is() -> None:
    said = json.loads(LINKS[1].record)

    assert said["original_name"] in check_chain(TOLD, LINKS).told
