"""Verify, the reading: an archive is read back, object by object, and the rules of :mod:`pipeline.domain.verify` judge it.

It needs the store or a copy of it, and no broker and no agent. Originals are streamed, a few at a time, whatever their
size; of a recording only its documents are in memory, of a source only what its recordings say about each other, of the
whole archive the names of recordings and, where it is looked at whole, of originals.
An answer the store does not give ends the reading: what could not be asked is not called tampered with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Protocol

from pipeline.domain import verify
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import LinkAppended, LinkKind
from pipeline.domain.checkpoint import Assembled, Checkpoint, assemble, checkpoint_folder, checkpoint_of
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.errors import Malformed, ObjectMissing
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, label
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import MediaFacts
from pipeline.domain.selection import Selection
from pipeline.domain.verify import Content, Fault, Item, Lock, Past, Revision, Seen
from pipeline.domain.viewing import is_view_key
from pipeline.domain.worm import is_report_key
from pipeline.ports import ObjectStat
from pipeline.steps.checkpoint import read_checkpoint
from pipeline.wire import codec, topics

READ_AT_ONCE: Final = 2
"""Originals read at the same time: one is hashed while the next one comes."""
_BLOCK_BYTES: Final = 1 << 20
LIMIT_BYTES: Final = 64 << 20
"""No document is larger; one that claims to be is not read."""
_DOCUMENT: Final = re.compile(
    rf"recordings/([A-Za-z0-9][\w.-]{{0,95}})/([A-Za-z0-9][\w.-]{{0,95}})/r([1-9][0-9]{{0,3}})/"
    rf"(?:{'|'.join(map(re.escape, (*verify.DOCUMENTS, verify.RECEIPT)))})",
    re.ASCII,
)
"""Key of a document of a revision; whatever else lies in the bucket is none of the archive's own."""
_EVERYTHING: Final = Selection()


class ReadableStore(Protocol):
    """The reading half of :class:`pipeline.ports.ObjectStore`; its obligations hold."""

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat: ...
    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]: ...
    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes: ...
    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]: ...


