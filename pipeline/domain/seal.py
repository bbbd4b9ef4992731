"""Seal: who wrote a record that no receipt lists.

A receipt signs what an archived revision is made of. Beside the revisions lie records that people and our own workers act
upon: links of open recordings, what was said of how one is kept, missed deadlines. Whoever may write to the store could put
one of his own among them. So each is followed by a *seal*: a small document that says, signed with the receipts' key, which
bytes lie where.

Rule 1: a seal names place and digest of its record, so it fits no other record and no other place.
Rule 2: the record itself stays as it is. Its bytes follow from what it says and not from the key, so that a repeat asks for
the same object, also after the key was changed.
Rule 3: the record stands first, then its seal. A seal without its record says that the record was taken away.
Rule 4: for a record without a seal nobody answers: it is older than seals, or was written where the key is not, or by a
stranger. Nothing that lets go of evidence, and no link to go on from, is taken from one unasked.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipeline.domain.canonical import Json, canonical
from pipeline.domain.identity import Sha256, sha256

SEAL_FORMAT: Final = "unbroken.seal.v1"
SEALS: Final = "seals/"


class Signed(NamedTuple):
    """A document that carries its own signature: the bytes which that covers, and the key it names."""

    message: bytes
    key_id: str
    signature: bytes
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Read back: of the record at ``key`` with this digest. ``signed``: what its signature covers, not checked here."""

    key: str
    sha256: Sha256
    signed: Signed


def seal_key(key: str) -> str:
    """Where the seal of the record at *key* lies in the same bucket; of a folder, where those of its records do."""
    return f"{SEALS}{key}"


def sealed_at(key: str) -> str | None:
    """The place of the record whose seal lies at *key*; ``None`` if no seal does."""
    return key.removeprefix(SEALS) if key.startswith(SEALS) else None


def unsigned_seal(key: str, digest: Sha256, key_id: str) -> dict[str, Json]:
    """Everything a seal's signature covers."""
    return {"format": SEAL_FORMAT, "key": key, "sha256": digest, "key_id": key_id}


def with_signature(unsigned: Mapping[str, Json], signature: bytes) -> bytes:
    """A document as it is kept: canonical JSON with the *signature* of the canonical JSON of all the rest."""
    return canonical({**unsigned, "signature": base64.b64encode(signature).decode()})


def raw_signature(text: str) -> bytes:
    """The bytes of a signature in base64; none for any but the one spelling they have, which no key signed."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return found if base64.b64encode(found).decode() == text else b""


def signed_in(data: bytes) -> Signed:
    """What of a document that :func:`with_signature` wrote is signed; raises ``ValueError`` for any other."""
    try:
        fields = json.loads(data)
        if canonical(fields) != data:
            raise ValueError("it is not spelt canonically")
        signature = raw_signature(fields.pop("signature"))
        return Signed(canonical(fields), str(fields["key_id"]), signature, fields)
    except (KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"it carries no signature: {type(exc).__name__} {exc}") from exc


def read_seal(data: bytes) -> Seal:
    """The seal that *data* is; raises ``ValueError``."""
    signed = signed_in(data)
    fields = signed.fields
    if fields.keys() != {"format", "key", "sha256", "key_id"} or fields["format"] != SEAL_FORMAT:
        raise ValueError(f"it is no {SEAL_FORMAT}: {sorted(fields)}")
    return Seal(key=str(fields["key"]), sha256=sha256(str(fields["sha256"])), signed=signed)
