"""Commitment: a link states a case's fields without showing them.

A link's hash goes wherever the chain goes, and names of parties are few: a plain digest of them could be guessed. So the
link holds ``HMAC-SHA-256(salt, JCS(metadata))`` with a salt of 32 bytes of which nothing outside the records is known.
Metadata and salt are disclosed beside the link, in the manifest and the checkpoints: who holds those can check, who holds
the chain alone learns nothing, and cannot be shown other fields later.

The salt follows from the installation's key and the statement, so that a repeated step gives the same link:
``HMAC-SHA-256(key, "unbroken/salt/v1" || 0x00 || JCS({annotation_id, recording_id}))``. No check needs the key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from pipeline.domain.annotation import Metadata
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.identity import RecordingId, Sha256, sha256

KEY_BYTES: Final = 32
_SALT: Final = b"unbroken/salt/v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """What a commitment is of. ``salt``: 32 bytes as 64 hex digits."""

    metadata: Metadata
    salt: Sha256

    def __post_init__(self) -> None:
        sha256(self.salt)


def disclose(metadata: Metadata, annotation_id: str, recording: RecordingId, key: bytes) -> Disclosed:
    """*metadata* with the salt that the installation's *key* gives this statement."""
    statement = canonical({"annotation_id": annotation_id, "recording_id": recording})
    return Disclosed(metadata=metadata, salt=Sha256(hmac.digest(key, _SALT + statement, "sha256").hex()))


def commitment(disclosed: Disclosed) -> Sha256:
    """What the link states of *disclosed*."""
    return Sha256(hmac.digest(bytes.fromhex(disclosed.salt), canonical(plain(disclosed.metadata)), "sha256").hex())
