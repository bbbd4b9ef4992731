"""Signing: the Ed25519 key (RFC 8032) that signs receipts, kept as a PEM file that only its owner may read, or in the
environment. A key is never replaced: another one is made beside it, and both go on being known by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pipeline.adapters.private_file import write_once
from pipeline.domain.errors import Misconfigured
from pipeline.domain.keys import key_id
from pipeline.settings import Settings

KEY_FILE = "receipt-key.pem"


class Ed25519Signer:
    """:class:`pipeline.ports.Signer` with a key in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public(self) -> bytes:
        return self._public

    @property
    def key_id(self) -> str:
        return key_id(self._public)

    @property
    def public_pem(self) -> bytes:
        """The public key as ``openssl`` reads it."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether *signature* is that of *message* by the owner of the raw key *public*; raises ``ValueError`` for no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def open_signer(settings: Settings) -> Ed25519Signer:
    """The signer of an installation, its key from the environment, a file or the state folder; raises as :func:`load_signer`."""
    pem = settings.signing_key.get_secret_value()
    if not pem:
        return load_signer(settings.signing_key_file, settings.state)
    if settings.signing_key_file is not None:
        raise Misconfigured(
            "the receipt key is given twice: unset one of UNBROKEN_SIGNING_KEY and UNBROKEN_SIGNING_KEY_FILE"
        )
    return Ed25519Signer(_private(pem.encode(), "UNBROKEN_SIGNING_KEY"))


def load_signer(key_file: Path | None, state: Path) -> Ed25519Signer:
    """The signer with the key in *key_file*, or with the one in the *state* folder, made there if there is none.

    The public key is written beside a key made here, as ``.pub.pem``. Raises :class:`Misconfigured` for a key file that
    is absent though named, not an Ed25519 key in PEM, or readable by others.
    """
    path = key_file or state / KEY_FILE
    if key_file is None and not path.exists():
        with suppress(FileExistsError):  # another process made one meanwhile: that one stays
            make_key(path)
    try:
        mode, pem = path.stat().st_mode & 0o777, path.read_bytes()
    except OSError as exc:
        raise Misconfigured(f"the receipt key cannot be used: {exc} ({path})") from exc
    if mode & 0o077:
        raise Misconfigured(
            f"the receipt key may be read by its owner only: expected mode 600, found {mode:o} ({path})"
        )
    signer = Ed25519Signer(_private(pem, str(path)))
    if key_file is None:
        path.with_suffix(".pub.pem").write_bytes(signer.public_pem)
    return signer


def make_key(path: Path) -> Ed25519Signer:
    """A new key at *path*, whole or not at all, for its owner only; its public half beside it, as ``.pub.pem``.

    Raises ``FileExistsError`` and touches nothing if either file is there, :class:`Misconfigured` if it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    signer, beside = Ed25519Signer(key), path.with_suffix(".pub.pem")
    if beside.exists():
        raise FileExistsError(f"a public key is there already ({beside})")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        beside.write_bytes(signer.public_pem)
    except FileExistsError:
        raise
    except OSError as exc:
        raise Misconfigured(f"the receipt key cannot be written: {exc} ({path})") from exc
    return signer


def read_public(path: Path) -> bytes:
    """The raw public key in the PEM file at *path*; raises :class:`Misconfigured` if there is none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        raise Misconfigured(f"the public key cannot be used: {exc} ({path})") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise Misconfigured(f"expected an Ed25519 public key, found {type(key).__name__} ({path})")
    return key.public_bytes_raw()


def known_keys(files: Sequence[Path], state: Path) -> dict[str, bytes]:
    """Raw public keys by id, from *files*, or else all that lie in the *state* folder; raises :class:`Misconfigured`."""
    found = files or (sorted(state.glob("*.pub.pem")) if state.is_dir() else [])
    return {key_id(public): public for public in map(read_public, found)}


def present_signer(settings: Settings) -> Ed25519Signer | None:
    """The signer of an installation if its key is here; none is made. Raises as :func:`open_signer`."""
    given = settings.signing_key.get_secret_value() or settings.signing_key_file is not None
    return open_signer(settings) if given or (settings.state / KEY_FILE).exists() else None


def trusted_keys(settings: Settings) -> dict[str, bytes]:
    """Raw public keys by id that this installation knows to be its own: those in the state folder, and of the key it signs
    with. None at all where there is neither."""
    signer = present_signer(settings)
    return known_keys((), settings.state) | ({} if signer is None else {signer.key_id: signer.public})


def _private(pem: bytes, where: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise Misconfigured(f"the receipt key cannot be used: {exc} ({where})") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(
            f"the receipt key is of another kind: expected Ed25519, found {type(key).__name__} ({where})"
        )
    return key
