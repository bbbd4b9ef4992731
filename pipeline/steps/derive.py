"""Derive: a copy that browsers play is made when somebody wants to see it, and kept in the bucket that locks nothing.

Never on the way of a recording into the archive: there it could only be late or fail. A kept derivative is read back
against its document before it is shown; one that is not what the document says stops the viewing and is named, as nothing there
is locked and anything may be removed from it. The original is fetched once, to a private file, and is what its digest says or nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from pipeline.domain.derivative import (
    FORMAT,
    Copied,
    CopiedStream,
    Derivative,
    derivative_document,
    derived_key,
    document_key,
)
from pipeline.domain.errors import Malformed, MediaError, ObjectDiffers, ObjectMissing
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.verify import Fault
from pipeline.ports import MediaCopier, ObjectStore
from pipeline.steps.digests import Digests
from pipeline.steps.probe import fetch
from pipeline.steps.shelf import ReadableStore
from pipeline.wire import codec

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class DeriveStep:
    """*derived*: the bucket. *folder* (the system's temporary one when unset) must have room for the original and its copy."""

    store: ObjectStore
    copier: MediaCopier
    derived: str
    folder: Path | None = None

    async def derive(self, original: ObjectRef) -> Derivative:
        """The derivative of *original*, kept or made now. Raises ``MediaUnreadable`` and ``ProbeDied`` saying why there is
        none, ``ObjectDiffers`` when the original is not what its digest says, and what the store raises."""
        kept = await asyncio.to_thread(self.kept, original)
        if kept is not None:
            return kept
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="derive-") as name:
            source, target = Path(name, "original"), Path(name, "derived.mp4")
            await asyncio.to_thread(self._fetch, original, source)
            copied = await self.copier.copy(source, target)
            return await asyncio.to_thread(self._keep, original, copied, target)

    def _fetch(self, original: ObjectRef, source: Path) -> None:
        with source.open("wb") as file:
            fetch(self.store, original, cast(BinaryIO, file), Digests(tree=False, sm3=False))

    def _keep(self, original: ObjectRef, copied: Copied, target: Path) -> Derivative:
        """Put the copy, then the document that names it."""
        with target.open("rb") as file:
            digest = Sha256(hashlib.file_digest(file, "sha256").hexdigest())
        stat = self.store.put_file(self.derived, derived_key(digest), target, digest, retain_until=None)
        ref = ObjectRef(
            bucket=stat.bucket, key=stat.key, version_id=stat.version_id, sha256=digest, size_bytes=stat.size_bytes
        )
        derivative = Derivative(original=original, derived=ref, copied=copied)
        data = derivative_document(derivative)
        named, place = Sha256(hashlib.sha256(data).hexdigest()), document_key(original.sha256)
        self.store.put_bytes(self.derived, place, data, named, retain_until=None)
        return derivative

    def kept(self, original: ObjectRef) -> Derivative | None:
        """The derivative that is kept, ``None`` if there is none; raises ``ObjectDiffers`` when it is not what it was."""
        place = document_key(original.sha256)
        try:
            data = self.store.read(self.derived, place)
        except ObjectMissing:
            return None
        try:
            found = read_document(data)
        except Malformed as exc:
            raise ObjectDiffers(f"{exc}; remove it, it is made anew ({self.derived}/{place})") from exc
        digest = hashlib.sha256()
        with self.store.open(found.derived) as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        if found.original.sha256 != original.sha256 or digest.hexdigest() != found.derived.sha256:
            raise ObjectDiffers(
                f"a derivative is not what was made: expected {found.derived.sha256} of {original.sha256}, "
                f"found {digest.hexdigest()} of {found.original.sha256}; remove it and its document, they are made anew "
                f"({self.derived}/{found.derived.key}, {place})"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Whether kept derivatives are what their documents say, computed anew from both files. *payloads* reads a file's."""

    store: ReadableStore
    derived: str
    payloads: Callable[[Path], tuple[CopiedStream, ...]]

    def __call__(self, original: ObjectRef) -> Sequence[Fault] | None:
        """What differs, or ``None`` when there is no derivative of *original*."""
        place = f"{self.derived}/{document_key(original.sha256)}"
        try:
            kept = read_document(self.store.read(self.derived, document_key(original.sha256)))
        except ObjectMissing:
            return None
        except Malformed as exc:
            return [Fault(place=place, expected="a derivative's document", found=str(exc))]
        if kept.original.sha256 != original.sha256:
            return [Fault(place=place, expected=original.sha256, found=kept.original.sha256)]
        return [fault for ref in (original, kept.derived) for fault in self._differs(ref, kept.copied.streams)]

    def _differs(self, ref: ObjectRef, stated: tuple[CopiedStream, ...]) -> Sequence[Fault]:
        """The payload of one of the two files against what the document states."""
        place = f"{ref.bucket}/{ref.key}"
        with tempfile.NamedTemporaryFile(prefix="derive-") as file:
            try:
                fetch(self.store, ref, cast(BinaryIO, file), Digests(tree=False, sm3=False))
                found = self.payloads(Path(file.name))
            except (ObjectDiffers, ObjectMissing, MediaError) as exc:
                return [Fault(place=place, expected=f"a file with sha256 {ref.sha256}", found=str(exc))]
        return [] if found == stated else [Fault(place=place, expected=_payload(stated), found=_payload(found))]


def _payload(streams: tuple[CopiedStream, ...]) -> str:
    return "; ".join(
        f"{item.codec}: {item.payload.units} units of sha256 {item.payload.sha256}, "
        f"parameter sets {item.payload.parameter_sets_sha256}"
        for item in streams
    )


def read_document(data: bytes) -> Derivative:
    """The derivative a document describes; raises ``Malformed``."""
    try:
        value = json.loads(data)
    except ValueError as exc:
        raise Malformed(f"a derivative's document is JSON: {exc}") from exc
    if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
        raise Malformed(f"a derivative's document has the format {FORMAT}")
    derivative: Derivative = codec.load_state(Derivative, value)
    return derivative
