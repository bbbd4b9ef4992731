"""Keeping: how long a recording is kept, and whether it may go then, by what was said of it.

What is said stands in the recording's *register*: entries under lock beside the recordings, each at a place made of its own
digest. None is ever changed and their order plays no part, so whoever writes at the same time writes beside, never over.

Rule 1: kept as long as the law-enforcement file it belongs to (article 12). While that is not known, provisionally: from the
last file, and from whatever was said last, for the policy's provisional time. A lock can only be made longer, so nothing is
locked for longer than is known to be right.
Rule 2: the retention class comes when the case is filed, from then on or from the last file, whichever is later. Of several
classes the longest counts; one that the policy does not know adds nothing, and is told.
Rule 3: dates follow from the recording and the entries, so a repeat asks for the same. Only what is kept for ever is renewed
as time goes on: at least half of its class's time always lies ahead.
Rule 4: a hold stands from the entry that sets it until one that names that entry's digest releases it. It has a reason, and
its release a reason and two people. A class that is kept for ever holds by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, cast

from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.archive import LockMode
from pipeline.domain.canonical import canonical, plain
from pipeline.domain.identity import RecordingId, Sha256, SourceId, label, recording_id, sha256, source_id
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs, to_rfc3339

KEEPING_FORMAT: Final = "unbroken.keeping.v1"
CLASS_FIELD: Final = "retention_class"
"""The field of a recording's metadata that names its class (保管期限)."""
MAX_REASON: Final = 2000
_KEY: Final = re.compile(
    r"keeping/([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})/(classified|held|released)-([0-9a-f]{64})\.json",
    re.ASCII,
)

