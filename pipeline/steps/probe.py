"""Probe: read a landed segment back from the store, prove it is the one that was sent, and say what is in it.

The bytes leave the store once: they are hashed on their way to a private file that the media process then reads. What the
store holds is compared with what the sender computed while sending; a difference means that evidence changed between two
looks, and stops the work on it loudly. A file the reader cannot read, or dies of, is a finding like any other.
"""

from __future__ import annotations

import asyncio
import errno
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from pipeline.domain.errors import DiskFull, ObjectDiffers, ProbeDied
from pipeline.domain.facts import unreadable
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.policy import Policy
from pipeline.domain.probe import MediaFacts, SegmentProbed
from pipeline.ports import MediaProbe, ObjectStore
from pipeline.steps.digests import Digested, Digests

_PIECE_BYTES: Final = 1 << 20


class Openable(Protocol):
    """What of a store fetching needs."""

    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]: ...


class ProbeStep:
    """``landed -> probed``. *folder* (the system's temporary one when unset) holds one private file a segment while it is
    read and must have room for the largest one. Equal bytes give equal facts, so a repeated segment gives the same event."""

    def __init__(
        self, store: ObjectStore, media: MediaProbe, policy: Policy, version: str, folder: Path | None = None
    ) -> None:
        self._store, self._media, self._policy, self._folder = store, media, policy, folder
        self._version = f"{version} {media.version}"

    async def step(self, landed: SegmentLanded) -> SegmentProbed:
        """Raises ``ObjectDiffers`` (not retryable) naming both digests, ``DiskFull``, and the store's errors."""
        digests = Digests(tree=self._policy.chunk_tree, sm3=self._policy.sm3)
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="segment-") as file:
                observed = await asyncio.to_thread(fetch, self._store, landed.object, cast(BinaryIO, file), digests)
                facts = await self._facts(Path(file.name), landed)
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            folder = self._folder or tempfile.gettempdir()
            raise DiskFull(
                f"the disk for temporary files is full, {landed.object.size_bytes} bytes are to be read: free some space "
                f"under {folder} or set TMPDIR to a larger one"
            ) from exc
        return SegmentProbed(
            landed=landed,
            facts=facts,
            observed_sha256=observed.sha256,
            probe_version=self._version,
            observed_sm3=observed.sm3,
            chunk_root=observed.chunk_root if self._policy.chunk_tree else None,
        )

    async def _facts(self, path: Path, landed: SegmentLanded) -> MediaFacts:
        try:
            return await self._media.facts(path, self._policy.tolerance[landed.source_kind])
        except ProbeDied as exc:
            return unreadable(f"the process that read it {exc}", reader="lost")


def fetch(store: Openable, ref: ObjectRef, file: BinaryIO, digests: Digests) -> Digested:
    """Copy the object into *file* and return what *digests* amount to, of which SHA-256 is the recorded one. Raises
    ``ObjectDiffers``."""
    with store.open(ref) as stream:
        while piece := stream.read(_PIECE_BYTES):
            digests.update(piece)
            if digests.size_bytes > ref.size_bytes:
                break
            file.write(piece)
    file.flush()
    observed = digests.done()
    if observed.size_bytes > ref.size_bytes:
        raise ObjectDiffers(f"expected {ref.size_bytes} bytes with sha256 {ref.sha256}, found more ({ref.key})")
    if observed.sha256 != ref.sha256 or observed.size_bytes != ref.size_bytes:
        raise ObjectDiffers(
            f"expected {ref.size_bytes} bytes with sha256 {ref.sha256}, "
            f"found {observed.size_bytes} with {observed.sha256} ({ref.bucket}/{ref.key})"
        )
    return observed
