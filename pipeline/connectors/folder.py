"""The folder connector: files found somewhere become locked originals and numbered announcements.

For each file: settle, hash, look, send, announce. A file ends as exactly one row: announced, known (this file was
announced before), or refused with a reason; no file stops another. What was done is in the journal before the next step
begins, so a connector killed anywhere goes on from there:

- killed before the object was in the store: looked for, and sent from where the upload stopped
- killed before the announcement was written down: the object is found, not sent again, and announced
- killed before the announcement was delivered: the same message is sent, from the journal

What may pass is waited for, and said: a service that is away, a store that was not seen to keep its locks. A store that is
not trusted gets no original; what is known from before needs none.

Small files are read once, into memory. Large ones are read twice, to hash and to send: an original is named by its
digest, so the name must be known before the first byte is sent, and memory must not grow with the file.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import stat
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeVar

import structlog

from pipeline.connectors.announcer import Announcer
from pipeline.connectors.journal import FileStamp, Journal, New, SeenFile
from pipeline.connectors.names import Claims, Profile, natural, read_claims, recording_of, refusal, text_of
from pipeline.domain.annotation import Annotation, Metadata, SessionEnded
from pipeline.domain.canonical import digest
from pipeline.domain.errors import ObjectDiffers, SourceFileChanged, UnbrokenError
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, original_key
from pipeline.domain.landing import Ends, ObjectRef, SegmentLanded
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, ObjectStat, ObjectStore, StoreTrust
from pipeline.wire.codec import encode

SMALL_BYTES: Final = 16 << 20
"""Read once into memory up to here; the store's part size, so that such a file is one request."""
WORKERS: Final = 4
_BATCH: Final = 2 * WORKERS
_WINDOW: Final = 2 * _BATCH
"""Files begun and not yet announced. Announcements keep the order of the files, so a slow one holds back this many."""
_HASH_CHUNK_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 600
_BACKOFF_S: Final = (0.2, 10.0)