EntryKind = Literal["classified", "held", "released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One statement about how a recording is kept. ``retention_class`` comes with ``classified``; ``hold``, the name of the
    order or case, with the others; ``releases``, the digest of the entry it ends, and ``second``, who agreed, with
    ``released``."""

    source_id: SourceId
    recording_id: RecordingId
    kind: EntryKind
    made_at: WallMs
    made_by: str
    reason: str
    retention_class: str | None = None
    hold: str | None = None
    releases: Sha256 | None = None
    second: str | None = None

    def __post_init__(self) -> None:
        source_id(self.source_id)
        recording_id(self.recording_id)
        label(self.made_by, "maker")
        if not self.reason.strip() or len(self.reason) > MAX_REASON:
            raise ValueError(f"a reason has 1 to {MAX_REASON} characters, found {len(self.reason.strip())}")
        wanted = {
            "classified": {"retention_class"},
            "held": {"hold"},
            "released": {"hold", "releases", "second"},
        }[self.kind]
        names = ("retention_class", "hold", "releases", "second")
        present = {name for name in names if getattr(self, name) is not None}
        if present != wanted:
            raise ValueError(f"an entry that is {self.kind} has {sorted(wanted)}, found {sorted(present) or 'none'}")
        for name in ("retention_class", "hold", "second"):
            if getattr(self, name) is not None:
                label(getattr(self, name), name.replace("_", " "))
        if self.releases is not None:
            sha256(self.releases)
        if self.second is not None and _person(self.second) == _person(self.made_by):
            raise ValueError(f"a release needs two people, found one: {self.second}")


def _person(name: str) -> str:
    return " ".join(name.split()).casefold()


Register = Mapping[Sha256, Entry]
"""A recording's entries by their digest."""


class EntryPlace(NamedTuple):
    """What the key of an entry says of it. The kind is in the key so that holds are listed without reading every class."""

    source_id: SourceId
    recording_id: RecordingId
    kind: EntryKind
    digest: Sha256


class Demand(NamedTuple):
    """How a recording must lie in the store: locked until ``until`` at least, and under legal hold if ``hold``."""

    until: WallMs
    hold: bool


# -- documents -----------------------------------------------------------------------------------------------------------


def entry_document(entry: Entry) -> bytes:
    """The entry as canonical JSON: its fields and ``format``."""
    fields = plain(entry)
    assert isinstance(fields, dict)
    return canonical({"format": KEEPING_FORMAT, **fields})


def entry_digest(entry: Entry) -> Sha256:
    """SHA-256 of the entry's document."""
    return Sha256(hashlib.sha256(entry_document(entry)).hexdigest())


def register_folder(source: str, recording: str) -> str:
    """Prefix of a recording's register in the bucket of records."""
    return f"keeping/{source}/{recording}/"


def entry_key(entry: Entry) -> str:
    """Key of an entry in the bucket of records."""
    return f"{register_folder(entry.source_id, entry.recording_id)}{entry.kind}-{entry_digest(entry)}.json"


def entry_at(key: str) -> EntryPlace | None:
    """What entry lies at *key*; ``None`` for a place that is no entry's."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return EntryPlace(SourceId(match[1]), RecordingId(match[2]), cast(EntryKind, match[3]), Sha256(match[4]))


# -- what was said -------------------------------------------------------------------------------------------------------


def class_of(metadata: Metadata | None) -> str | None:
    """The retention class that *metadata* names, if it does."""
    named = [value.strip() for name, value in (metadata.extra if metadata else ()) if name == CLASS_FIELD]
    return next((value for value in named if value), None)


def classified(annotation: Annotation) -> Entry | None:
    """The entry that follows from *annotation*, always the same, or ``None`` if it names no class. Raises ``ValueError`` for
    a class that cannot be one."""
    named = class_of(annotation.metadata)
    if named is None or annotation.recording_id is None:
        return None
    return Entry(
        source_id=annotation.source_id,
        recording_id=annotation.recording_id,
        kind="classified",
        made_at=annotation.made_at,
        made_by=annotation.made_by,
        reason=f"annotation {annotation.annotation_id}",
        retention_class=named,
    )


def contradicts(entry: Entry, register: Register) -> bool:
    """Whether the statement from which *entry* follows named another class before, under the same id. The first stays: a
    lock that was made longer by mistake cannot be made shorter."""
    return any(
        one.kind == entry.kind == "classified"
        and one.reason == entry.reason
        and one.retention_class != entry.retention_class
        for one in register.values()
    )


# -- what follows --------------------------------------------------------------------------------------------------------


def demanded(received_at: WallMs | None, register: Register, policy: Policy, now: WallMs | None = None) -> Demand:
    """How a recording whose last file came at *received_at* (``None``: not known yet) must be kept. With *now*, what is kept
    for ever is renewed. Raises ``ValueError`` for a recording of which nothing is known at all."""
    last = max([at for at in (received_at, *(entry.made_at for entry in register.values())) if at is not None])
    until = last + policy.provisional_retention_s * 1000
    for entry in register.values():
        known = policy.retention.get(entry.retention_class or "")
        if known is None:
            continue
        begins = max(entry.made_at, received_at or entry.made_at)
        ends = begins + known.keep_s * 1000
        if known.hold and now is not None:
            ends = _renewed(ends, known.keep_s * 1000, now)
        until = max(until, ends)
    return Demand(WallMs(until), is_held(register, policy))


def _renewed(ends: int, keep_ms: int, now: int) -> int:
    """*ends* put off by whole halves of *keep_ms*, until half of it lies ahead."""
    half = max(1, keep_ms // 2)
    return ends + max(0, -(-(now + half - ends) // half)) * half


def is_held(register: Register, policy: Policy) -> bool:
    """Whether the recording must not go when its lock ends."""
    classes = (policy.retention.get(entry.retention_class or "") for entry in register.values())
    return any(known is not None and known.hold for known in classes) or any(standing(register))


def standing(register: Register) -> Iterator[Sha256]:
    """The entries that set a hold which no entry releases, oldest first."""
    released = {entry.releases for entry in register.values()}
    held = [(entry.made_at, digest) for digest, entry in register.items() if entry.kind == "held"]
    return (digest for _, digest in sorted(held) if digest not in released)


def unknown_classes(register: Register, known: Collection[str]) -> tuple[str, ...]:
    """Classes that were stated and are not among those *known*."""
    stated = {entry.retention_class for entry in register.values() if entry.retention_class is not None}
    return tuple(sorted(stated - set(known)))


# -- what differs --------------------------------------------------------------------------------------------------------

ShortfallKind = Literal["retention", "hold", "missing", "unreadable", "unknown_class"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lies:
    """How a version lies in the store, as the store reports it."""

    mode: LockMode
    retain_until: WallMs | None
    legal_hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Less than is demanded of one object. ``about``: the recording, or what else it belongs to; ``place``: bucket, key and
    version."""

    about: str
    kind: ShortfallKind
    place: str
    expected: str
    found: str


def shortfalls(about: str, place: str, demand: Demand, lies: Lies | None) -> Iterator[Shortfall]:
    """What of *demand* an object does not meet; *lies* is ``None`` for one that is not there."""
    until = f"COMPLIANCE until {to_rfc3339(demand.until)}"
    if lies is None:
        yield Shortfall(about=about, kind="missing", place=place, expected=until, found="nothing")
        return
    if lies.mode != "COMPLIANCE" or lies.retain_until is None or lies.retain_until < demand.until:
        date = "no date" if lies.retain_until is None else to_rfc3339(lies.retain_until)
        yield Shortfall(about=about, kind="retention", place=place, expected=until, found=f"{lies.mode} until {date}")
    if demand.hold and not lies.legal_hold:
        yield Shortfall(about=about, kind="hold", place=place, expected="under legal hold", found="not held")
