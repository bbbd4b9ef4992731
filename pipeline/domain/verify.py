"""Verify: whether an archive's documents, bytes and locks agree with each other, and which side says what.

Nothing is taken over from the stages that wrote the archive but the formulas of docs/evidence-format.md. What was read
is handed in as values; every check answers with items. Rules:

1. PASS means both sides were there and agree. What could not be looked at is NOT COVERED and never PASS.
2. All faults are told, each with both sides and its place; a check without a fault is one PASS.
3. A document that does not have its own shape is a fault of that document; the other checks go on.
4. A revision without a receipt is a fault: it never became an archived one, or its receipt was taken away.
5. What nothing lists is no fault: an original may belong to a recording that is still open. It is told, and NOT COVERED.
6. How much was looked at is an answer like the others.
7. Documents say nothing the chain does not: made anew from it they are the same bytes. Only the software that wrote them
   is held to that; another version may write them otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from pipeline.domain import chain, stitch
from pipeline.domain.archive import LockMode, RecordingArchived, objects_digest, receipt_document
from pipeline.domain.canonical import digest, plain
from pipeline.domain.chain import ChainFault, LinkAppended
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.keys import key_id, public_of
from pipeline.domain.landing import ObjectRef
from pipeline.domain.selection import Selection
from pipeline.domain.stitch import MANIFEST_FORMAT, TIMELINE_FORMAT
from pipeline.domain.time import WallMs, to_rfc3339

Result = Literal["pass", "fail", "not_covered"]
Check = Literal[
    "revisions",
    "checkpoints",
    "chain",
    "manifest",
    "timeline",
    "documents",
    "receipt",
    "signature",
    "originals",
    "locks",
    "history",
    "announcements",
    "rebuilt",
    "derivatives",
    "extra",
    "coverage",
]
DOCUMENTS: Final = ("chain.jsonl", "manifest.json", "playlist.m3u8", "timeline.json")
"""What a receipt lists beside the originals, in the order of their names."""
RECEIPT: Final = "receipt.json"
_SHOWN: Final = 400
"""Characters of a side that are shown."""
_NAMED: Final = 20
"""Objects that nothing lists, named in one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer. ``about``: the revision or the source; ``place``: the object, link or field, empty for the whole check.
    ``expected`` is empty unless the result is ``fail``; ``found`` says what was seen or why it could not be."""

    about: str
    check: Check
    result: Result
    place: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Two sides that differ."""

    place: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Digests and size of bytes that were read; ``None``: not computed."""

    sha256: Sha256
    size_bytes: int
    sm3: Sha256 | None = None
    chunk_root: Sha256 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What the store reports of one object now. ``over``: empty, or what a reader gets instead who names no version."""

    mode: LockMode
    retain_until: WallMs | None
    over: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One object a receipt lists: its place, its bytes (``None``: not there), its lock (``None``: nobody to ask)."""

    ref: ObjectRef
    content: Content | None
    lock: Lock | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What was read of one revision's folder. ``None`` and no links stand for what could not be read; why is in
    ``unreadable``, by document."""

    source_id: SourceId
    recording_id: RecordingId
    number: int
    bucket: str
    links: tuple[LinkAppended, ...] = ()
    manifest: Mapping[str, Any] | None = None
    timeline: Mapping[str, Any] | None = None
    receipt: RecordingArchived | None = None
    receipt_bytes: bytes = b""
    contents: Mapping[str, Content]
    unreadable: Mapping[str, tuple[Fault, ...]]

    @property
    def about(self) -> str:
        return f"{self.recording_id} r{self.number}"


def names(revision: Revision) -> tuple[str, str, int]:
    """What a revision is called wherever it is named: source, recording, number."""
    return revision.source_id, revision.recording_id, revision.number


def answers(about: str, check: Check, faults: Iterable[Fault], passed: str) -> list[Item]:
    """The faults as items, or one PASS that says what agreed."""
    told = [
        Item(about=about, check=check, result="fail", place=fault.place, expected=fault.expected, found=fault.found)
        for fault in faults
    ]
    return told or [Item(about=about, check=check, result="pass", place="", expected="", found=passed)]


