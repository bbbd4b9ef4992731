"""A commitment holds for what was said and nothing else, and cannot be guessed without its salt."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest

from pipeline.domain.annotation import Metadata
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.commitment import Disclosed, commitment, disclose
from pipeline.domain.identity import RecordingId, Sha256
from tests.builders import RECORDING, SALT_KEY

CASE = Metadata(case_name="案 1", party_name="某公司", recorded_date="2026-11-24")
SALT = Sha256(bytes(range(32)).hex())


def test_a_commitment_is_the_published_value() -> None:
    made = commitment(Disclosed(metadata=CASE, salt=SALT))

    assert made == "77cd1aafcea4df8427058e5173d63c6964103ab6c0dd8afb32fe3fb5c3cdf5fb"
    assert made == hmac.new(bytes(range(32)), canonical(plain(CASE)), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        replace(CASE, party_name="某公司 "),
        replace(CASE, party_name=None),
        replace(CASE, extra=(("site", "1"),)),
    ],
)
def test_other_fields_have_another_commitment(changed: Metadata) -> None:
    assert commitment(Disclosed(metadata=changed, salt=SALT)) != commitment(Disclosed(metadata=CASE, salt=SALT))


def test_the_same_fields_in_another_statement_recording_or_installation_look_unrelated() -> None:
    made = [
        disclose(CASE, "case-1", RECORDING, SALT_KEY),
        disclose(CASE, "case-2", RECORDING, SALT_KEY),
        disclose(CASE, "case-1", RecordingId("another"), SALT_KEY),
        disclose(CASE, "case-1", RECORDING, bytes(32)),
    ]

    assert len({commitment(one) for one in made}) == len({one.salt for one in made}) == 4


def test_a_repeated_statement_gets_the_same_salt_whatever_it_says() -> None:
    one, other = (disclose(said, "case-1", RECORDING, SALT_KEY) for said in (CASE, Metadata()))

    assert one == disclose(CASE, "case-1", RECORDING, SALT_KEY)
    assert one.salt == other.salt
    assert commitment(one) != commitment(other)


@pytest.mark.parametrize("salt", ["", "00" * 31, "00" * 33, "zz" * 32])
def test_a_salt_is_32_bytes(salt: str) -> None:
    with pytest.raises(ValueError, match=r"64 .*hex"):
        Disclosed(metadata=CASE, salt=Sha256(salt))
