"""Verify, the reading: an archive is read back, object by object, and the rules of :mod:`pipeline.domain.verify` judge it.

It needs the store or a copy of it, and no broker and no agent. Originals are streamed, a few at a time, whatever their
size; of a recording only its documents are in memory, of a source only what its recordings say about each other, of the
whole archive the names of recordings and, where it is looked at whole, of originals.
An answer the store does not give ends the reading: what could not be asked is not called tampered with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.domain import history, verify
from pipeline.domain.archive import LockedObject, RecordingArchived, signed_message
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import Assembled, Checkpoint, assemble
from pipeline.domain.errors import Malformed, ObjectMissing
from pipeline.domain.history import Past
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.landing import ObjectRef
from pipeline.domain.seal import raw_signature
from pipeline.domain.selection import Selection
from pipeline.domain.verify import Content, Fault, Item, Lock, Revision, Seen
from pipeline.steps.beside import BesideReader
from pipeline.steps.checkpoint import read_checkpoint
from pipeline.steps.digests import Digests
from pipeline.steps.seal import public_key
from pipeline.steps.shelf import Beside, Folder, ReadableStore, Shelf, shelf_of

READ_AT_ONCE: Final = 2
"""Originals read at the same time: one is hashed while the next one comes."""
_BLOCK_BYTES: Final = 1 << 20
_EVERYTHING: Final = Selection()


class Finished(Protocol):
    """Recordings whose answers an earlier run of the same verification has given."""

    def answers(self, source: str, recording: str, revisions: Sequence[int]) -> Sequence[Item] | None:
        """The answers about *recording* with just these *revisions*, or ``None``: look at it now."""
        ...

    def keep(self, source: str, recording: str, revisions: Sequence[int], items: Sequence[Item]) -> None:
        """Take note that these are the answers about *recording*."""
        ...


@dataclass(slots=True, kw_only=True)
class _Run:
    """How far one run is. ``whole``: the originals bucket is compared too, with the places in ``named``;
    ``digests``: of checkpoints that were read."""

    selection: Selection
    checkpoints: Mapping[str, Mapping[str, Sequence[str]]]
    whole: bool
    listed: int
    seen: int = 0
    looked_at: int = 0
    named: set[str] = field(default_factory=set)
    digests: dict[str, Sha256] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """*records*, *originals*: the buckets. *locks*: whether *store* has locks to ask for. *keys*: raw public keys by id, known from
    outside the archive: without any, the archive's own are taken, and what they sign is NOT COVERED;
    *signed*: whether a raw key signed a message with a signature. *on_read* is called with every number of bytes that
    was read, from any thread, and may take its time; *on_recording* with number, count and name of each recording.
    *rebuilt_by*: the software in whose words documents are made anew from the chain; ``None``: they are not.
    *proof*: what differs in the kept copy of an original, ``None`` where there is none."""

    store: ReadableStore
    records: str
    originals: str
    locks: bool
    keys: Mapping[str, bytes]
    signed: Callable[[bytes, bytes, bytes], bool]
    rebuilt_by: str | None = None
    proof: Callable[[ObjectRef], Sequence[Fault] | None] | None = None
    finished: Finished | None = None
    on_read: Callable[[int], None] = lambda _size_bytes: None
    on_recording: Callable[[int, int, str], None] = lambda _number, _of, _name: None

    def items(self, selection: Selection = _EVERYTHING) -> Iterator[Item]:
        """Every answer about what *selection* takes, as it is found; the last one says how much that was. None at all when
        nothing of that name is archived. Raises what the store raises while it does not answer."""
        shelf = shelf_of(self.store, self.records, selection.source, selection.recording)
        whole = selection.takes_bucket(self.originals)
        listed = sum(map(len, shelf.recordings.values()))
        run = _Run(selection=selection, checkpoints=shelf.checkpoints, whole=whole, listed=listed)
        if not run.listed:
            return
        with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="verify") as pool:
            for source in dict.fromkeys([*shelf.recordings, *shelf.checkpoints]):
                yield from self._source(source, shelf.recordings.get(source, {}), run, pool)
        for key, name in shelf.keys.items():
            data = self.store.read(self.records, key)
            self.on_read(len(data))
            yield verify.check_published(self.records, key, name, data, self.keys.keys())
        yield from self._beside(shelf, run)
        yield verify.check_extra(
            f"{self.records}/{shelf.prefix}".rstrip("/"), [f"{self.records}/{key}" for key in shelf.extra]
        )
        if whole:
            stored = (f"{self.originals}/{stat.key}" for stat in self.store.list(self.originals, ""))
            yield verify.check_extra(self.originals, [place for place in stored if place not in run.named])
        else:
            why = "what no recording names is only known when the whole archive is looked at"
            yield verify.not_covered(self.originals, "extra", why)
        yield verify.coverage(selection, run.looked_at, run.listed)

    def _beside(self, shelf: Shelf, run: _Run) -> Iterator[Item]:
        reading = BesideReader(
            store=self.store,
            records=self.records,
            originals=self.originals,
            locks=self.locks,
            keys=self.keys,
            signed=self.signed,
            on_read=self.on_read,
        )
        yield from reading.items(shelf, run.selection, run.digests, whole=run.whole)

    def _source(self, source: str, recordings: Mapping[str, list[int]], run: _Run, pool: Executor) -> Iterator[Item]:
        """The items of the recordings that are looked at, then those of all of them together."""
        pasts: list[Past | None] = []
        unread: list[str] = []
        looked_at = 0
        for name, numbers in recordings.items():
            run.seen += 1
            self.on_recording(run.seen, run.listed, name)
            if not run.selection.takes(name) or not self._is_recent(run.selection, source, name, numbers):
                unread.append(name)
                continue
            looked_at += 1
            known = None if self.finished is None else self.finished.answers(source, name, numbers)
            if known is None:
                pasts.append((yield from self._noted(source, name, numbers, run, pool)))
            else:
                unread.append(name)
                yield from known
        run.looked_at += looked_at
        for name, keys in run.checkpoints.get(source, {}).items():
            if name not in recordings and run.selection.takes(name):
                still_open, items = self._checkpoints(name, keys, (), run)
                yield from items
                pasts.append(history.past(RecordingId(name), still_open.links))
        compared = run.selection.takes_history(source, looked_at)
        if compared or run.whole:
            pasts += [self._past(source, name, recordings[name]) for name in unread]
        if run.whole:
            run.named.update(place for past in pasts if past for place in past.originals)
        if compared:
            yield from history.check_history(SourceId(source), [past for past in pasts if past])
        elif looked_at:
            yield from history.not_compared(source)

    def _is_recent(self, selection: Selection, source: str, name: str, numbers: Sequence[int]) -> bool:
        if selection.since is None:
            return True
        receipts = [self._read(source, name, number).receipt() for number in numbers]
        return selection.is_recent([None if receipt is None else receipt.archived_at for receipt in receipts])

    def _past(self, source: str, name: str, numbers: Sequence[int]) -> Past | None:
        """What a recording's newest chain says about the others, nothing else of it being looked at."""
        read = self._read(source, name, numbers[-1])
        links = read.links(SourceId(source), RecordingId(name), Beside(), read.receipt())
        return history.past(RecordingId(name), links)

    def _read(self, source: str, name: str, number: int) -> Folder:
        return Folder(self.store, self.records, f"recordings/{source}/{name}/r{number}", self.on_read)

    def _noted(
        self, source: str, name: str, numbers: list[int], run: _Run, pool: Executor
    ) -> Generator[Item, None, Past | None]:
        """One recording's items, noted as finished once all were given; the value is its history."""
        items: list[Item] = []
        reading = self._recording(source, name, numbers, run, pool)
        while True:
            try:
                item = next(reading)
            except StopIteration as done:
                if self.finished is not None:
                    self.finished.keep(source, name, numbers, items)
                newest: Revision = done.value
                return history.past(newest.recording_id, newest.links)
            items.append(item)
            yield item

    def _recording(
        self, source: str, name: str, numbers: list[int], run: _Run, pool: Executor
    ) -> Generator[Item, None, Revision]:
        """One recording's items, its revisions in order; the value is the newest."""
        known: dict[ObjectRef, Content | None] = {}
        beside = Beside()
        revisions: list[Revision] = []
        for number in numbers:
            revision = self._revision(SourceId(source), RecordingId(name), number, beside)
            revisions.append(revision)
            yield from verify.check_revision(revision)
            if self.rebuilt_by is not None:
                yield from verify.check_rebuilt(revision, self.rebuilt_by)
            if revision.receipt is None:
                yield from verify.unlisted(revision.about)
            else:
                yield from self._archived(revision, revision.receipt, known, pool)
        yield from verify.check_revisions(name, revisions)
        keys = run.checkpoints.get(source, {}).get(name, ())
        if keys:
            yield from self._checkpoints(name, keys, revisions[-1].links, run)[1]
        return revisions[-1]

    def _checkpoints(
        self, name: str, keys: Sequence[str], archived: Sequence[LinkAppended], run: _Run
    ) -> tuple[Assembled, list[Item]]:
        """A recording's checkpoints beside its newest archived chain (none: empty), and the items about them."""
        found, unreadable = list[Checkpoint](), list[Fault]()
        for key in keys:
            data = self.store.read(self.records, key)
            self.on_read(len(data))
            run.digests[key] = Sha256(hashlib.sha256(data).hexdigest())
            try:
                found.append(read_checkpoint(key, data))
            except Malformed as exc:
                unreadable.append(Fault(place=f"{self.records}/{key}", expected="a checkpoint", found=str(exc)))
        known = assemble(archived, found)
        return known, history.check_checkpoints(name, len(keys), len(archived), known, unreadable)

    def _archived(
        self, revision: Revision, receipt: RecordingArchived, known: dict[ObjectRef, Content | None], pool: Executor
    ) -> Iterator[Item]:
        """Signature, bytes and locks of what *receipt* lists. *known*: originals read for an earlier revision."""
        about = revision.about
        key = public_key(self.store, self.records, self.keys, receipt.key_id)
        genuine = None if key is None else self.signed(key, signed_message(receipt), raw_signature(receipt.signature))
        yield verify.check_signature(about, receipt, self.keys.keys(), genuine)
        unread = [item.object for item in receipt.originals if item.object not in known]
        several = pool.map if len(unread) > 1 else map
        further = verify.further_digests(revision.links)
        sm3 = any(stated.sm3 is not None for several_stated in further.values() for stated in several_stated)
        known.update(zip(unread, several(lambda ref: self._content(ref, sm3), unread), strict=True))
        several = pool.map if self.locks else map
        originals = list(several(lambda item: self._seen(item, known[item.object]), receipt.originals))
        documents = [self._seen(item, revision.contents.get(_name(item))) for item in receipt.records]
        yield from verify.check_contents(about, "documents", documents)
        yield from verify.check_contents(about, "originals", originals, further)
        if self.proof is not None:
            yield from verify.check_derivatives(about, [self.proof(item.object) for item in receipt.originals])
        itself = self._seen(_receipt_lock(revision, receipt), None)
        until = {verify.place(item.object): item.retain_until for item in (*receipt.originals, *receipt.records)}
        until[verify.place(itself.ref)] = min(until.values(), default=receipt.archived_at)
        yield from verify.check_locks(about, [*originals, *documents, itself], until)

    def _content(self, ref: ObjectRef, sm3: bool) -> Content | None:
        """What is computed of an original's bytes; the tree over its chunks only where documents are made anew too, because
        it costs as much again as the digest."""
        tree = self.rebuilt_by is not None
        digests = Digests(tree=tree, sm3=sm3)
        try:
            with self.store.open(ref) as body:
                while block := body.read(_BLOCK_BYTES):
                    digests.update(block)
                    self.on_read(len(block))
        except (ObjectMissing, OSError):  # a scratched disc raises the latter: what cannot be read is not there
            return None
        done = digests.done()
        return Content(
            sha256=done.sha256,
            size_bytes=done.size_bytes,
            sm3=done.sm3,
            chunk_root=done.chunk_root if tree else None,
        )

    def _seen(self, locked: LockedObject, content: Content | None) -> Seen:
        return Seen(ref=locked.object, content=content, lock=self._lock(locked.object) if self.locks else None)

    def _lock(self, ref: ObjectRef) -> Lock:
        """The lock of the version named, and what lies over it for a reader who names none."""
        try:
            named = self.store.stat(ref.bucket, ref.key, ref.version_id or None)
        except ObjectMissing:
            return Lock(mode="none", retain_until=None)
        over = ""
        try:
            newest = self.store.stat(ref.bucket, ref.key)
            if (newest.size_bytes, newest.sha256) != (named.size_bytes, named.sha256):
                over = f"version {newest.version_id} with {newest.size_bytes} bytes of sha256 {newest.sha256}"
        except ObjectMissing:
            over = "a delete marker"
        return Lock(mode=named.lock_mode, retain_until=named.retain_until, over=over)

    def _revision(self, source: SourceId, recording: RecordingId, number: int, beside: Beside) -> Revision:
        """Read one folder. *beside*: what this recording's manifests held so far; this revision's is added."""
        read = self._read(source, recording, number)
        receipt = read.receipt()
        manifest = read.document("manifest.json", receipt)
        timeline = read.document("timeline.json", receipt)
        beside.add(number, manifest)
        links = read.links(source, recording, beside, receipt)
        read.bytes_of("playlist.m3u8", receipt)
        return Revision(
            source_id=source,
            recording_id=recording,
            number=number,
            bucket=self.records,
            links=links,
            manifest=manifest,
            timeline=timeline,
            receipt=receipt,
            receipt_bytes=read.receipt_bytes,
            contents=read.contents,
            unreadable=read.unreadable,
        )


def _name(item: LockedObject) -> str:
    return item.object.key.rpartition("/")[2]


def _receipt_lock(revision: Revision, receipt: RecordingArchived) -> LockedObject:
    """The receipt itself, which no receipt lists; its newest version is the one that was read."""
    content = revision.contents[verify.RECEIPT]
    key = f"{verify.folder(revision)}/{verify.RECEIPT}"
    ref = ObjectRef(
        bucket=revision.bucket, key=key, version_id="", sha256=content.sha256, size_bytes=content.size_bytes
    )
    return LockedObject(object=ref, lock_mode="COMPLIANCE", retain_until=receipt.archived_at)
