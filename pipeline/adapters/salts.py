"""Salts: the installation's key from which the salts under commitments follow, kept where only its owner may read it.

Losing it loses nothing that is archived: each salt lies beside what it salts. A worker with another key writes other links
for the same statement, so every ledger worker of an installation gets the same one.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from pipeline.adapters.private_file import write_once
from pipeline.domain.commitment import KEY_BYTES
from pipeline.domain.errors import Misconfigured

KEY_FILE = "salt-key"


def load_salt_key(key_file: Path | None, state: Path) -> bytes:
    """The key in *key_file* (64 hex digits), or the one in the *state* folder, made there if there is none.

    Raises :class:`Misconfigured` for a key file that is absent though named, no such key, or readable by others.
    """
    path = key_file or state / KEY_FILE
    try:
        if key_file is None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # another process made one meanwhile: that one stays
                write_once(path, f"{secrets.token_hex(KEY_BYTES)}\n".encode())
        mode = path.stat().st_mode & 0o777
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as exc:
        raise Misconfigured(f"the salt key cannot be used: {exc} ({path})") from exc
    if mode & 0o077:
        raise Misconfigured(f"the salt key may be read by its owner only: expected mode 600, found {mode:o} ({path})")
    if len(key) != KEY_BYTES:
        raise Misconfigured(f"the salt key has another length: expected {KEY_BYTES} bytes, found {len(key)} ({path})")
    return key
