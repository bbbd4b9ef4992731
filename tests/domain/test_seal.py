"""A seal fits one record at one place, in one spelling."""

from __future__ import annotations

import json

import pytest

from pipeline.adapters.signing import verify
from pipeline.domain.canonical import canonical
from pipeline.domain.seal import raw_signature, read_seal, seal_key, sealed_at, signed_in, unsigned_seal, with_signature
from tests.builders import sha
from tests.builders_archive import signer
from tests.wire.contract import accepts

KEY = "deadlines/hall-1/a/missed.json"


def seal() -> bytes:
    unsigned = unsigned_seal(KEY, sha("missed"), signer().key_id)
    return with_signature(unsigned, signer().sign(canonical(unsigned)))


def test_a_seal_is_as_its_schema_says_and_reads_back_the_same() -> None:
    found = read_seal(seal())

    assert accepts("seal.v1", json.loads(seal()))
    assert (found.key, found.sha256, found.signed.key_id) == (KEY, sha("missed"), signer().key_id)
    assert verify(signer().public, found.signed.message, found.signed.signature)


def test_place_digest_and_key_are_signed() -> None:
    for name in ("key", "sha256", "key_id"):
        changed = {**json.loads(seal()), name: {"key": KEY + "x", "sha256": sha("late"), "key_id": "0" * 16}[name]}

        found = read_seal(canonical(changed)).signed

        assert not verify(signer().public, found.message, found.signature)


def test_the_seal_of_a_record_lies_where_its_place_says() -> None:
    assert sealed_at(seal_key(KEY)) == KEY
    assert sealed_at(KEY) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        seal() + b" ",
        seal()[:-1],
        seal().replace(b"seal.v1", b"seal.v2"),
        canonical({**json.loads(seal()), "note": "x"}),
        canonical({**json.loads(seal()), "sha256": 7}),
        canonical({**json.loads(seal()), "signature": 7}),
        canonical({**json.loads(seal()), "signature": None}),
    ],
)
def test_what_is_no_seal_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_seal(data)


def test_a_signature_in_another_spelling_is_none() -> None:
    text = json.loads(seal())["signature"]
    idle = text[:-3] + chr(ord(text[-3]) + 1) + "=="

    assert len(signed_in(seal()).signature) == 64
    assert {raw_signature(other) for other in (idle, text[:-1], text + "=", f" {text}", "?", "")} == {b""}