class Finished(Protocol):
    """Recordings whose answers an earlier run of the same verification has given."""

    def answers(self, source: str, recording: str, revisions: Sequence[int]) -> Sequence[Item] | None:
        """The answers about *recording* with just these *revisions*, or ``None``: look at it now."""
        ...

    def keep(self, source: str, recording: str, revisions: Sequence[int], items: Sequence[Item]) -> None:
        """Take note that these are the answers about *recording*."""
        ...


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What was listed under *prefix*. ``recordings``: their revisions, ``checkpoints``: their keys, by source and
    recording; ``extra``: keys of no document."""

    prefix: str
    recordings: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Run:
    """How far one run is. ``whole``: the originals bucket is compared too, with the places in ``named``."""

    selection: Selection
    checkpoints: Mapping[str, Mapping[str, Sequence[str]]]
    whole: bool
    listed: int
    seen: int = 0
    looked_at: int = 0
    named: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """*records*, *originals*: the buckets. *locks*: whether *store* has locks to ask for. *keys*: raw public keys by id;
    *signed*: whether a raw key signed a message with a signature. *on_read* is called with every number of bytes that
    was read, from any thread, and may take its time; *on_recording* with number, count and name of each recording.
    *rebuilt_by*: the software in whose words documents are made anew from the chain; ``None``: they are not."""

    store: ReadableStore
    records: str
    originals: str
    locks: bool
    keys: Mapping[str, bytes]
    signed: Callable[[bytes, bytes, bytes], bool]
    rebuilt_by: str | None = None
    finished: Finished | None = None
    on_read: Callable[[int], None] = lambda _size_bytes: None
    on_recording: Callable[[int, int, str], None] = lambda _number, _of, _name: None

    def items(self, selection: Selection = _EVERYTHING) -> Iterator[Item]:
        """Every answer about what *selection* takes, as it is found; the last one says how much that was. None at all when
        nothing of that name is archived. Raises what the store raises while it does not answer."""
        shelf = self._shelf(selection)
        whole = selection.takes_bucket(self.originals)
        listed = sum(map(len, shelf.recordings.values()))
        run = _Run(selection=selection, checkpoints=shelf.checkpoints, whole=whole, listed=listed)
        if not run.listed:
            return
        with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="verify") as pool:
            for source in dict.fromkeys([*shelf.recordings, *shelf.checkpoints]):
                yield from self._source(source, shelf.recordings.get(source, {}), run, pool)
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
                still_open, items = self._checkpoints(name, keys, ())
                yield from items
                pasts.append(verify.past(RecordingId(name), still_open.links))
        history = run.selection.takes_history(source, looked_at)
        if history or run.whole:
            pasts += [self._past(source, name, recordings[name]) for name in unread]
        if run.whole:
            run.named.update(place for past in pasts if past for place in past.originals)
        if history:
            yield from verify.check_history(SourceId(source), [past for past in pasts if past])
        elif looked_at:
            yield from verify.not_compared(source)

    def _shelf(self, selection: Selection) -> _Shelf:
        source = selection.source
        shelf = _Shelf("" if source is None else f"recordings/{source}/")
        prefixes = [shelf.prefix] if source is None else [shelf.prefix, checkpoint_folder(SourceId(source))]
        for listed in (stat for prefix in prefixes for stat in self.store.list(self.records, prefix)):
            match = _DOCUMENT.fullmatch(listed.key)
            if match is None:
                owner = checkpoint_of(listed.key)
                if owner is not None:
                    shelf.checkpoints.setdefault(owner[0], {}).setdefault(owner[1], []).append(listed.key)
                elif not (is_report_key(listed.key) or is_view_key(listed.key)):
                    shelf.extra.append(listed.key)
            elif selection.recording in (None, match[2]):
                numbers = shelf.recordings.setdefault(match[1], {}).setdefault(match[2], [])
                if int(match[3]) not in numbers:
                    numbers.append(int(match[3]))
        for recordings in shelf.recordings.values():
            for numbers in recordings.values():
                numbers.sort()
        return shelf

    def _is_recent(self, selection: Selection, source: str, name: str, numbers: Sequence[int]) -> bool:
        if selection.since is None:
            return True
        receipts = [self._read(source, name, number).receipt() for number in numbers]
        return selection.is_recent([None if receipt is None else receipt.archived_at for receipt in receipts])

    def _past(self, source: str, name: str, numbers: Sequence[int]) -> Past | None:
        """What a recording's newest chain says about the others, nothing else of it being looked at."""
        read = self._read(source, name, numbers[-1])
        links = read.links(SourceId(source), RecordingId(name), {}, read.receipt())
        return verify.past(RecordingId(name), links)

    def _read(self, source: str, name: str, number: int) -> _Read:
        return _Read(self.store, self.records, f"recordings/{source}/{name}/r{number}", self.on_read)

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
                return verify.past(newest.recording_id, newest.links)
            items.append(item)
            yield item

    def _recording(
        self, source: str, name: str, numbers: list[int], run: _Run, pool: Executor
    ) -> Generator[Item, None, Revision]:
        """One recording's items, its revisions in order; the value is the newest."""
        known: dict[ObjectRef, Content | None] = {}
        accounts: dict[int, RecordingEnded] = {}
        revisions: list[Revision] = []
        for number in numbers:
            revision = self._revision(SourceId(source), RecordingId(name), number, accounts)
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
            yield from self._checkpoints(name, keys, revisions[-1].links)[1]
        return revisions[-1]

    def _checkpoints(
        self, name: str, keys: Sequence[str], archived: Sequence[LinkAppended]
    ) -> tuple[Assembled, list[Item]]:
        """A recording's checkpoints beside its newest archived chain (none: empty), and the items about them."""
        found, unreadable = list[Checkpoint](), list[Fault]()
        for key in keys:
            data = self.store.read(self.records, key)
            self.on_read(len(data))
            try:
                found.append(read_checkpoint(key, data))
            except Malformed as exc:
                unreadable.append(Fault(place=f"{self.records}/{key}", expected="a checkpoint", found=str(exc)))
        known = assemble(archived, found)
        return known, verify.check_checkpoints(name, len(keys), len(archived), known, unreadable)

    def _archived(
        self, revision: Revision, receipt: RecordingArchived, known: dict[ObjectRef, Content | None], pool: Executor
    ) -> Iterator[Item]:
        """Signature, bytes and locks of what *receipt* lists. *known*: originals read for an earlier revision."""
        about, key = revision.about, self.keys.get(receipt.key_id)
        genuine = key is not None and self.signed(key, verify.signed_message(receipt), _raw(receipt.signature))
        yield verify.check_signature(about, receipt, self.keys.keys(), genuine)
        unread = [item.object for item in receipt.originals if item.object not in known]
        several = pool.map if len(unread) > 1 else map
        known.update(zip(unread, several(self._content, unread), strict=True))
        several = pool.map if self.locks else map
        originals = list(several(lambda item: self._seen(item, known[item.object]), receipt.originals))
        documents = [self._seen(item, revision.contents.get(_name(item))) for item in receipt.records]
        yield from verify.check_contents(about, "documents", documents)
        yield from verify.check_contents(about, "originals", originals)
        itself = self._seen(_receipt_lock(revision, receipt), None)
        until = {verify.place(item.object): item.retain_until for item in (*receipt.originals, *receipt.records)}
        until[verify.place(itself.ref)] = min(until.values(), default=receipt.archived_at)
        yield from verify.check_locks(about, [*originals, *documents, itself], until)

    def _content(self, ref: ObjectRef) -> Content | None:
        try:
            with self.store.open(ref) as body:
                digest, size_bytes = hashlib.sha256(), 0
                while block := body.read(_BLOCK_BYTES):
                    digest.update(block)
                    size_bytes += len(block)
                    self.on_read(len(block))
        except (ObjectMissing, OSError):  # a scratched disc raises the latter: what cannot be read is not there
            return None
        return Content(sha256=Sha256(digest.hexdigest()), size_bytes=size_bytes)

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

    def _revision(
        self, source: SourceId, recording: RecordingId, number: int, accounts: dict[int, RecordingEnded]
    ) -> Revision:
        """Read one folder. *accounts*: of the closes of this recording so far; this revision's is added."""
        read = self._read(source, recording, number)
        receipt = read.receipt()
        manifest = read.document("manifest.json", receipt)
        timeline = read.document("timeline.json", receipt)
        if manifest is not None:
            with suppress(Malformed):  # the account's digest is compared as it stands, whatever it holds
                accounts[number] = codec.load_state(RecordingEnded, manifest.get("account"))
        links = read.links(source, recording, accounts, receipt)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of ``chain.jsonl``."""

    kind: LinkKind
    seq: int
    record: str
    hash: Sha256
    facts: MediaFacts | None = None


class _Read:
    """The documents of one folder as far as they can be read; why not is in ``unreadable``."""

    def __init__(self, store: ReadableStore, bucket: str, folder: str, on_read: Callable[[int], None]) -> None:
        self._store, self._bucket, self._folder, self._on_read = store, bucket, folder, on_read
        self.receipt_bytes = b""
        self.contents: dict[str, Content] = {}
        self.unreadable: dict[str, tuple[Fault, ...]] = {}

    def receipt(self) -> RecordingArchived | None:
        data = self.bytes_of(verify.RECEIPT, None)
        if data is None:
            return None
        self.receipt_bytes = data
        try:
            receipt: RecordingArchived = codec.decode(topics.ARCHIVED.name, data)
            return receipt
        except Malformed as exc:
            self._fault(verify.RECEIPT, "a receipt", str(exc))
            return None

    def document(self, name: str, receipt: RecordingArchived | None) -> Mapping[str, Any] | None:
        data = self.bytes_of(name, receipt)
        if data is None:
            return None
        try:
            value = _canonical(data)
        except (ValueError, RecursionError) as exc:
            self._fault(name, "canonical JSON", str(exc))
            return None
        if not isinstance(value, dict):
            self._fault(name, "a JSON object", type(value).__name__)
            return None
        return value

    def links(
        self,
        source: SourceId,
        recording: RecordingId,
        accounts: Mapping[int, RecordingEnded],
        receipt: RecordingArchived | None,
    ) -> tuple[LinkAppended, ...]:
        """The lines of ``chain.jsonl`` as links; *accounts* go with the closes, by their order."""
        lines = (self.bytes_of("chain.jsonl", receipt) or b"").split(b"\n")
        if lines.pop() != b"":
            self._fault("chain.jsonl", "a last line that ends", "one cut off or without its end")
        links: list[LinkAppended] = []
        device: tuple[SourceKind, str] | None = None
        closes = 0
        for number, text in enumerate(lines, start=1):
            try:
                line = codec.load_state(_Line, _canonical(text))
                device = device or _device(line.record)
                closes += line.kind == "close"
                link = LinkAppended(
                    source_id=source,
                    source_kind=device[0],
                    unit=device[1],
                    recording_id=recording,
                    seq=line.seq,
                    kind=line.kind,
                    record=line.record,
                    hash=line.hash,
                    facts=line.facts,
                    ended=accounts.get(closes) if line.kind == "close" else None,
                )
            except (Malformed, ValueError, RecursionError) as exc:
                self._fault("chain.jsonl", "a link", str(exc), f"line {number}")
            else:
                links.append(link)
        return tuple(links)

    def bytes_of(self, name: str, receipt: RecordingArchived | None) -> bytes | None:
        """A document's bytes, of the version *receipt* names if it does; digest and size are noted."""
        key = f"{self._folder}/{name}"
        listed = receipt.records if receipt else ()
        ref = next(
            (item.object for item in listed if (item.object.bucket, item.object.key) == (self._bucket, key)), None
        )
        try:
            if ref is None:
                data = self._store.read(self._bucket, key)
            else:
                with self._store.open(ref) as body:
                    data = body.read(LIMIT_BYTES + 1)
        except (ObjectMissing, OSError) as exc:
            self._fault(name, "a document", f"none: {exc}")
            return None
        if len(data) > LIMIT_BYTES:
            self._fault(name, f"at most {LIMIT_BYTES} bytes", "more")
            return None
        self._on_read(len(data))
        self.contents[name] = Content(sha256=Sha256(hashlib.sha256(data).hexdigest()), size_bytes=len(data))
        return data

    def _fault(self, name: str, expected: str, found: str, place: str = "") -> None:
        fault = Fault(place=place or name, expected=expected, found=found)
        self.unreadable[name] = (*self.unreadable.get(name, ()), fault)


def _canonical(data: bytes) -> Any:
    """The value of canonical JSON; raises ``ValueError`` for any other spelling of it, and for what has no canonical one."""
    value = json.loads(data)
    if canonical(value) != data:
        raise ValueError("not spelt canonically")
    return value


def _device(record: str) -> tuple[SourceKind, str]:
    """Kind and unit as the genesis states them; what is no genesis has none, and its check says so."""
    try:
        genesis = json.loads(record)
        return genesis["source_kind"], label(genesis["unit"], "unit")
    except (ValueError, KeyError, TypeError, RecursionError):
        return "cctv", "unknown"


def _raw(signature: str) -> bytes:
    """The signature's bytes; none for what is no base64, which no key signed."""
    try:
        return base64.b64decode(signature, validate=True)
    except ValueError:
        return b""


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
