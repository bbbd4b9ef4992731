"""Keeping, the doing: a recording's register is read and added to, and everything of the recording is brought to lie in the
store as the register demands.

An entry stands before anything is done because of it, and what is archived later asks the register after its own last
document stands. So of two that meet, at least one sees the other. All of it may be repeated: a lock that is long enough and
a hold that is there are left alone, and nothing here ever shortens a lock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.errors import Malformed, NotLocked, StatementDiffers
from pipeline.domain.identity import RecordingId, Sha256, SourceId
from pipeline.domain.keeping import (
    Demand,
    Entry,
    EntryKind,
    Register,
    classified,
    contradicts,
    demanded,
    entry_at,
    entry_document,
    entry_key,
    is_held,
    register_folder,
)
from pipeline.domain.keys import published_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.policy import Policy
from pipeline.domain.seal import seal_key
from pipeline.domain.source_statement import KEPT, statement_document, statement_key
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339
from pipeline.ports import Clock, ObjectStat, ObjectStore, StoreTrust
from pipeline.steps.seal import Sealer, Seals
from pipeline.wire import codec, topics

AT_ONCE: Final = 8
"""Objects asked for at the same time."""
AHEAD_MS: Final = 24 * 3600 * 1000
"""A statement may be dated so far ahead of our clock; a later one would lock for longer than anybody meant."""


class Place(NamedTuple):
    """One version of one object. ``version_id`` is empty for the newest."""

    bucket: str
    key: str
    version_id: str


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """*records* is the bucket of records; *seals* says whose entries are believed; *sealer* seals what is added, ``None``
    where the key is not. Blocking."""

    store: ObjectStore
    policy: Policy
    records: str
    seals: Seals
    sealer: Sealer | None = None

    # The register.

    def register(self, source: SourceId, recording: RecordingId) -> Register:
        """The recording's entries; a release that is not sealed is none, for whoever can write to the store could say one.
        Raises :class:`Malformed` naming an object that is no entry, and what the store raises."""
        found: dict[Sha256, Entry] = {}
        for listed in self.store.list(self.records, register_folder(source, recording)):
            place = entry_at(listed.key)
            if place is not None:
                data = self.store.read(self.records, listed.key)
                entry = read_entry(listed.key, data)
                if entry.kind != "released" or self.seals.believed(listed.key, data):
                    found[place.digest] = entry
        return found

    def registered(self, *kinds: EntryKind) -> Iterator[tuple[SourceId, RecordingId]]:
        """Every recording with an entry of one of *kinds* (none given: of any), in order of the names."""
        last = None
        for listed in self.store.list(self.records, "keeping/"):
            place = entry_at(listed.key)
            about = None if place is None or (kinds and place.kind not in kinds) else place[:2]
            if about is not None and about != last:
                last = about
                yield about

    def keep(self, said: Annotation, now: WallMs) -> None:
        """Put a statement about a source beside the others of it, under lock; one that is there already stays as it is."""
        until = WallMs(min(said.made_at, now + AHEAD_MS) + self.policy.provisional_retention_s * 1000)
        self._put("a statement", statement_key(said), statement_document(said), until)

    def add(self, entry: Entry) -> None:
        """Put *entry* into its register, under lock; one that is there already stays as it is."""
        until = WallMs(entry.made_at + self.policy.provisional_retention_s * 1000)
        self._put("an entry of a register", entry_key(entry), entry_document(entry), until)

    def _put(self, what: str, key: str, data: bytes, until: WallMs) -> None:
        if self.sealer is None:
            digest = Sha256(hashlib.sha256(data).hexdigest())
            self.store.put_bytes(self.records, key, data, digest, retain_until=until)
        else:
            self.sealer.put(what, key, data, until)

    # What lies in the store.

    def settle(
        self, source: SourceId, recording: RecordingId, received_at: WallMs | None = None, now: WallMs | None = None
    ) -> tuple[Demand, int]:
        """Bring everything of the recording to lie as its register demands; returns the demand and how many objects were
        changed. *received_at*: when the last file came, if the caller knows; *now* renews what is kept for ever.

        Raises :class:`NotLocked` for what the store does not report so afterwards, and what the store raises."""
        register, receipts = self.register(source, recording), self.receipts(source, recording)
        if received_at is None and receipts:
            received_at = self.received_at(source, recording, max(receipts))
        demand = demanded(received_at, register, self.policy, now)
        places = list(self.places(source, recording, receipts.values(), every=demand.hold))
        keys = [Place(self.records, published_key(name), "") for name in {one.key_id for one in receipts.values()}]
        changed = self.bring(places, demand) + self.bring(keys, demand._replace(hold=False))
        return demand, changed

    def free(self, source: SourceId, recording: RecordingId) -> tuple[bool, int]:
        """Take the legal hold off what no register demands it for any more; returns whether the recording is still held, and
        off how many versions it was taken. An original that another held recording uses stays held.

        Raises :class:`NotLocked` and what the store raises."""
        demand, _ = self.settle(source, recording)
        if demand.hold:
            return True, 0
        receipts = self.receipts(source, recording).values()
        shared = self._held_by_others(source, recording, {item.object for one in receipts for item in one.originals})
        places = [
            place
            for place in self.places(source, recording, receipts, every=True)
            if (place.bucket, place.key) not in shared
        ]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keeping") as pool:
            return False, sum(pool.map(self._free_one, places))

    def _held_by_others(
        self, source: SourceId, recording: RecordingId, originals: set[ObjectRef]
    ) -> set[tuple[str, str]]:
        """Bucket and key of those of *originals* that other recordings under hold use."""
        mine = {(ref.bucket, ref.key) for ref in originals}
        found: set[tuple[str, str]] = set()
        others = [one for one in self.registered("classified", "held") if one != (source, recording)]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keeping") as pool:
            held = pool.map(lambda other: is_held(self.register(*other), self.policy), others)
            for other in (other for other, is_so in zip(others, held, strict=True) if is_so):
                listed = (item.object for one in self.receipts(*other).values() for item in one.originals)
                found |= mine & {(ref.bucket, ref.key) for ref in listed}
        return found

    def _free_one(self, place: Place) -> bool:
        """Whether the version was held."""
        found = self.store.stat(place.bucket, place.key, place.version_id or None)
        if not found.legal_hold:
            return False
        self.store.set_hold(place.bucket, place.key, found.version_id, False)
        return True

    def receipts(self, source: SourceId, recording: RecordingId) -> dict[int, RecordingArchived]:
        """The receipts of the recording by revision; raises :class:`Malformed` for one that is none."""
        folder = f"recordings/{source}/{recording}/r"
        found = {}
        for listed in self.store.list(self.records, folder):
            number, _, name = listed.key.removeprefix(folder).partition("/")
            if name == "receipt.json" and number.isdecimal():
                found[int(number)] = codec.decode(topics.ARCHIVED.name, self.store.read(self.records, listed.key))
        return found

    def received_at(self, source: SourceId, recording: RecordingId, revision: int) -> WallMs:
        """When the recording's last file came, as the account of *revision* has it."""
        key = f"recordings/{source}/{recording}/r{revision}/manifest.json"
        try:
            return from_rfc3339(json.loads(self.store.read(self.records, key))["account"]["last_received_at"])
        except (ValueError, KeyError, TypeError) as exc:
            raise Malformed(f"the manifest does not say when the last file came: {exc} ({self.records}/{key})") from exc

    def places(
        self, source: SourceId, recording: RecordingId, receipts: Iterable[RecordingArchived], *, every: bool
    ) -> Iterator[Place]:
        """What there must be of the recording: the originals and documents its receipts list, in the versions they name, and
        whatever else lies in its folder or its register, seals included; with *every*, in all versions there are."""
        named = {
            (item.object.bucket, item.object.key): item.object.version_id
            for one in receipts
            for item in (*one.originals, *one.records)
        }
        register = register_folder(source, recording)
        for prefix in (f"recordings/{source}/{recording}/", register, seal_key(register)):
            for listed in self.store.list(self.records, prefix):
                named.setdefault((self.records, listed.key), "")
        places = [Place(bucket, key, version) for (bucket, key), version in named.items()]
        if not every:
            yield from places
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="versions") as pool:  # a listing each, which is slow
            for there in pool.map(self._versions, places):
                yield from there

    def _versions(self, place: Place) -> list[Place]:
        """*place* in the version it names and in all others there are."""
        there = [place._replace(version_id=one) for one in self.store.versions(place.bucket, place.key)]
        return there if not place.version_id or place in there else [place, *there]

    def bring(self, places: Iterable[Place], demand: Demand) -> int:
        """Bring *places* to lie as *demand* says; returns how many had to be changed. Raises as :meth:`settle`."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keeping") as pool:
            return sum(pool.map(lambda place: self._bring_one(place, demand), places))

    def _bring_one(self, place: Place, demand: Demand) -> bool:
        """Whether the object had to be changed."""
        before = self.store.stat(place.bucket, place.key, place.version_id or None)
        name = (place.bucket, place.key, before.version_id)
        if too_short(before, demand.until):
            self.store.extend_retention(*name, demand.until)
        if demand.hold and not before.legal_hold:
            self.store.set_hold(*name, True)
        after = self.store.stat(*name)
        if too_short(after, demand.until) or (demand.hold and not after.legal_hold):
            held = ", under legal hold" if demand.hold else ""
            raise NotLocked(
                f"an object does not lie as it must: expected COMPLIANCE until {to_rfc3339(demand.until)}{held}, "
                f"found {in_words(after)} ({place.bucket}/{place.key})"
            )
        return after != before


def too_short(stat: ObjectStat, until: WallMs) -> bool:
    """Whether the lock is weaker or ends earlier than demanded."""
    return stat.lock_mode != "COMPLIANCE" or stat.retain_until is None or stat.retain_until < until


def in_words(stat: ObjectStat) -> str:
    """Lock and hold as messages tell them."""
    date = "no date" if stat.retain_until is None else to_rfc3339(stat.retain_until)
    return f"{stat.lock_mode} until {date}, {'held' if stat.legal_hold else 'not held'}"


def read_entry(key: str, data: bytes) -> Entry:
    """The entry that *data*, found at *key*, is; raises :class:`Malformed`."""
    try:
        entry = codec.load_state(Entry, json.loads(data))
        if entry_document(entry) != data or entry_key(entry) != key:
            raise ValueError("it is not spelt as an entry, or lies where another belongs")
    except (ValueError, RecursionError, Malformed) as exc:
        raise Malformed(f"this is no entry of a register: {exc} ({key})") from exc
    return entry


class ReceivedAnnotation(Protocol):
    """An annotation; where it stood does not matter here."""

    @property
    def event(self) -> Annotation: ...


@dataclass(frozen=True, kw_only=True)
class KeepingStep:
    """Case data that name a retention class become an entry, and what is archived of the recording is kept as long. What is
    said of a source and no recording is kept as it was said."""

    keeper: Keeper
    trust: StoreTrust
    clock: Clock

    async def step(self, state: None, received: ReceivedAnnotation) -> tuple[None, tuple[()]]:
        """Take note of one annotation. Raises :class:`Malformed` for a class that cannot be one or is dated ahead,
        :class:`StatementDiffers` for another class under the id of a first one, :class:`StoreUntrusted`, :class:`NotLocked` and what the store raises."""
        if received.event.kind in KEPT:
            self.trust.require()
            await asyncio.to_thread(self.keeper.keep, received.event, self.clock.now())
            return state, ()
        try:
            entry = classified(received.event)
        except ValueError as exc:
            raise Malformed(f"this names no retention class: {exc} ({received.event.annotation_id})") from exc
        if entry is not None:
            latest = WallMs(self.clock.now() + AHEAD_MS)
            if entry.made_at > latest:
                raise Malformed(
                    f"the class is dated ahead: expected {to_rfc3339(latest)} at the latest, "
                    f"found {to_rfc3339(entry.made_at)} ({received.event.annotation_id})"
                )
            self.trust.require()
            await asyncio.to_thread(self._note, entry)
        return state, ()

    def _note(self, entry: Entry) -> None:
        if contradicts(entry, self.keeper.register(entry.source_id, entry.recording_id)):
            raise StatementDiffers(
                f"another class was named under this id before, and stays; say it again under an id of its own: "
                f"{entry.retention_class}, {entry.reason}, of {entry.recording_id}"
            )
        self.keeper.add(entry)
        self.keeper.settle(entry.source_id, entry.recording_id)
