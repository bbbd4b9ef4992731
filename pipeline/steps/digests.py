"""Digests: all that is computed of a file's bytes, in the one pass in which they are read.

SHA-256 names the file. The leaves of its chunks prove parts of it (:mod:`pipeline.domain.chunks`). SM3 (GB/T 32905) is for
sites that must have it; it is five times slower, so it is computed only where asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from pipeline.domain.chunks import CHUNK_BYTES, root
from pipeline.domain.identity import Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Digested:
    """Of ``size_bytes`` bytes. ``leaves`` is empty and ``sm3`` ``None`` where they were not asked for."""

    size_bytes: int
    sha256: Sha256
    sm3: Sha256 | None
    leaves: tuple[bytes, ...]

    @property
    def chunk_root(self) -> Sha256:
        return Sha256(root(self.leaves).hex())


class Digests:
    """Takes pieces of any size; :meth:`done` gives what they amount to."""

    def __init__(self, *, tree: bool, sm3: bool) -> None:
        self._whole = hashlib.sha256()
        self._sm3 = hashes.Hash(hashes.SM3()) if sm3 else None
        self._tree = tree
        self._chunk = hashlib.sha256(b"\x00")
        self._leaves: list[bytes] = []
        self.size_bytes = 0

    def update(self, piece: bytes) -> None:
        self._whole.update(piece)
        if self._sm3 is not None:
            self._sm3.update(piece)
        if self._tree:
            self._cut(memoryview(piece))
        self.size_bytes += len(piece)

    def _cut(self, piece: memoryview) -> None:
        at = self.size_bytes
        while piece:
            room = CHUNK_BYTES - at % CHUNK_BYTES
            self._chunk.update(piece[:room])
            at += len(piece[:room])
            if at % CHUNK_BYTES == 0:
                self._end_chunk()
            piece = piece[room:]

    def _end_chunk(self) -> None:
        self._leaves.append(self._chunk.digest())
        self._chunk = hashlib.sha256(b"\x00")

    def done(self) -> Digested:
        """To be called once, after the last piece."""
        if self._tree and self.size_bytes % CHUNK_BYTES:
            self._end_chunk()
        return Digested(
            size_bytes=self.size_bytes,
            sha256=Sha256(self._whole.hexdigest()),
            sm3=None if self._sm3 is None else Sha256(self._sm3.finalize().hex()),
            leaves=tuple(self._leaves),
        )
