"""Reconcile: what connectors' journals, the topics and the archive each say was received, held against each other.

Each of the three is a witness, and any of them may be away; nothing is decided from one of them alone. Rules:

1. An announcement is named by connector, source and number, in all three. How far it came is the furthest place it is
   found: announced, landed, linked (in the topics or a checkpoint), archived.
2. What only needs time ``waits``; what stays as it is until somebody acts says what to do; a witness that is away makes
   NOT COVERED of what cannot be said without it, never a guess.
3. A number that others know and its own journal does not means an older journal: it would give the number again, and the
   stages would take a new file for a repeat.
4. Only originals are looked for by name. One that nobody names may be another connector's whose journal is not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from pipeline.domain.chain import LinkAppended
from pipeline.domain.landing import SegmentLanded

Kind = Literal[
    "not_announced",
    "not_stated",
    "upload_broken_off",
    "original_missing",
    "journal_older",
    "in_quarantine",
    "landed",
    "linked",
    "receipt_not_announced",
    "chain_faulty",
    "orphan",
    "uploads_unfinished",
    "not_covered",
]
Level = Literal["act", "waits", "note", "not_covered"]
Witness = Literal["journals", "topics", "archive"]

LEVELS: Final[Mapping[Kind, Level]] = {
    "not_announced": "act",
    "not_stated": "act",
    "upload_broken_off": "act",
    "original_missing": "act",
    "journal_older": "act",
    "in_quarantine": "act",
    "landed": "waits",
    "linked": "waits",
    "receipt_not_announced": "act",
    "chain_faulty": "act",
    "orphan": "note",
    "uploads_unfinished": "note",
    "not_covered": "not_covered",
}
_ANNOUNCE: Final = "unbroken reconcile --announce --write"
DO: Final[Mapping[Kind, str]] = {
    "not_announced": f"send it again: {_ANNOUNCE}",
    "not_stated": f"say it again: {_ANNOUNCE}",
    "upload_broken_off": "bring the file in again: unbroken import or watch goes on where it stopped",
    "original_missing": "keep the device, import its files again, and find out what happened to the store: unbroken verify",
    "journal_older": "end this connector and move its journal away; a new one begins a new count, and imports again",
    "in_quarantine": "look at it: unbroken quarantine list",
    "landed": "probe or continuity has it still before it: unbroken status",
    "linked": "its recording is open or on its way: unbroken recordings",
    "receipt_not_announced": f"say it again, so that its deadline is met: {_ANNOUNCE}",
    "chain_faulty": "nobody goes on from it: unbroken verify says what contradicts what",
    "orphan": "nothing names it: being brought in now, or by a connector whose journal is not here; else import its file",
    "uploads_unfinished": "a running import ends them; unbroken store apply gives up what is older than two days",
    "not_covered": "",
}


class Announced(NamedTuple):
    """Which announcement: contiguous numbers of a connector for a source."""

    connector: str
    source_id: str
    number: int


class Claim(NamedTuple):
    """What it announces: the recording, and the original's key and size in the store."""

    recording_id: str
    key: str
    size_bytes: int


class Statement(NamedTuple):
    """An annotation a connector made."""

    annotation_id: str
    source_id: str
    recording_id: str


class Receipt(NamedTuple):
    """An archived revision."""

    source_id: str
    recording_id: str
    revision: int


def claim_of(landed: SegmentLanded) -> tuple[Announced, Claim]:
    """An announcement's name and what it announces."""
    stored = landed.object
    name = Announced(landed.connector, landed.source_id, landed.announcement)
    return name, Claim(landed.recording_id, stored.key, stored.size_bytes)