T = TypeVar("T")
Outcome = Literal["announced", "known", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the person who brings files in said about all of them, and what policy says. ``recording`` is ``None`` when
    names and folders decide; ``patience_s`` is how long to wait for a service that is away (``None``: for ever)."""

    source_id: SourceId
    kind: SourceKind
    unit: str
    ends: Ends
    profile: Profile
    zone: tzinfo
    bucket: str
    block_s: int
    retention_s: int
    recording: RecordingId | None = None
    patience_s: float | None = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file as the search found it, or what was found instead of one: ``refused`` says why, ``again`` that it may pass."""

    path: Path
    name: str
    stamp: FileStamp | None = None
    refused: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one file ended. ``duplicate``: its bytes were announced before under another name. ``again``: the reason of the
    refusal may pass, so its recording is not declared ended."""

    path: Path
    name: str
    outcome: Outcome
    size_bytes: int = 0
    sha256: Sha256 | None = None
    recording_id: RecordingId | None = None
    duplicate: bool = False
    reason: str | None = None
    again: bool = False


class Refused(Exception):
    """Ends one file's way; becomes its row."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


def discover(paths: Sequence[Path]) -> Iterator[Candidate]:
    """Everything under *paths*, once, folders in natural order of names; links are not followed. Never raises for what
    it finds."""
    met: set[Path] = set()
    for path in paths:
        # A path a person typed may lead through links; what lies inside must not lead out again.
        try:
            found = path.resolve(strict=True)
        except (OSError, RuntimeError) as exc:
            yield _unreadable(path.absolute(), text_of(path), exc)
            continue
        for candidate in _walk(found, found if found.is_dir() else found.parent):
            if candidate.path not in met:
                met.add(candidate.path)
                yield candidate


def _walk(path: Path, root: Path) -> Iterator[Candidate]:
    name = text_of(path.relative_to(root)) if path != root else text_of(path.name)
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(path) as entries:
                inside = sorted((path / entry.name for entry in entries), key=natural)
            for one in inside:
                yield from _walk(one, root)
            return
    except OSError as exc:
        yield _unreadable(path, name, exc)
        return
    if stat.S_ISREG(found.st_mode):
        yield Candidate(path=path, name=name, stamp=FileStamp.of(found))
    else:
        kind = "a symbolic link is not followed, give the file itself" if path.is_symlink() else "not a regular file"
        yield Candidate(path=path, name=name, refused=kind)


def _unreadable(path: Path, name: str, exc: Exception) -> Candidate:
    """Something that is there, or should be, and could not be looked into: its files may still be missing."""
    reason = _os_reason(exc)
    return Candidate(path=path, name=name, refused=reason, again=reason != _OS_REASONS[errno.ELOOP])


def unsettled_s(candidate: Candidate, now: WallMs, settle_s: float) -> float:
    """How long to wait until the file may be taken if it is unchanged then. By its own date somebody may have written it
    just now; a date in the future says nothing, so it is waited for in full."""
    if candidate.stamp is None:
        return 0.0
    age_s = now / 1000 - candidate.stamp.mtime_ns / 1e9
    return settle_s if age_s < 0 else max(0.0, settle_s - age_s)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file in the store, to be announced."""

    new: New
    row: Row


@dataclass
class Intake:
    """Brings candidates in for one session. ``on_row`` hears how each file ended, in order."""

    store: ObjectStore
    trust: StoreTrust
    journal: Journal
    announcer: Announcer
    clock: Clock
    session: Session
    on_row: Callable[[Row], None] = lambda _row: None
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS, "intake"))
    _awaited: set[type[UnbrokenError]] = field(default_factory=set)
    _log: Any = field(default_factory=structlog.get_logger)
    _stripes: tuple[threading.Lock, ...] = field(default_factory=lambda: tuple(threading.Lock() for _ in range(256)))

    async def take(self, candidates: Sequence[Candidate]) -> list[Row]:
        """Bring *candidates* in, in order; returns one row each.

        Raises what cannot be a single file's fault (store or broker away beyond patience, nothing locked); what was done
        stays done and a second call goes on.
        """
        await self._deliver()
        rows: list[Row] = []
        running: deque[asyncio.Task[_Ready | Row]] = deque()
        try:
            for candidate in candidates:
                running.append(asyncio.create_task(self._bring_in(candidate)))
                if len(running) >= _WINDOW:
                    rows += await self._announce_ready(running)
            while running:
                rows += await self._announce_ready(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return rows

    async def end(self, rows: Sequence[Row], metadata: Metadata | None, made_by: str) -> tuple[RecordingId, ...]:
        """Say what is to be said of each recording that *rows* touched: its case data, and that it is over.

        A recording is over when all of its files that are recordings are in; returns those it was said of.
        """
        touched = list(dict.fromkeys(row.recording_id for row in rows if row.recording_id and row.outcome != "refused"))
        incomplete = {row.recording_id for row in rows if row.again}
        # What could not even be looked into may hold files of any of them.
        over = [] if None in incomplete else [recording for recording in touched if recording not in incomplete]
        for recording in touched:
            if metadata is not None:
                self._describe(recording, metadata, made_by)
            if self.session.ends == "declared" and recording in over:
                self._declare_end(recording)
        await self._deliver()
        return tuple(over)

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()

    async def _announce_ready(self, running: deque[asyncio.Task[_Ready | Row]]) -> list[Row]:
        """Wait for the first files and announce them together: one durable step and one request for all of them."""
        done = [await running.popleft() for _ in range(min(_BATCH, len(running)))]
        segments = [item.new for item in done if isinstance(item, _Ready)]
        duplicates = iter(await self._written(lambda: self.journal.announce(segments)) if segments else ())
        await self._deliver()
        rows = [replace(item.row, duplicate=next(duplicates)) if isinstance(item, _Ready) else item for item in done]
        for row in rows:
            self.on_row(row)
        return rows

    async def _deliver(self) -> None:
        """Send everything the journal holds unsent, oldest first."""
        while waiting := self.journal.undelivered():
            values = [item.value for item in waiting]
            await self._persist(lambda values=values: self.announcer.landed(values))  # type: ignore[misc]
            await self._written(lambda waiting=waiting: self.journal.delivered(waiting))  # type: ignore[misc]
        for annotation_id, value in self.journal.unsaid().items():
            await self._persist(lambda value=value: self.announcer.annotations([value]))  # type: ignore[misc]
            await self._written(lambda name=annotation_id: self.journal.said(name))  # type: ignore[misc]

    async def _bring_in(self, candidate: Candidate) -> _Ready | Row:
        loop = asyncio.get_running_loop()
        try:
            return await self._persist(lambda: loop.run_in_executor(self._threads, self._store_file, candidate))
        except Refused as exc:
            return self._refused(candidate, exc)
        except (SourceFileChanged, ObjectDiffers) as exc:
            return self._refused(candidate, Refused(str(exc), again=exc.retryable))

    async def _written(self, write: Callable[[], T]) -> T:
        """What *write* returns once the journal's disk has room for it."""
        return await self._persist(lambda: asyncio.to_thread(write))

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """*attempt* until it works; a service that is away longer than the session's patience raises. That something is
        waited for is said once, and once when it is over."""
        least, most = _BACKOFF_S
        began = asyncio.get_running_loop().time()
        pause = least
        while True:
            try:
                done = await attempt()
            except UnbrokenError as exc:
                waited = asyncio.get_running_loop().time() - began
                patience_s = self.session.patience_s
                if not exc.retryable or isinstance(exc, SourceFileChanged):
                    raise
                if patience_s is not None and waited + pause > patience_s:
                    raise
                if type(exc) not in self._awaited:
                    self._awaited.add(type(exc))
                    self._log.warning("intake.waiting", why=str(exc), source_id=self.session.source_id)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # spreads repeats, no secret
                pause = min(most, pause * 2)
            else:
                if pause > least and self._awaited:
                    self._awaited.clear()
                    self._log.info("intake.resumed", source_id=self.session.source_id)
                return done

    def _store_file(self, candidate: Candidate) -> _Ready | Row:
        """All of one file's way that may block; runs on a thread."""
        if candidate.refused is not None:
            raise Refused(candidate.refused, again=candidate.again)
        try:
            # Not blocking: opening a pipe that took the file's name must not wait for somebody to write into it.
            handle = os.open(candidate.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb", buffering=0) as file:
                return self._store_open_file(candidate, file)
        except OSError as exc:
            raise Refused(_os_reason(exc), again=True) from exc

    def _store_open_file(self, candidate: Candidate, file: BinaryIO) -> _Ready | Row:
        session = self.session
        stamp = _settled_stamp(candidate, os.fstat(file.fileno()))
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        if why := refusal(candidate.path, head):
            raise Refused(why)
        now = self.clock.now()
        claims, recording = self._belongs(candidate.path, stamp, now)
        before = self.journal.seen(candidate.path)
        known = before.sha256 if before is not None and before.stamp == stamp else None
        if known is not None and self.journal.is_announced(candidate.path, known, recording):
            return _row(candidate, "known", stamp, known, recording)
        data = file.read() if stamp.size_bytes <= SMALL_BYTES else None
        sha256 = Sha256(hashlib.sha256(data).hexdigest()) if data is not None else known or _hash(file)
        _check_unchanged(candidate.path, stamp, os.fstat(file.fileno()), data)
        received_at = before.received_at if before is not None and before.sha256 == sha256 else now
        seen = SeenFile(path=candidate.path, stamp=stamp, sha256=sha256, received_at=received_at)
        if self.journal.is_announced(candidate.path, sha256, recording):
            self.journal.see(seen)
            return _row(candidate, "known", stamp, sha256, recording)
        if data is None and known is None:
            self.journal.see(seen)  # so that an upload cut off goes on without hashing gigabytes again
        stored = self._put(candidate.path, data, seen)

        def message(number: int) -> bytes:
            landed = SegmentLanded(
                connector=self.journal.connector,
                announcement=number,
                source_id=session.source_id,
                source_kind=session.kind,
                unit=session.unit,
                recording_id=recording,
                object=ObjectRef(
                    bucket=stored.bucket,
                    key=stored.key,
                    version_id=stored.version_id,
                    sha256=sha256,
                    size_bytes=stored.size_bytes,
                ),
                original_name=candidate.name,
                received_at=received_at,
                ends=session.ends,
                sequence=claims.sequence,
                run=claims.run,
                claimed_start=claims.start,
            )
            return encode(landed)

        row = _row(candidate, "announced", stamp, sha256, recording)
        return _Ready(New(seen=seen, recording_id=recording, message=message), row)

    def _put(self, path: Path, data: bytes | None, seen: SeenFile) -> ObjectStat:
        """Into the store, once at a time for the same bytes. Locked from when we first had them, not from now, so that a
        repetition wants the same lock."""
        self.trust.require()
        until = WallMs(seen.received_at + self.session.retention_s * 1000)
        key = original_key(seen.sha256, text_of(path.name))
        with self._stripes[int(seen.sha256[:2], 16)]:
            if data is None:
                return self.store.put_file(self.session.bucket, key, path, seen.sha256, retain_until=until)
            return self.store.put_bytes(self.session.bucket, key, data, seen.sha256, retain_until=until)

    def _refused(self, candidate: Candidate, why: Refused) -> Row:
        """The row of a refused file, with the recording it would have belonged to, if one can tell."""
        recording, size_bytes = self.session.recording, 0
        if candidate.stamp is not None:
            size_bytes = candidate.stamp.size_bytes
            _, recording = self._belongs(candidate.path, candidate.stamp, self.clock.now())
        return Row(
            path=candidate.path,
            name=candidate.name,
            outcome="refused",
            size_bytes=size_bytes,
            recording_id=recording,
            reason=why.reason,
            again=why.again,
        )

    def _belongs(self, path: Path, stamp: FileStamp, now: WallMs) -> tuple[Claims, RecordingId]:
        """What a file claims, and whose recording it is part of."""
        session = self.session
        claims = read_claims(path, stamp.mtime_ns, session.profile, session.zone)
        named = session.recording
        return claims, named or recording_of(session.source_id, session.kind, path, claims.start, session.block_s, now)

    def _declare_end(self, recording: RecordingId) -> None:
        count = self.journal.announced(recording)
        if self.journal.ended(recording) == count:
            return
        said = Annotation(
            annotation_id=f"ended-{self.journal.connector}-{recording}-{count}",
            kind="session_ended",
            source_id=self.session.source_id,
            recording_id=recording,
            unit=self.session.unit,
            made_at=self.clock.now(),
            made_by=self.journal.connector,
            ended=SessionEnded(reason="declared", expected_segments=count),
        )
        self.journal.say(said.annotation_id, encode(said), ends=recording, expected=count)

    def _describe(self, recording: RecordingId, metadata: Metadata, made_by: str) -> None:
        fields = [metadata.case_name, metadata.party_name, metadata.recorded_date, *map(list, metadata.extra)]
        said = Annotation(
            annotation_id=f"described-{digest([self.session.source_id, recording, *fields])[:32]}",
            kind="metadata",
            source_id=self.session.source_id,
            recording_id=recording,
            unit=self.session.unit,
            made_at=self.clock.now(),
            made_by=made_by,
            metadata=metadata,
        )
        self.journal.say(said.annotation_id, encode(said))


def _settled_stamp(candidate: Candidate, found: os.stat_result) -> FileStamp:
    """The stamp of the open file; refuses what is no recording or still grows."""
    if not stat.S_ISREG(found.st_mode):
        raise Refused("not a regular file")
    stamp = FileStamp.of(found)
    if stamp != candidate.stamp:
        before = candidate.stamp.size_bytes if candidate.stamp else 0
        raise Refused(
            f"still being written: {before} bytes, then {stamp.size_bytes}; import again when the recorder is done",
            again=True,
        )
    if stamp.size_bytes == 0:
        raise Refused(
            "0 bytes: the recorder wrote nothing into it; keep the card and look whether the device still has it"
        )
    return stamp


def _check_unchanged(path: Path, stamp: FileStamp, after: os.stat_result, data: bytes | None) -> None:
    size_bytes = stamp.size_bytes if data is None else len(data)
    if FileStamp.of(after) != stamp or size_bytes != stamp.size_bytes:
        raise SourceFileChanged(
            f"still being written: {stamp.size_bytes} bytes, then {after.st_size} while it was read; "
            f"import again when the recorder is done ({text_of(path)})"
        )


def _hash(file: BinaryIO) -> Sha256:
    whole = hashlib.sha256()
    while chunk := file.read(_HASH_CHUNK_BYTES):
        whole.update(chunk)
    return Sha256(whole.hexdigest())


def _row(
    candidate: Candidate,
    outcome: Outcome,
    stamp: FileStamp,
    sha256: Sha256,
    recording: RecordingId,
) -> Row:
    return Row(
        path=candidate.path,
        name=candidate.name,
        outcome=outcome,
        size_bytes=stamp.size_bytes,
        sha256=sha256,
        recording_id=recording,
    )


_OS_REASONS: Final = {
    errno.ENOENT: "not there (any more)",
    errno.EACCES: "permission denied: give this user the right to read it",
    errno.EPERM: "permission denied: give this user the right to read it",
    errno.ELOOP: "a symbolic link is not followed, give the file itself",
    errno.ENAMETOOLONG: "its path is too long for this system",
    errno.EIO: "the medium cannot be read here: copy what can be read, and keep the card",
    errno.ENXIO: "not a regular file",
}


def _os_reason(exc: Exception) -> str:
    if isinstance(exc, RuntimeError):  # pathlib, for a loop of links
        return _OS_REASONS[errno.ELOOP]
    number = exc.errno if isinstance(exc, OSError) and exc.errno is not None else 0
    return _OS_REASONS.get(number) or f"cannot be read: {exc}"
