"""Ports: what the product needs of the outside world. The docstrings are the obligations; adapters meet them, twins too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pipeline.domain.archive import LockMode
from pipeline.domain.derivative import Copied
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.time import WallMs


class Clock(Protocol):
    """Wall time. The only source of "now" outside ``domain``."""

    def now(self) -> WallMs:
        """Milliseconds since 1970, UTC; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStat:
    """What the store says of one version. ``sha256`` is the digest we stored as metadata (``None`` if absent): a claim,
    until the bytes are read back. ``lock_mode`` is ``none`` when the version is not locked."""

    bucket: str
    key: str
    version_id: str
    size_bytes: int
    sha256: Sha256 | None
    lock_mode: LockMode
    retain_until: WallMs | None
    legal_hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What lies at one key beside one version. ``versions``: id, size and ETag, newest first; ETags of equal bytes are equal
    if they were sent in the same way. ``marked``: a delete marker lies over them, or between (no versions are told with it)."""

    key: str
    versions: tuple[tuple[str, int, str], ...] = ()
    marked: bool = False


class ObjectStore(Protocol):
    """Versioned objects under Object Lock. Blocking; callers on an event loop use a bounded thread pool.

    Every method raises :class:`~pipeline.domain.errors.StoreUnavailable` when the outcome is unknown (time-out, 5xx,
    reset: look before repeating), ``AccessRefused`` when the keys may not, ``ObjectMissing`` when the store answered
    and does not hold it. No method deletes a version of evidence, shortens a lock or overwrites silently.
    """

    def put_file(self, bucket: str, key: str, path: Path, sha256: Sha256, *, retain_until: WallMs | None) -> ObjectStat:
        """Store the file's bytes under *key*, locked from the first moment when *retain_until* is given.

        Idempotent: if the key already holds an object of this size and digest, it is kept (its lock extended if too
        short) and no second version is made where the store allows to tell. Streams with bounded memory. Returns what
        the store reports afterwards. Raises ``ObjectDiffers`` when the key holds other bytes, ``NotLocked`` when the
        store did not lock what must be locked, ``SourceFileChanged`` when the file changed while it was read.
        """
        ...

    def put_bytes(
        self, bucket: str, key: str, data: bytes, sha256: Sha256, *, retain_until: WallMs | None
    ) -> ObjectStat:
        """As :meth:`put_file`, for documents up to a few MiB."""
        ...

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat:
        """One version (the newest unless named) with its lock as the server reports it; raises ``ObjectMissing``."""
        ...

    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]:
        """Read one version's bytes as a stream; raises ``ObjectMissing`` on entering."""
        ...

    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes:
        """The newest version's bytes; raises ``ValueError`` beyond *limit_bytes*."""
        ...

    def extend_retention(self, bucket: str, key: str, version_id: str, until: WallMs) -> ObjectStat:
        """Make the COMPLIANCE lock last until at least *until*; never shortens. Raises ``NotLocked`` if it does not hold."""
        ...

    def set_hold(self, bucket: str, key: str, version_id: str, on: bool) -> ObjectStat:
        """Put one version under legal hold, or take the hold off; its retention stays as it is. Idempotent. Returns what the
        store reports afterwards; raises ``NotLocked`` if that is not what was asked."""
        ...

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]:
        """Newest versions under *prefix*, in key order, lazily. Lock fields may be absent (``none``): stat to know."""
        ...

    def layers(self, bucket: str, prefix: str) -> Iterator[Layers]:
        """Keys under *prefix* with more than one version, and those with a delete marker, lazily; a key with both is named
        for each. A copy, which has no versions, names none."""
        ...

    def versions(self, bucket: str, key: str) -> Sequence[str]:
        """All version ids of *key*, newest first; extra versions are reported by callers, never removed."""
        ...


class MediaProbe(Protocol):
    """Reads media files. Untrusted input: implementations run the reader where it cannot take the worker with it."""

    @property
    def version(self) -> str:
        """Rules and libraries that made the facts; equal bytes give equal facts under one version."""
        ...

    async def facts(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        """Facts of the file at *path*, its inside judged by *tolerance*. The file's name says nothing.

        Never raises for bad bytes: an unreadable file is facts with ``media="unreadable"`` and a finding that says why.
        Raises ``ProbeDied`` (with the cause: time-out, memory, signal) when the reading process was lost.
        """
        ...


class MediaCopier(Protocol):
    """Copies the streams of media files into packaging that browsers play. Untrusted input, as for :class:`MediaProbe`."""

    async def copy(self, path: Path, target: Path) -> Copied:
        """Copy the file at *path* to *target*, nothing encoded anew; equal bytes give equal bytes under one ``made_by``.

        The payload digests were found in both files and are equal. Raises ``MediaUnreadable`` saying why there is no copy,
        ``ProbeDied`` when the copying process was lost.
        """
        ...


class LinkHistory(Protocol):
    """The link topic, read backwards in time by stitch."""

    async def values(self, partition: int, first_offset: int, last_offset: int) -> Sequence[bytes]:
        """Raw values of ``link.appended`` from *first_offset* to *last_offset*, both included, in order.

        Raises ``HistoryMissing`` when the broker no longer holds *first_offset*, ``BrokerUnavailable`` on time-out.
        """
        ...


class StoreTrust(Protocol):
    """Whether evidence may go to the store: what was lately seen of its locks."""

    def require(self) -> None:
        """Return if the store kept its locks when it was last tried; raises ``StoreUntrusted`` saying what is wrong."""
        ...


class Signer(Protocol):
    """Signs receipts."""

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        ...

    @property
    def key_id(self) -> str:
        """First 16 hex digits of SHA-256 of the raw public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64 byte Ed25519 signature (RFC 8032) of *message*."""
        ...