def not_covered(about: str, check: Check, why: str) -> Item:
    """A check that could not be made, and why."""
    return Item(about=about, check=check, result="not_covered", place="", expected="", found=why)


def same(place: str, expected: object, found: object) -> Iterator[Fault]:
    """The fault of two sides that are not equal, if they are not."""
    if expected != found:
        yield Fault(place=place, expected=_from_difference(expected, found), found=_from_difference(found, expected))


def _from_difference(side: object, other: object) -> str:
    """*side* as text; of a long one the part in which it begins to differ from *other*."""
    text, differs = (
        str(side),
        next((at for at, (a, b) in enumerate(zip(str(side), str(other), strict=False)) if a != b), 0),
    )
    if len(text) <= _SHOWN:
        return text
    start = max(0, differs - _SHOWN // 4)
    return f"{'... ' if start else ''}{text[start : start + _SHOWN]}{' ...' if start + _SHOWN < len(text) else ''}"


def _all_told(document: str, comparisons: Iterator[Fault]) -> list[Fault]:
    """The faults of *comparisons*; where they end because a field is absent or of another type, that is the last one."""
    faults: list[Fault] = []
    try:
        faults.extend(comparisons)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as exc:
        faults.append(Fault(place=document, expected="what its schema says", found=f"{type(exc).__name__}: {exc}"))
    return faults


# -- one revision --------------------------------------------------------------------------------------------------------


def check_revision(revision: Revision) -> list[Item]:
    """Chain, manifest, timeline and receipt of one revision against each other; objects and signature come apart."""
    links = revision.links
    lines = list(revision.unreadable.get("chain.jsonl", ()))
    lines += map(of_link, chain.verify(links) if links or not lines else ())
    items = answers(revision.about, "chain", lines, f"{len(links)} links")
    items += _document(revision, "manifest", _manifest(revision), "agrees with the chain")
    items += _document(revision, "timeline", _timeline(revision), "agrees with the manifest")
    items += _document(revision, "receipt", _receipt(revision), "agrees with chain, manifest and folder")
    return items


_STEPS: Final = {
    1: "genesis",
    2: "number",
    3: "record",
    4: "hash",
    5: "link before",
    6: "facts, account or metadata",
    7: "totals",
    8: "end of chain",
}
"""The steps of ``chain.verify``, in a word."""


def of_link(fault: ChainFault) -> Fault:
    """A chain's fault with the link as its place."""
    return Fault(place=f"link {fault.seq} ({_STEPS[fault.check]})", expected=fault.expected, found=fault.found)


def _document(revision: Revision, check: Check, comparisons: Iterator[Fault], passed: str) -> list[Item]:
    name = f"{check}.json"
    return answers(revision.about, check, revision.unreadable.get(name) or _all_told(name, comparisons), passed)


def _manifest(revision: Revision) -> Iterator[Fault]:
    manifest, links = revision.manifest or {}, revision.links
    records = [json.loads(link.record) for link in links]
    first, last = links[0], links[-1]
    segments = [(link, record) for link, record in zip(links, records, strict=True) if link.kind in ("segment", "late")]
    closes = [{"seq": link.seq, "hash": link.hash} for link in links if link.kind == "close"]
    said = [
        {"kind": link.kind, "seq": link.seq, "hash": link.hash, "record": record, "disclosed": plain(link.disclosed)}
        for link, record in zip(links, records, strict=True)
        if link.kind in ("explanation", "metadata")
    ]
    yield from same("format", MANIFEST_FORMAT, manifest["format"])
    yield from same("names", names(revision), tuple(manifest[key] for key in ("source_id", "recording_id", "revision")))
    yield from same("device", (first.source_kind, first.unit), (manifest["source_kind"], manifest["unit"]))
    yield from same("account", records[-1].get("account_sha256"), digest(manifest["account"]))
    yield from same("policy_version", manifest["account"]["policy_version"], manifest["policy_version"])
    named = {"genesis": first.hash, "head": last.hash, "close_seq": last.seq, "links": len(links), "closed": True}
    yield from same("chain", named, manifest["chain"])
    yield from same("earlier_closes", closes[:-1], manifest["earlier_closes"])
    stated = {record["content"]["sha256"]: record["content"]["length"] for _, record in segments}
    yield from same("originals", stated, {item["sha256"]: item["size_bytes"] for item in manifest["originals"]})
    yield from same(
        "segments",
        sorted((link.seq, link.hash, record["content"]["sha256"]) for link, record in segments),
        sorted((item["seq"], item["hash"], item["sha256"]) for item in manifest["segments"]),
    )
    yield from same("statements", said, manifest["statements"])
    yield from same(
        "documents",
        sorted(name for name in DOCUMENTS if name != "manifest.json"),
        sorted(item["name"] for item in manifest["documents"]),
    )
    for item in manifest["documents"]:
        content = revision.contents.get(item["name"])
        yield from same(f"documents: {item['name']}", _size(item["size_bytes"], item["sha256"]), _content(content))


def _timeline(revision: Revision) -> Iterator[Fault]:
    timeline, account = revision.timeline or {}, (revision.manifest or {}).get("account", {})
    yield from same("format", TIMELINE_FORMAT, timeline["format"])
    yield from same("names", names(revision)[1:], (timeline["recording_id"], timeline["revision"]))
    for name in ("runs", "gaps", "started_at", "ended_at"):
        yield from same(name, account.get(name), timeline[name])


def _receipt(revision: Revision) -> Iterator[Fault]:
    receipt = revision.receipt
    if receipt is None:
        yield Fault(place=RECEIPT, expected="a receipt", found="none: not archived yet, or taken away")
        return
    yield from same("form", receipt_document(receipt).decode(), revision.receipt_bytes.decode("utf-8", "replace"))
    yield from same("names", names(revision), (receipt.source_id, receipt.recording_id, receipt.revision))
    yield from same("objects_sha256", objects_digest(receipt.originals, receipt.records), receipt.objects_sha256)
    here = [f"{revision.bucket}/{folder(revision)}/{name}" for name in DOCUMENTS]
    yield from same("records", here, [place(item.object) for item in receipt.records])
    for locked in (*receipt.originals, *receipt.records):
        yield from same(f"lock_mode of {place(locked.object)}", "COMPLIANCE", locked.lock_mode)
    if revision.links:
        yield from _receipt_of_chain(receipt, revision.links)
    account = (revision.manifest or {}).get("account")
    if account is not None:
        for name in ("ended_at", "first_received_at"):
            yield from same(name, account[name], plain(getattr(receipt, name)))


def _receipt_of_chain(receipt: RecordingArchived, links: Sequence[LinkAppended]) -> Iterator[Fault]:
    """The close it is of, the device, and every original exactly once, at a place some link states."""
    yield from same("close_hash", links[-1].hash, receipt.close_hash)
    yield from same("device", (links[0].source_kind, links[0].unit), (receipt.source_kind, receipt.unit))
    stated: dict[str, set[tuple[object, ...]]] = {}
    for link in links:
        if link.kind in ("segment", "late"):
            record = json.loads(link.record)
            where = tuple(record["object"][name] for name in ("bucket", "key", "version_id"))
            stated.setdefault(record["content"]["sha256"], set()).add((*where, record["content"]["length"]))
    yield from same("originals", sorted(stated), sorted(item.object.sha256 for item in receipt.originals))
    for item in receipt.originals:
        ref = item.object
        found = (ref.bucket, ref.key, ref.version_id, ref.size_bytes)
        if found not in stated.get(ref.sha256, {found}):
            yield Fault(place=f"originals: {ref.sha256}", expected=str(stated[ref.sha256]), found=str(found))


def check_rebuilt(revision: Revision, software: str) -> list[Item]:
    """The documents as *software* writes them from the chain against those that are there."""
    made_by = (revision.manifest or {}).get("software")
    if made_by != software:
        told = f"written by {str(made_by)[:80]!r}, and this is {software!r}, which may write otherwise"
        return [not_covered(revision.about, "rebuilt", told)]
    if chain.verify(revision.links):
        return [not_covered(revision.about, "rebuilt", "a chain with faults describes nothing")]
    faults = _all_told("chain.jsonl", _rebuilt(revision, software))
    return answers(revision.about, "rebuilt", faults, "made anew from the chain, every document has the same bytes")


def _rebuilt(revision: Revision, software: str) -> Iterator[Fault]:
    for name, data in stitch.documents(revision.links, software):
        made = Content(sha256=Sha256(hashlib.sha256(data).hexdigest()), size_bytes=len(data))
        yield from same(name, _content(made), _content(revision.contents.get(name)))


def folder(revision: Revision) -> str:
    """Where a revision's documents lie in the records bucket."""
    return f"recordings/{revision.source_id}/{revision.recording_id}/r{revision.number}"


def unlisted(about: str) -> Iterator[Item]:
    """What nobody can say of a revision without its receipt."""
    for check in ("signature", "documents", "originals", "locks"):
        yield not_covered(about, check, "no receipt that can be read says what it should be")


def check_signature(about: str, receipt: RecordingArchived, keys: Collection[str], genuine: bool | None) -> Item:
    """*keys*: ids of the public keys that are known from outside the archive. *genuine*: the key the receipt names signed
    :func:`signed_message`; without *keys* that is the key the archive itself holds under this id, ``None`` if it holds none."""
    signed = f"signed by key {receipt.key_id}"
    faults = list(not_signed(receipt.key_id, keys, genuine))
    if not faults and genuine is None:
        return not_covered(about, "signature", f"no public key was given (the receipt names key {receipt.key_id})")
    if not faults and not keys:
        why = f"{signed}, but that key comes from the archive itself: it does not prove whose it is"
        return not_covered(about, "signature", why)
    return answers(about, "signature", faults, signed)[0]


def not_signed(name: str, keys: Collection[str], genuine: bool | None) -> Iterator[Fault]:
    """Why what names the key *name* is not signed by it; the rest as for :func:`check_signature`."""
    if keys and name not in keys:
        yield Fault(place="key_id", expected=f"key {' or '.join(sorted(keys))}", found=f"key {name}")
    elif genuine is False:
        yield Fault(place="signature", expected=f"signed by key {name}", found="not what that key signed")


def check_published(bucket: str, key: str, name: str, data: bytes, keys: Collection[str]) -> Item:
    """The public key the archive holds at *key*, which must be the one called *name*; *keys* as for :func:`check_signature`."""
    about = f"{bucket}/{key}"
    try:
        found = key_id(public_of(data))
    except ValueError as exc:
        return answers(about, "signature", [Fault(place=key, expected=f"public key {name}", found=str(exc))], "")[0]
    faults = same(key, f"public key {name}", f"public key {found}")
    if found == name and keys and name not in keys:
        return not_covered(about, "signature", f"public key {name} is not among those given")
    return answers(about, "signature", faults, f"public key {name}")[0]


# -- objects -------------------------------------------------------------------------------------------------------------


class Further(NamedTuple):
    """What a segment's link states of its original beside SHA-256 and length."""

    sm3: str | None
    chunk_root: str | None


def further_digests(links: Iterable[LinkAppended]) -> dict[str, set[Further]]:
    """What *links* state of each original, by its SHA-256; nothing of a record that cannot be read, which its check tells."""
    stated: dict[str, set[Further]] = {}
    for link in links:
        if link.kind in ("segment", "late"):
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                content = json.loads(link.record)["content"]
                stated.setdefault(content["sha256"], set()).add(Further(content["sm3"], content["chunk_root"]))
    return stated


def check_contents(
    about: str, check: Check, seen: Sequence[Seen], further: Mapping[str, Collection[Further]] = MappingProxyType({})
) -> list[Item]:
    """The bytes of each object a receipt lists against the digest and size it states, and against what is stated
    *further*, as far as that was computed."""
    faults = list[Fault]()
    for item in seen:
        ref, content = item.ref, item.content
        found = None if content is None else (content.size_bytes, content.sha256)
        if content is None or found != (ref.size_bytes, ref.sha256):
            expected = _size(ref.size_bytes, ref.sha256)
            faults.append(Fault(place=place(ref), expected=expected, found=_content(content)))
            continue
        for stated in further.get(ref.sha256, ()):
            for name, value in stated._asdict().items():
                computed = getattr(content, name)
                if value is not None and computed is not None:
                    faults += same(f"{place(ref)} {name}", value, computed)
    size_bytes = sum(item.ref.size_bytes for item in seen)
    return answers(about, check, faults, f"{len(seen)} objects, {size_bytes} bytes read")


def check_derivatives(about: str, proven: Sequence[Sequence[Fault] | None]) -> list[Item]:
    """What of the copies of originals differs, each found anew; ``None`` stands for an original that has no copy."""
    kept = [faults for faults in proven if faults is not None]
    passed = f"{len(kept)} copies have the payload of their originals"
    return answers(about, "derivatives", [fault for faults in kept for fault in faults], passed) if kept else []


def check_locks(about: str, seen: Sequence[Seen], until: Mapping[str, WallMs]) -> list[Item]:
    """Each object's lock as the store reports it against the date *until* that the receipt states, by place."""
    asked = [(item, item.lock) for item in seen if item.lock is not None]
    if not asked:
        return [not_covered(about, "locks", "a copy has no store to ask")]
    faults = list[Fault]()
    for item, lock in asked:
        where = place(item.ref)
        wanted = until[where]
        if lock.mode != "COMPLIANCE" or lock.retain_until is None or lock.retain_until < wanted:
            date = "no date" if lock.retain_until is None else to_rfc3339(lock.retain_until)
            faults.append(
                Fault(place=where, expected=f"COMPLIANCE until {to_rfc3339(wanted)}", found=f"{lock.mode} until {date}")
            )
        if lock.over:
            faults.append(Fault(place=where, expected="no other version over it", found=lock.over))
    return answers(about, "locks", faults, f"{len(asked)} objects in COMPLIANCE until the dates of the receipt")


def place(ref: ObjectRef) -> str:
    """Bucket and key, as messages name an object."""
    return f"{ref.bucket}/{ref.key}"


def _size(size_bytes: object, sha256: object) -> str:
    return f"{size_bytes} bytes of sha256 {sha256}"


def _content(content: Content | None) -> str:
    return "nothing" if content is None else _size(content.size_bytes, content.sha256)


# -- several revisions -------------------------------------------------------------------------------


def check_revisions(about: str, revisions: Sequence[Revision]) -> list[Item]:
    """The revisions of one recording, in order: none is absent, and each chain begins with the whole one before it."""
    numbers = [revision.number for revision in revisions]
    faults = list(same("revisions", list(range(1, max(numbers) + 1)), numbers))
    for before, after in pairwise(revisions):
        kept = [link.hash for link in after.links[: len(before.links)]]
        faults += same(f"r{before.number} in the chain of r{after.number}", [link.hash for link in before.links], kept)
    return answers(about, "revisions", faults, f"{len(numbers)}, each continuing the one before")


# -- the whole archive ---------------------------------------------------------------------------------------------------


def check_extra(bucket: str, places: Sequence[str]) -> Item:
    """Objects at *places* that are no document of a recording and no original that one names."""
    if not places:
        return answers(bucket, "extra", (), "nothing beside what the recordings name")[0]
    return not_covered(bucket, "extra", listed(places, "objects that no recording names"))


def listed(places: Sequence[str], what: str) -> str:
    """How many of *what* there are, and the first of their *places*."""
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return f"{len(places)} {what}: {', '.join(places[:_NAMED])}{more}"


def coverage(selection: Selection, looked_at: int, listed: int) -> Item:
    """How many of the recordings that are there were looked at."""
    told = f"{looked_at} of {listed} recordings"
    narrowed = selection.in_words()
    if narrowed:
        return not_covered("archive", "coverage", f"{told}: {narrowed}")
    return answers("archive", "coverage", (), told)[0]
