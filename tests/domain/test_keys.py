"""A key is named by the digest of its public half, and written so that openssl reads it."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.domain.keys import fingerprint, key_id, pem_of, public_of, published_id, published_key
from tests.builders_archive import signer

PUBLIC = signer().public


def test_a_key_s_name_begins_its_fingerprint() -> None:
    assert fingerprint(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()
    assert fingerprint(PUBLIC).startswith(key_id(PUBLIC))
    assert len(key_id(PUBLIC)) == 16


def test_the_pem_is_the_one_the_library_writes_and_is_read_back() -> None:
    assert pem_of(PUBLIC) == signer().public_pem
    assert public_of(pem_of(PUBLIC)) == PUBLIC


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        pem_of(PUBLIC)[:-1],
        pem_of(PUBLIC) + b"\n",
        pem_of(PUBLIC).replace(b"PUBLIC", b"PRIVATE"),
        b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 59 + b"=\n-----END PUBLIC KEY-----\n",
    ],
)
def test_what_is_no_such_pem_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="expected an Ed25519 public key"):
        public_of(pem)


def test_a_published_key_stands_where_its_id_says() -> None:
    assert published_id(published_key(key_id(PUBLIC))) == key_id(PUBLIC)


@pytest.mark.parametrize(
    "key", ["keys/0123456789abcde.pem", "keys/0123456789ABCDEF.pem", "keys/0123456789abcdef.pem\n", "x"]
)
def test_another_place_is_no_published_key_s(key: str) -> None:
    assert published_id(key) is None
