"""Signing: the Ed25519 key (RFC 8032) that signs receipts, kept as a PEM file that only its owner may read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import mkstemp

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pipeline.domain.errors import Misconfigured

KEY_FILE = "receipt-key.pem"


class Ed25519Signer:
    """:class:`pipeline.ports.Signer` with a key in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._key_id = key_id(self.public)

    @property
    def key_id(self) -> str:
        return self._key_id

    @property
    def public_pem(self) -> bytes:
        """The public key as ``openssl`` reads it."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def key_id(public: bytes) -> str:
    """First 16 hex digits of SHA-256 of the raw public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether *signature* is that of *message* by the owner of the raw key *public*; raises ``ValueError`` for no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def load_signer(key_file: Path | None, state: Path) -> Ed25519Signer:
    """The signer with the key in *key_file*, or with the one in the *state* folder, made there if there is none.

    The public key is written beside a key made here, as ``.pub.pem``. Raises :class:`Misconfigured` for a key file that
    is absent though named, not an Ed25519 key in PEM, or readable by others.
    """
    path = key_file or state / KEY_FILE
    try:
        if key_file is None and not path.exists():
            _create(path)
        mode = path.stat().st_mode & 0o777
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise Misconfigured(f"the receipt key cannot be used: {exc} ({path})") from exc
    if mode & 0o077:
        raise Misconfigured(
            f"the receipt key may be read by its owner only: expected mode 600, found {mode:o} ({path})"
        )
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(
            f"the receipt key is of another kind: expected Ed25519, found {type(key).__name__} ({path})"
        )
    signer = Ed25519Signer(key)
    if key_file is None:
        path.with_suffix(".pub.pem").write_bytes(signer.public_pem)
    return signer


def _create(path: Path) -> None:
    """A new key at *path*, whole or not at all; if another process made one meanwhile, that one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, name = mkstemp(prefix=path.name, suffix=".part", dir=path.parent)  # mode 600 from the first moment
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return
    finally:
        part.unlink()