def claims_of(links: Iterable[LinkAppended]) -> Iterator[tuple[Announced, Claim]]:
    """The announcements that *links* hold."""
    for link in links:
        if link.kind in ("segment", "late"):
            record = json.loads(link.record)
            name = Announced(record["connector"], link.source_id, record["announcement"])
            yield name, Claim(link.recording_id, record["object"]["key"], record["content"]["length"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Journals:
    """What the connectors of this machine wrote down. ``connectors``: whose journals were read, with their sources;
    ``begun``: files hashed and not announced, by source and name."""

    connectors: frozenset[tuple[str, str]] = frozenset()
    claims: Mapping[Announced, Claim] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    begun: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """What the topics hold. ``quarantined`` waits for a decision, ``discarded`` has it. ``statements``: annotation ids.
    ``whole``: statements and receipts are there from the first on; else older ones are gone, and none of them is missed."""

    landed: Mapping[Announced, Claim] = field(default_factory=dict)
    linked: Mapping[Announced, Claim] = field(default_factory=dict)
    quarantined: frozenset[Announced] = frozenset()
    discarded: frozenset[Announced] = frozenset()
    statements: frozenset[str] = frozenset()
    receipts: frozenset[Receipt] = frozenset()
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What the store holds. ``archived`` and ``begun``: announcements in archived chains, and those only in checkpoints;
    ``originals``: key and size of every object; ``faulty``: recordings whose chain contradicts itself."""

    archived: Mapping[Announced, Claim] = field(default_factory=dict)
    begun: Mapping[Announced, Claim] = field(default_factory=dict)
    receipts: frozenset[Receipt] = frozenset()
    originals: Mapping[str, int] = field(default_factory=dict)
    faulty: Mapping[str, str] = field(default_factory=dict)
    uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing the witnesses do not agree on, or that needs time. ``numbers``: of its announcements, as ranges."""

    kind: Kind
    source_id: str = ""
    recording_id: str = ""
    connector: str = ""
    numbers: str = ""
    found: str = ""

    @property
    def level(self) -> Level:
        return LEVELS[self.kind]

    @property
    def do(self) -> str:
        return DO[self.kind]


def reconcile(journals: Journals | None, topics: Topics | None, archive: Archive | None) -> tuple[Item, ...]:
    """Everything the witnesses that could be heard (``None``: away) do not agree on, what needs action first."""
    order: tuple[Level, ...] = ("act", "waits", "note", "not_covered")
    found = [*_not_covered(journals, topics, archive)]
    if archive is not None:
        found += _originals_missing(_claims(journals, topics), archive)
        found += [Item(kind="chain_faulty", recording_id=name, found=why) for name, why in archive.faulty.items()]
        if archive.uploads:
            found.append(Item(kind="uploads_unfinished", found=f"{archive.uploads} in the bucket of originals"))
    if journals is not None:
        found += _older(journals, topics, archive)
        found += [Item(kind="upload_broken_off", source_id=source, found=name) for source, name in journals.begun]
    if topics is not None and archive is not None:
        found += _under_way(topics, archive)
        found += _receipts(topics, archive)
    if journals is not None and topics is not None and archive is not None:
        found += _grouped("not_announced", missing_segments(journals, topics, archive))
        found += [
            Item(kind="not_stated", source_id=said.source_id, recording_id=said.recording_id, found=said.annotation_id)
            for said in missing_statements(journals, topics, archive)
        ]
        found += _orphans(journals, topics, archive)
    return tuple(sorted(found, key=lambda item: order.index(item.level)))


def missing_segments(journals: Journals, topics: Topics, archive: Archive) -> dict[Announced, Claim]:
    """What a journal announced and neither the topics nor the archive have ever seen."""
    known = {*topics.landed, *topics.linked, *archive.begun, *archive.archived}
    return {one: claim for one, claim in sorted(journals.claims.items()) if one not in known}


def missing_statements(journals: Journals, topics: Topics, archive: Archive) -> tuple[Statement, ...]:
    """What a connector said and the topics do not hold; of archived recordings only while the topics reach back to the
    first statement of all."""
    archived = {receipt.recording_id for receipt in archive.receipts}
    return tuple(
        said
        for said in journals.statements
        if said.annotation_id not in topics.statements and (topics.whole or said.recording_id not in archived)
    )


def missing_receipts(topics: Topics, archive: Archive) -> tuple[Receipt, ...]:
    """Receipts in the archive that the topics do not hold, while these reach back to the first of all."""
    return tuple(sorted(archive.receipts - topics.receipts)) if topics.whole else ()


def _not_covered(journals: Journals | None, topics: Topics | None, archive: Archive | None) -> Iterator[Item]:
    sides: Mapping[Witness, object] = {"journals": journals, "topics": topics, "archive": archive}
    away = [name for name, side in sides.items() if side is None]
    needs: tuple[tuple[str, tuple[Witness, ...]], ...] = (
        ("whether every announced original is in the store", ("archive",)),
        ("whether a journal is older than what it announced", ("journals",)),
        ("how far what landed has come, and receipts", ("topics", "archive")),
        ("what was received and never announced, and originals nobody names", ("journals", "topics", "archive")),
    )
    for what, wanted in needs:
        missing = [name for name in wanted if name in away]
        if missing:
            yield Item(kind="not_covered", found=f"{what}: without {' and '.join(missing)} nobody can say")


def _claims(journals: Journals | None, topics: Topics | None) -> dict[Announced, Claim]:
    return {**(topics.landed if topics else {}), **(journals.claims if journals else {})}


def _originals_missing(claims: Mapping[Announced, Claim], archive: Archive) -> Iterator[Item]:
    lost = {one: claim for one, claim in claims.items() if archive.originals.get(claim.key) != claim.size_bytes}
    return _grouped("original_missing", lost)


def _older(journals: Journals, topics: Topics | None, archive: Archive | None) -> Iterator[Item]:
    known: dict[Announced, Claim] = {}
    for side in (
        archive and archive.archived,
        archive and archive.begun,
        topics and topics.landed,
        topics and topics.linked,
    ):
        known |= side or {}
    unknown = {
        one: claim
        for one, claim in known.items()
        if (one.connector, one.source_id) in journals.connectors and one not in journals.claims
    }
    return _grouped("journal_older", unknown)


def _under_way(topics: Topics, archive: Archive) -> Iterator[Item]:
    """Landed and not archived: in quarantine, before it is linked, or linked."""
    linked = {**topics.linked, **archive.begun}
    open_ = {one: claim for one, claim in linked.items() if one not in archive.archived}
    before = {
        one: claim
        for one, claim in topics.landed.items()
        if one not in linked and one not in archive.archived and one not in topics.discarded
    }
    stuck = {one: claim for one, claim in before.items() if one in topics.quarantined}
    yield from _grouped("in_quarantine", stuck)
    yield from _grouped("landed", {one: claim for one, claim in before.items() if one not in stuck})
    yield from _grouped("linked", open_)


def _receipts(topics: Topics, archive: Archive) -> Iterator[Item]:
    for one in missing_receipts(topics, archive):
        yield Item(
            kind="receipt_not_announced",
            source_id=one.source_id,
            recording_id=one.recording_id,
            found=f"revision {one.revision}",
        )


def _orphans(journals: Journals, topics: Topics, archive: Archive) -> Iterator[Item]:
    sides = (journals.claims, topics.landed, topics.linked, archive.begun, archive.archived)
    named = {claim.key for side in sides for claim in side.values()}
    for key in archive.originals:
        if key not in named:
            yield Item(kind="orphan", found=key)


def _grouped(kind: Kind, claims: Mapping[Announced, Claim]) -> Iterator[Item]:
    """One item for each recording of each connector."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for one, claim in sorted(claims.items()):
        groups.setdefault((one.source_id, claim.recording_id, one.connector), []).append(one.number)
    for (source, recording, connector), numbers in sorted(groups.items()):
        yield Item(
            kind=kind,
            source_id=source,
            recording_id=recording,
            connector=connector,
            numbers=ranges(numbers),
            found=f"{len(numbers)} announcements",
        )


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as ``1-3, 7``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
