"""One pass gives every digest, however the bytes come in pieces."""

from __future__ import annotations

import hashlib
import random

import pytest

from pipeline.domain.chunks import CHUNK_BYTES, leaf, root
from pipeline.steps.digests import Digests

FILM = random.Random(3).randbytes(2 * CHUNK_BYTES + 77)


@pytest.mark.parametrize("piece_bytes", [1 << 20, CHUNK_BYTES, CHUNK_BYTES + 1, len(FILM), 999_983])
def test_pieces_of_any_size_give_the_same(piece_bytes: int) -> None:
    digests = Digests(tree=True, sm3=True)
    for at in range(0, len(FILM), piece_bytes):
        digests.update(FILM[at : at + piece_bytes])

    done = digests.done()

    chunks = [leaf(FILM[at : at + CHUNK_BYTES]) for at in range(0, len(FILM), CHUNK_BYTES)]
    assert done.leaves == tuple(chunks)
    assert done.chunk_root == root(chunks).hex()
    assert (done.size_bytes, done.sha256) == (len(FILM), hashlib.sha256(FILM).hexdigest())


@pytest.mark.parametrize("length", [0, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_files_that_end_around_a_chunk_s_end_have_the_leaves_they_should(length: int) -> None:
    digests = Digests(tree=True, sm3=False)
    digests.update(FILM[:length])

    chunks = [leaf(FILM[at : min(at + CHUNK_BYTES, length)]) for at in range(0, length, CHUNK_BYTES)]

    assert digests.done().chunk_root == root(chunks).hex()


def test_sm3_is_the_standard_s() -> None:
    digests = Digests(tree=False, sm3=True)
    digests.update(b"abc")

    # GB/T 32905-2016, annex A.1
    assert digests.done().sm3 == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_what_is_not_asked_for_is_not_computed() -> None:
    digests = Digests(tree=False, sm3=False)
    digests.update(b"abc")
    done = digests.done()

    assert (done.sm3, done.leaves) == (None, ())
