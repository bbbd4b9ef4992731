"""The journal: what a connector must still know after it was killed. One SQLite file per source, one process at a time.

Its rules:
1. Written before the effect it describes, durable (``synchronous=FULL``) before that effect begins.
2. Announcements count from 1 without a hole, and the exact bytes of a message are kept before it is sent: what is sent
   again after a crash is the same message.
3. The journal's own random id is part of the connector's name. A lost journal is another connector, so its new count can
   never be taken for the old one.

Reading files again is always allowed: the journal saves work and keeps the count; the store and the topics hold the truth.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.domain.errors import DiskFull, Misconfigured, UnbrokenError
from pipeline.domain.identity import RecordingId, Sha256, SourceId, source_id
from pipeline.domain.time import WallMs

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
  path BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  sha256 TEXT NOT NULL, received_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announcements (
  number INTEGER PRIMARY KEY, path BLOB NOT NULL, sha256 TEXT NOT NULL, recording_id TEXT NOT NULL,
  value BLOB NOT NULL, delivered INTEGER NOT NULL DEFAULT 0, UNIQUE (path, sha256, recording_id));
CREATE INDEX IF NOT EXISTS announced_bytes ON announcements (sha256);
CREATE INDEX IF NOT EXISTS announced_recording ON announcements (recording_id);
CREATE INDEX IF NOT EXISTS undelivered ON announcements (number) WHERE delivered = 0;
CREATE TABLE IF NOT EXISTS annotations (
  annotation_id TEXT PRIMARY KEY, ends TEXT, expected INTEGER, value BLOB NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS clearings (
  path BLOB NOT NULL, sha256 TEXT NOT NULL, recording_id TEXT NOT NULL, receipt_sha256 TEXT NOT NULL,
  intended_at INTEGER NOT NULL, cleared_at INTEGER, PRIMARY KEY (path, sha256, recording_id)) WITHOUT ROWID;
"""
_VERSION: Final = "1"


_FULL: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def disk_full(path: str | Path) -> DiskFull:
    """The error that names the disk of the journal at *path*."""
    return DiskFull(
        f"the disk of the journal is full, nothing is taken in until there is room: free some space under "
        f"{Path(path).parent} or move UNBROKEN_STATE ({path})"
    )


