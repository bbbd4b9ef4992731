"""The tree over chunks has the published roots, proves every run of chunks and no other bytes."""

from __future__ import annotations

import itertools

import pytest

from pipeline.domain.chunks import (
    CHUNK_BYTES,
    chunk_count,
    leaf,
    proof,
    proven_root,
    root,
)

# The leaves and roots with which certificate-transparency implementations test RFC 6962 trees.
PUBLISHED = [bytes.fromhex(data) for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = [leaf(data) for data in PUBLISHED]


@pytest.mark.parametrize(("count", "expected"), ROOTS.items())
def test_trees_have_the_published_roots(count: int, expected: str) -> None:
    assert root(LEAVES[:count]).hex() == expected


@pytest.mark.parametrize("count", range(1, 9))
def test_every_run_of_chunks_is_proven_and_no_other_is(count: int) -> None:
    leaves = LEAVES[:count]

    for first, last in itertools.combinations_with_replacement(range(count), 2):
        run, beside = leaves[first : last + 1], proof(leaves, first, last)
        assert proven_root(run, first, count, beside) == root(leaves)
        assert proven_root([*run[:-1], leaf(b"other")], first, count, beside) != root(leaves)
        for place in {first - 1, first + 1} | ({first} if count == 1 else set()):
            moved = proven_root(run, place, count, beside)
            assert place == first or moved != root(leaves)
        assert proven_root(run, first, count, (*beside, b"more")) is None
        assert not beside or proven_root(run, first, count, beside[:-1]) is None


def test_a_leaf_cannot_pass_for_a_node() -> None:
    left, right = LEAVES[:2]

    assert leaf(left + right) != root([left, right])


@pytest.mark.parametrize(("first", "last"), [(-1, 0), (0, 3), (2, 1)])
def test_chunks_that_are_not_there_are_not_proven(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="within 0 to 2"):
        proof(LEAVES[:3], first, last)


@pytest.mark.parametrize(
    ("length", "count"), [(0, 0), (1, 1), (CHUNK_BYTES - 1, 1), (CHUNK_BYTES, 1), (CHUNK_BYTES + 1, 2)]
)
def test_the_last_chunk_may_be_short(length: int, count: int) -> None:
    assert chunk_count(length) == count
