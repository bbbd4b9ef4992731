"""Keys: what a receipt key is called, and how its public half is written where others find it.

Rule 1: a key is named by its id, the beginning of its fingerprint; the fingerprint is SHA-256 of the 32 bytes of the public
key. A receipt names the id, so each receipt is checked with the key it was signed with, however many came after.
Rule 2: the public key stands under lock in the archive, at the place its id names, before the first receipt that names it.
Rule 3: what an archive says of its own key proves that one key signed; whose key that is must be known from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

_SPKI: Final = bytes.fromhex("302a300506032b6570032100")
"""What DER puts before the 32 bytes of an Ed25519 public key (RFC 8410, section 4)."""
_PEM: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{59}=)\n-----END PUBLIC KEY-----\n")
_PUBLISHED: Final = re.compile(r"keys/([0-9a-f]{16})\.pem", re.ASCII)


def fingerprint(public: bytes) -> str:
    """SHA-256 of the raw public key, in hex: what is read out on the telephone or printed on a notice."""
    return hashlib.sha256(public).hexdigest()


def key_id(public: bytes) -> str:
    """First 16 hex digits of the fingerprint."""
    return fingerprint(public)[:16]


def pem_of(public: bytes) -> bytes:
    """The raw public key as ``openssl`` reads and writes it."""
    text = base64.b64encode(_SPKI + public)
    return b"-----BEGIN PUBLIC KEY-----\n" + text + b"\n-----END PUBLIC KEY-----\n"


def public_of(pem: bytes) -> bytes:
    """The raw Ed25519 public key that :func:`pem_of` wrote; raises ``ValueError`` for anything else."""
    match = _PEM.fullmatch(pem)
    der = base64.b64decode(match[1]) if match else b""
    if len(der) != 44 or not der.startswith(_SPKI):
        raise ValueError("expected an Ed25519 public key in PEM, found something else")
    return der[len(_SPKI) :]


def published_key(name: str) -> str:
    """Key in the records bucket of the public key with this id."""
    return f"keys/{name}.pem"


def published_id(key: str) -> str | None:
    """The id of the public key that belongs at *key*, or ``None`` for a place of something else."""
    match = _PUBLISHED.fullmatch(key)
    return None if match is None else match[1]