class JournalBusy(UnbrokenError):
    """Another process brings this source in. Wait for it or end it; two would mix their counts."""

    retryable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """What tells a file from an earlier state of itself without reading it."""

    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileStamp:
        """The stamp in a stat answer."""
        return cls(size_bytes=found.st_size, mtime_ns=found.st_mtime_ns, inode=found.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file as it was when its bytes were hashed; ``received_at`` is when we first did."""

    path: Path
    stamp: FileStamp
    sha256: Sha256
    received_at: WallMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One message of this connector, to be sent or sent: exactly these bytes."""

    number: int
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A segment to announce; ``message`` writes it down once its number is known."""

    seen: SeenFile
    recording_id: RecordingId
    message: Callable[[int], bytes]


class Journal:
    """What is known of files, announcements and annotations. Thread-safe."""

    def __init__(self, connection: sqlite3.Connection, kind: str) -> None:
        self._connection = connection
        self._mutex = threading.RLock()
        (_, _, self._file) = connection.execute("PRAGMA database_list").fetchone()
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO meta VALUES ('version', ?), ('id', ?)", (_VERSION, secrets.token_hex(4))
            )
        meta = dict(self._connection.execute("SELECT name, value FROM meta"))
        if meta["version"] != _VERSION:
            raise Misconfigured(f"journal of another release: expected version {_VERSION}, found {meta['version']}")
        self.connector: Final = f"{kind}-{meta['id']}"
        """The connector's name in what it announces."""

    # Files.

    def seen(self, path: Path) -> SeenFile | None:
        """What is known of the file at *path*."""
        row = self._one(
            "SELECT size_bytes, mtime_ns, inode, sha256, received_at FROM files WHERE path = ?", (_blob(path),)
        )
        if row is None:
            return None
        stamp = FileStamp(size_bytes=row[0], mtime_ns=row[1], inode=row[2])
        return SeenFile(path=path, stamp=stamp, sha256=Sha256(row[3]), received_at=WallMs(row[4]))

    def see(self, file: SeenFile) -> None:
        """Remember a file and its digest, in place of what was known of its path."""
        with self._transaction():
            self._see(file)

    def _see(self, file: SeenFile) -> None:
        stamp = file.stamp
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (_blob(file.path), stamp.size_bytes, stamp.mtime_ns, stamp.inode, file.sha256, file.received_at),
        )

    def is_announced(self, path: Path, sha256: Sha256, recording: RecordingId) -> bool:
        """Whether these bytes of this file are announced for this recording."""
        return bool(
            self._one(
                "SELECT 1 FROM announcements WHERE path = ? AND sha256 = ? AND recording_id = ?",
                (_blob(path), sha256, recording),
            )
        )

    # Announcements.

    def announce(self, segments: Sequence[New]) -> tuple[bool, ...]:
        """Remember the files, number their segments and keep the messages, all or none, in one durable step for all of
        them; what is announced already gets no second number.

        Returns for each whether its bytes were announced before under any name.
        """
        duplicates = []
        with self._transaction():
            (number,) = self._one("SELECT coalesce(max(number), 0) FROM announcements", ()) or (0,)
            for new in segments:
                file = new.seen
                self._see(file)
                duplicates.append(bool(self._one("SELECT 1 FROM announcements WHERE sha256 = ?", (file.sha256,))))
                if not self.is_announced(file.path, file.sha256, new.recording_id):
                    number += 1
                    self._connection.execute(
                        "INSERT INTO announcements VALUES (?, ?, ?, ?, ?, 0)",
                        (number, _blob(file.path), file.sha256, new.recording_id, new.message(number)),
                    )
        return tuple(duplicates)

    def undelivered(self) -> tuple[Announcement, ...]:
        """What may not be on the broker, in order."""
        rows = self._all("SELECT number, value FROM announcements WHERE delivered = 0 ORDER BY number", ())
        return tuple(Announcement(number=number, value=value) for number, value in rows)

    def delivered(self, sent: Sequence[Announcement]) -> None:
        """These are on the broker."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE announcements SET delivered = 1 WHERE number = ?", [(item.number,) for item in sent]
            )

    def announced(self, recording: RecordingId) -> int:
        """How many segments were announced for a recording."""
        (count,) = self._one("SELECT count(*) FROM announcements WHERE recording_id = ?", (recording,)) or (0,)
        return int(count)

    # Annotations.

    def ended(self, recording: RecordingId) -> int | None:
        """The count that the last written end of a recording promised."""
        row = self._one("SELECT expected FROM annotations WHERE ends = ? ORDER BY expected DESC LIMIT 1", (recording,))
        return None if row is None else int(row[0])

    def say(
        self, annotation_id: str, value: bytes, ends: RecordingId | None = None, expected: int | None = None
    ) -> None:
        """Keep an annotation to be sent; one that was said already is not said again. *ends* and *expected*: the recording
        it ends, and its count."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO annotations VALUES (?, ?, ?, ?, 0)", (annotation_id, ends, expected, value)
            )

    def unsaid(self) -> Mapping[str, bytes]:
        """Annotations that may not be on the broker, in the order they were made."""
        return dict(self._all("SELECT annotation_id, value FROM annotations WHERE delivered = 0 ORDER BY rowid", ()))

    def said(self, annotation_id: str) -> None:
        """It is on the broker."""
        with self._transaction():
            self._connection.execute("UPDATE annotations SET delivered = 1 WHERE annotation_id = ?", (annotation_id,))

    # Clearings.

    def uncleared(self) -> tuple[tuple[Path, Sha256, RecordingId], ...]:
        """What was announced and not cleared since, in order of announcement."""
        rows = self._all(
            "SELECT path, sha256, recording_id FROM announcements AS a WHERE delivered = 1 AND NOT EXISTS ("
            "SELECT 1 FROM clearings AS c WHERE (c.path, c.sha256, c.recording_id) = (a.path, a.sha256, a.recording_id)"
            " AND cleared_at IS NOT NULL) ORDER BY number",
            (),
        )
        return tuple((Path(os.fsdecode(path)), Sha256(sha), RecordingId(name)) for path, sha, name in rows)

    def intend_clearing(
        self, path: Path, sha256: Sha256, recording: RecordingId, receipt_sha256: Sha256, at: WallMs
    ) -> None:
        """Written before the file is removed: these bytes of it go on the word of that receipt."""
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO clearings VALUES (?, ?, ?, ?, ?, NULL)",
                (_blob(path), sha256, recording, receipt_sha256, at),
            )

    def intended_clearings(self) -> tuple[Path, ...]:
        """Files that were to be removed and of which it is not known that they are."""
        return tuple(
            Path(os.fsdecode(path)) for (path,) in self._all("SELECT path FROM clearings WHERE cleared_at IS NULL", ())
        )

    def cleared(self, path: Path, at: WallMs) -> None:
        """The file is gone, as intended."""
        with self._transaction():
            self._connection.execute(
                "UPDATE clearings SET cleared_at = ? WHERE path = ? AND cleared_at IS NULL", (at, _blob(path))
            )

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        with self._mutex:
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row

    def _all(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._mutex:
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; durable when it returns."""
        with self._mutex:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException as exc:
                if self._connection.in_transaction:  # a full disk may have ended it already
                    self._connection.execute("ROLLBACK")
                if isinstance(exc, sqlite3.OperationalError) and exc.sqlite_errorcode in _FULL:
                    raise disk_full(self._file) from exc
                raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a journal holds, read beside the process that may be writing it. ``begun``: files hashed and not announced."""

    source_id: SourceId
    announcements: tuple[Announcement, ...]
    statements: tuple[bytes, ...]
    begun: tuple[str, ...]


def read_journals(folder: Path) -> tuple[Written, ...]:
    """Every journal in *folder*, none of them touched; raises ``Misconfigured`` naming one that cannot be read."""
    return tuple(_read_journal(path) for path in sorted(folder.glob("*.sqlite")))


def _read_journal(path: Path) -> Written:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            version = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
            if version != (_VERSION,):
                raise Misconfigured(
                    f"journal of another release: expected version {_VERSION}, found {version} ({path})"
                )
            numbered = connection.execute("SELECT number, value FROM announcements ORDER BY number").fetchall()
            said = connection.execute("SELECT value FROM annotations ORDER BY rowid").fetchall()
            begun = connection.execute(
                "SELECT path FROM files WHERE sha256 NOT IN (SELECT sha256 FROM announcements) ORDER BY path"
            ).fetchall()
    except sqlite3.Error as exc:
        raise Misconfigured(f"the journal cannot be read: {exc} ({path})") from exc
    return Written(
        source_id=source_id(path.stem),
        announcements=tuple(Announcement(number=number, value=value) for number, value in numbered),
        statements=tuple(value for (value,) in said),
        begun=tuple(os.fsdecode(name) for (name,) in begun),
    )


@contextmanager
def open_journal(folder: Path, source: SourceId, kind: str) -> Iterator[Journal]:
    """The journal of *source* under *folder*, held for this process alone; the lock goes with the process, however it ends.

    Raises :class:`JournalBusy` naming the holder, ``Misconfigured`` when the folder cannot be written or the file is none.
    """
    path = folder / f"{source}.sqlite"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{source}.lock").open("a+")
    except OSError as exc:
        raise Misconfigured(f"the journal cannot be written: {exc.strerror} ({path})") from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise JournalBusy(
                f"another process is bringing this source in, wait for it or end it: process {lock.read().strip()} ({source})"
            ) from exc
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        with ExitStack() as opened:
            yield _opened(opened, path, kind)


def _opened(opened: ExitStack, path: Path, kind: str) -> Journal:
    """The journal at *path*, closed with *opened*, however far it came."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        opened.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error as exc:
        if isinstance(exc, sqlite3.OperationalError) and exc.sqlite_errorcode in _FULL:
            raise disk_full(path) from exc
        raise Misconfigured(
            f"the journal cannot be used: {exc}; put it aside, a new one begins a new count ({path})"
        ) from exc
    return Journal(connection, kind)


def _blob(path: Path) -> bytes:
    """A path as the file system keeps it: names need not be text."""
    return os.fsencode(path)
