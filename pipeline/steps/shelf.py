"""Shelf: what lies in the bucket of records, by source and recording, and the documents of one revision as far as they can
be read. Whatever is wrong with a document is noted and never raised; only a store that does not answer ends the reading."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Protocol

from pipeline.domain import verify
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.breach import is_breach_key
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import LinkAppended, LinkKind
from pipeline.domain.checkpoint import checkpoint_of
from pipeline.domain.commitment import Disclosed
from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.errors import Malformed, ObjectMissing
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, label
from pipeline.domain.keeping import entry_at
from pipeline.domain.keys import published_id
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import MediaFacts
from pipeline.domain.rolling import is_verified_key
from pipeline.domain.seal import seal_key, sealed_at
from pipeline.domain.sla import is_sla_key
from pipeline.domain.source_statement import statement_at
from pipeline.domain.verify import Content, Fault
from pipeline.domain.viewing import is_view_key
from pipeline.domain.worm import is_report_key
from pipeline.ports import Layers, ObjectStat
from pipeline.wire import codec, topics

LIMIT_BYTES: Final = 64 << 20
"""No document is larger; one that claims to be is not read."""
_DOCUMENT: Final = re.compile(
    rf"recordings/([A-Za-z0-9][\w.-]{{0,95}})/([A-Za-z0-9][\w.-]{{0,95}})/r([1-9][0-9]{{0,3}})/"
    rf"(?:{'|'.join(map(re.escape, (*verify.DOCUMENTS, verify.RECEIPT)))})",
    re.ASCII,
)
"""Key of a document of a revision; whatever else lies in the bucket is none of the archive's own."""

_SEALED: Final = ("checkpoints", "deadlines", "keeping", "statements")
"""Folders of records that have a seal each, and in which a source has one of its own."""


class ReadableStore(Protocol):
    """The reading half of :class:`pipeline.ports.ObjectStore`; its obligations hold."""

    def stat(self, bucket: str, key: str, version_id: str | None = None) -> ObjectStat: ...
    def open(self, ref: ObjectRef) -> AbstractContextManager[BinaryIO]: ...
    def read(self, bucket: str, key: str, limit_bytes: int = 64 << 20) -> bytes: ...
    def list(self, bucket: str, prefix: str) -> Iterator[ObjectStat]: ...
    def layers(self, bucket: str, prefix: str) -> Iterator[Layers]: ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """What was listed under *prefix*, and further ``prefixes``. ``recordings``: their revisions, ``checkpoints``: their keys, by source and
    recording; ``keys``: ids of public keys, ``entries``: digests of what registers say, by their place; ``beside``: places of
    all records that should have a seal, with the recording they speak of (empty: none); ``seals``: places whose seals are there; ``reports``: those that are signed in themselves;
    ``extra``: keys of no document."""

    prefix: str
    prefixes: tuple[str, ...]
    recordings: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Sha256] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    seals: set[str] = field(default_factory=set)
    reports: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def shelf_of(store: ReadableStore, bucket: str, source: str | None = None, recording: str | None = None) -> Shelf:
    """What lies in the bucket of records, or of it only what is *source*'s, *recording*'s."""
    sealed = [] if source is None else [f"{folder}/{source}/" for folder in _SEALED]
    first = "" if source is None else f"recordings/{source}/"
    shelf = Shelf(first, (first, *sealed, *map(seal_key, sealed)))
    for listed in (stat for prefix in shelf.prefixes for stat in store.list(bucket, prefix)):
        match = _DOCUMENT.fullmatch(listed.key)
        if match is None:
            _place(shelf, listed.key)
        elif recording in (None, match[2]):
            numbers = shelf.recordings.setdefault(match[1], {}).setdefault(match[2], [])
            if int(match[3]) not in numbers:
                numbers.append(int(match[3]))
    for recordings in shelf.recordings.values():
        for numbers in recordings.values():
            numbers.sort()
    return shelf


def _place(shelf: Shelf, key: str) -> None:
    """Put *key*, which is no document of a revision, where it belongs."""
    if (at := sealed_at(key)) is not None:
        shelf.seals.add(at)
    elif owner := checkpoint_of(key):
        shelf.checkpoints.setdefault(owner[0], {}).setdefault(owner[1], []).append(key)
        shelf.beside[key] = owner[1]
    elif name := published_id(key):
        shelf.keys[key] = name
    elif entry := entry_at(key):
        shelf.entries[key] = entry.digest
        shelf.beside[key] = entry.recording_id
    elif said := statement_at(key):
        shelf.entries[key] = said[1]
        shelf.beside[key] = ""
    elif is_breach_key(key) or is_verified_key(key):
        shelf.beside[key] = key.split("/")[2] if is_breach_key(key) else ""
    elif is_sla_key(key):
        shelf.reports.append(key)
    elif not (is_report_key(key) or is_view_key(key)):
        shelf.extra.append(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of ``chain.jsonl``."""

    kind: LinkKind
    seq: int
    record: str
    hash: Sha256
    facts: MediaFacts | None = None


@dataclass(frozen=True, slots=True)
class Beside:
    """What a recording's manifests hold of its links and no line does: ``accounts`` of the closes, by their order, and
    what is ``disclosed`` of metadata, by number."""

    accounts: dict[int, RecordingEnded] = field(default_factory=dict)
    disclosed: dict[int, Disclosed] = field(default_factory=dict)

    def add(self, number: int, manifest: Mapping[str, Any] | None) -> None:
        """Take note of revision *number*'s manifest. What cannot be read is left out: the chain's check misses it, and the
        manifest's compares it as it stands."""
        if manifest is None:
            return
        with suppress(Malformed):
            self.accounts[number] = codec.load_state(RecordingEnded, manifest.get("account"))
        with suppress(Malformed, AttributeError, KeyError, TypeError, ValueError):
            for said in manifest["statements"]:
                if said["disclosed"] is not None:
                    self.disclosed[int(said["seq"])] = codec.load_state(Disclosed, said["disclosed"])


class Folder:
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
        beside: Beside,
        receipt: RecordingArchived | None,
    ) -> tuple[LinkAppended, ...]:
        """The lines of ``chain.jsonl`` as links, with what manifests hold *beside* them."""
        data = self.bytes_of("chain.jsonl", receipt) or b""
        links, faults = links_in(data, source, recording, beside)
        for fault in faults:
            self._fault("chain.jsonl", fault.expected, fault.found, fault.place)
        return links

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


def links_in(
    data: bytes, source: SourceId, recording: RecordingId, beside: Beside
) -> tuple[tuple[LinkAppended, ...], list[Fault]]:
    """The lines of a ``chain.jsonl`` as links, and what of it is none."""
    lines, links, faults = data.split(b"\n"), list[LinkAppended](), list[Fault]()
    if lines.pop() != b"":
        faults.append(Fault(place="", expected="a last line that ends", found="one cut off or without its end"))
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
                ended=beside.accounts.get(closes) if line.kind == "close" else None,
                disclosed=beside.disclosed.get(line.seq) if line.kind == "metadata" else None,
            )
        except (Malformed, ValueError, RecursionError) as exc:
            faults.append(Fault(place=f"line {number}", expected="a link", found=str(exc)))
        else:
            links.append(link)
    return tuple(links), faults


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
