"""Clearing a dock folder: an original is removed from it once a verified receipt says that the archive has these bytes.

Off unless asked for. For each file: read it again and hash it, find the receipt that lists that digest, check the
receipt's signature with a key from outside the archive, ask the store for the lock, write down the intent, look whether
the file is still the one that was read, remove it, write that down. What was done is in the journal before the next step
begins: killed anywhere, the next run either removes the same file on the same grounds or finds it gone. What cannot be
confirmed stays where it is. A file that somebody changed is another file: it is kept, and imported as such.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pipeline.connectors.folder import Row
from pipeline.connectors.journal import Journal
from pipeline.domain.archive import RecordingArchived, signed_message
from pipeline.domain.clearing import Original, listed, why_kept
from pipeline.domain.errors import Malformed, ObjectMissing, UnbrokenError
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.seal import raw_signature
from pipeline.domain.verify import Lock
from pipeline.ports import Clock, ObjectStore
from pipeline.wire import codec, topics

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file that was announced: its path, the digest it had then, and its recording."""

    path: Path
    sha256: Sha256
    recording_id: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What became of one file. ``kept``: why it is still there, empty if it was removed."""

    path: Path
    recording_id: RecordingId
    kept: str = ""


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A receipt with the digest of its document."""

    receipt: RecordingArchived
    sha256: Sha256


class _Kept(Exception):
    """Ends one file's way; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Clearing:
    """*records*: the bucket of receipts. *keys*: raw public keys by id, from outside the archive; *signed*: whether a raw
    key signed a message with a signature. Blocking; files are taken one after the other."""

    store: ObjectStore
    journal: Journal
    clock: Clock
    source_id: SourceId
    records: str
    keys: Mapping[str, bytes]
    signed: Callable[[bytes, bytes, bytes], bool]

    def clear(self, files: Iterable[Arrived]) -> list[Cleared]:
        """Remove what may be removed of *files*; says of each what became of it. Raises what the store raises while it does
        not answer; what was done stays done, and a second call goes on."""
        for path in self.journal.intended_clearings():
            if not os.path.lexists(path):
                self.journal.cleared(path, self.clock.now())
        receipts: dict[RecordingId, tuple[_Receipt, ...]] = {}
        return [self._one(file, receipts) for file in files]

    def _one(self, file: Arrived, receipts: dict[RecordingId, tuple[_Receipt, ...]]) -> Cleared:
        name = file.recording_id
        if name not in receipts:
            receipts[name] = tuple(self._receipts(name))
        try:
            self._remove(file, receipts[name])
        except _Kept as exc:
            return Cleared(path=file.path, recording_id=name, kept=str(exc))
        except OSError as exc:
            return Cleared(path=file.path, recording_id=name, kept=f"cannot be read or removed: {exc.strerror or exc}")
        return Cleared(path=file.path, recording_id=name)

    def _remove(self, file: Arrived, receipts: tuple[_Receipt, ...]) -> None:
        if not receipts:
            raise _Kept("no receipt yet: its recording is not archived")
        handle = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb", buffering=0) as opened:
            before = os.fstat(opened.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _Kept("not a regular file")
            sha256 = _hash(opened)
        if sha256 != file.sha256 or not self.journal.is_announced(file.path, sha256, file.recording_id):
            raise _Kept("it changed since it was brought in; import it again")
        grounds = self._grounds(file, before.st_size, receipts)
        self.journal.intend_clearing(file.path, sha256, file.recording_id, grounds.sha256, self.clock.now())
        if _identity(file.path.lstat()) != _identity(before):
            raise _Kept("it changed while it was read; import it again")
        file.path.unlink()
        _sync(file.path.parent)
        self.journal.cleared(file.path, self.clock.now())

    def _grounds(self, file: Arrived, size_bytes: int, receipts: tuple[_Receipt, ...]) -> _Receipt:
        """The newest receipt that lists the file, if it is one to go by."""
        grounds = next((one for one in receipts if listed(one.receipt, file.sha256)), receipts[0])
        receipt, public = grounds.receipt, self.keys.get(grounds.receipt.key_id)
        genuine = (
            None if public is None else self.signed(public, signed_message(receipt), raw_signature(receipt.signature))
        )
        original = Original(
            source_id=self.source_id, recording_id=file.recording_id, sha256=file.sha256, size_bytes=size_bytes
        )
        if why := why_kept(receipt, genuine, original, self._lock(receipt, file.sha256)):
            raise _Kept(why)
        return grounds

    def _lock(self, receipt: RecordingArchived, sha256: Sha256) -> Lock | None:
        item = listed(receipt, sha256)
        if item is None:
            return None
        try:
            held = self.store.stat(item.object.bucket, item.object.key, item.object.version_id)
        except ObjectMissing:
            return None
        if held.size_bytes != item.object.size_bytes:
            return None
        return Lock(mode=held.lock_mode, retain_until=held.retain_until)

    def _receipts(self, recording: RecordingId) -> Iterator[_Receipt]:
        """The receipts of *recording*, newest first."""
        folder = f"recordings/{self.source_id}/{recording}/"
        keys = [one.key for one in self.store.list(self.records, folder) if one.key.endswith("/receipt.json")]
        numbers = {key.removeprefix(folder).partition("/")[0].removeprefix("r"): key for key in keys}
        for number in sorted((int(name) for name in numbers if name.isdecimal()), reverse=True):
            data = self.store.read(self.records, numbers[str(number)])
            try:
                yield _Receipt(codec.decode(topics.ARCHIVED.name, data), Sha256(hashlib.sha256(data).hexdigest()))
            except Malformed:
                continue  # what is no receipt clears nothing


def arrived(rows: Iterable[Row]) -> Iterator[Arrived]:
    """The files of *rows* that are in."""
    for row in rows:
        if row.outcome != "refused" and row.sha256 is not None and row.recording_id is not None:
            yield Arrived(path=row.path, sha256=row.sha256, recording_id=row.recording_id)


async def watch(
    clearing: Clearing,
    root: Path,
    stop: asyncio.Event,
    heard: Callable[[Cleared | UnbrokenError], None],
    every_s: float = 60,
) -> None:
    """Clear what lies under *root* again and again until *stop* is set; *heard* gets what became of each file, and the error
    of a service that was away."""
    while not stop.is_set():
        try:
            for cleared in await asyncio.to_thread(lambda: clearing.clear(list(_standing(clearing.journal, root)))):
                heard(cleared)
        except UnbrokenError as exc:
            if not exc.retryable:
                raise
            heard(exc)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)


def _standing(journal: Journal, root: Path) -> Iterator[Arrived]:
    """What was announced at any time and still lies under *root*."""
    found = root.resolve()
    for path, sha256, recording in journal.uncleared():
        if path.is_relative_to(found) and path.is_file():
            yield Arrived(path=path, sha256=sha256, recording_id=recording)


def _hash(file: BinaryIO) -> Sha256:
    whole = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        whole.update(chunk)
    return Sha256(whole.hexdigest())


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sync(folder: Path) -> None:
    """The removal is durable before it is written down."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
