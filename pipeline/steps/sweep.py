"""Sweep: every archived recording's locks and holds, as the store reports them, against what its register and the policy
demand. It looks and says, and changes nothing unless asked to: a hold that somebody took off is to be noticed first.

Whatever is wrong with one recording is told and never ends the sweep; only a store that does not answer does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from pipeline.domain.checkpoint import checkpoint_of
from pipeline.domain.errors import Malformed, ObjectMissing
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.keeping import Demand, Lies, Shortfall, demanded, register_folder, shortfalls, unknown_classes
from pipeline.domain.keys import published_key
from pipeline.domain.seal import seal_key
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.ports import Clock
from pipeline.steps.checkpoint import read_checkpoint
from pipeline.steps.keeping import AT_ONCE, Keeper, Place
from pipeline.steps.shelf import Shelf, shelf_of

AGAIN_S: Final = 3600
"""A sweep that found something, or could not be ended, is followed by another so soon."""
FIRST_S: Final = 60
_DATED: Final = ("deadlines/", "statements/")
"""Records that say themselves when they were made."""
MENDABLE: Final = ("retention", "hold")


@dataclass(slots=True, kw_only=True)
class Swept:
    """What one sweep looked at, and what it found; ``objects``: how often one was asked for; ``mended``: how many were
    changed; ``keys``: until when each receipt key is needed."""

    at: WallMs
    recordings: int = 0
    objects: int = 0
    mended: int = 0
    found: list[Shortfall] = field(default_factory=list)
    keys: dict[str, WallMs] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """*on_object* is called before each object is asked for, from any thread, and may take its time."""

    keeper: Keeper
    clock: Clock
    on_object: Callable[[int], None] = lambda _count: None

    def run(self, source: str | None = None, recording: str | None = None, *, repair: bool = False) -> Swept:
        """Look at every recording, or at *source*'s, *recording*'s; with *repair*, lengthen locks and set holds that fall
        short, after they were told. Raises what the store raises while it does not answer.

        What falls short is looked at once more at the end: a hold that is just being set, or a revision that is just being
        archived, is no shortfall.
        """
        swept = Swept(at=self.clock.now())
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sweep") as pool:
            again = []
            shelf = shelf_of(self.keeper.store, self.keeper.records, source, recording)
            for about in self._recordings(shelf, source, recording):
                swept.recordings += 1
                if self._one(about, swept, pool, repair=False):
                    again.append(about)
            for about in again:
                swept.found += self._one(about, swept, pool, repair)
            for name, until in sorted(swept.keys.items()):
                place = Place(self.keeper.records, published_key(name), "")
                swept.found += self._short(f"key {name}", (place,), Demand(until, False), swept, pool, repair)
            if recording is None:
                self._beside(shelf, swept, pool, repair)
        return swept

    def _beside(self, shelf: Shelf, swept: Swept, pool: ThreadPoolExecutor, repair: bool) -> None:
        """Misses, statements and links of what is not archived, each with its seal: for the provisional time since it was
        made. Registers were looked at with their recordings; checkpoints of what is archived have served."""
        archived = {name for recordings in shelf.recordings.values() for name in recordings}
        kept = {
            key
            for recordings in shelf.checkpoints.values()
            for name, keys in recordings.items()
            if name not in archived
            for key in keys
        }
        for key in shelf.beside:
            if key not in kept and not key.startswith(_DATED):
                continue
            try:
                made_at = _made_at(key, self.keeper.store.read(self.keeper.records, key))
            except (Malformed, ObjectMissing) as exc:
                told = "a record that can be read"
                swept.found.append(Shortfall(about=key, kind="unreadable", place=key, expected=told, found=str(exc)))
                continue
            until = WallMs(min(made_at, swept.at) + self.keeper.policy.provisional_retention_s * 1000)
            places = [
                Place(self.keeper.records, one, "") for one in (key, *([seal_key(key)] if key in shelf.seals else ()))
            ]
            swept.found += self._short(key, places, Demand(until, False), swept, pool, repair)

    def _recordings(
        self, shelf: Shelf, source: str | None, recording: str | None
    ) -> Iterator[tuple[SourceId, RecordingId]]:
        named = {(one, name) for one, recordings in shelf.recordings.items() for name in recordings}
        for about in sorted({*named, *self.keeper.registered()}):
            if source in (None, about[0]) and recording in (None, about[1]):
                yield SourceId(about[0]), RecordingId(about[1])

    def _one(
        self, about: tuple[SourceId, RecordingId], swept: Swept, pool: ThreadPoolExecutor, repair: bool
    ) -> list[Shortfall]:
        name, keeper = "/".join(about), self.keeper
        try:
            register, receipts = keeper.register(*about), keeper.receipts(*about)
            received_at = keeper.received_at(*about, max(receipts)) if receipts else None
        except (Malformed, ObjectMissing) as exc:
            told = "documents and register that can be read"
            return [Shortfall(about=name, kind="unreadable", place=name, expected=told, found=str(exc))]
        if received_at is None and not register:
            return []  # not archived: its documents have no receipt yet, and verify tells of that
        demand = demanded(received_at, register, keeper.policy, swept.at)
        for one in receipts.values():
            swept.keys[one.key_id] = max(demand.until, swept.keys.get(one.key_id, demand.until))
        place, known = f"{keeper.records}/{register_folder(*about)}", ", ".join(keeper.policy.retention)
        unknown = [
            Shortfall(about=name, kind="unknown_class", place=place, expected=f"one of {known}", found=stated)
            for stated in unknown_classes(register, keeper.policy.retention)
        ]
        places = keeper.places(*about, receipts.values(), every=demand.hold)
        return unknown + self._short(name, places, demand, swept, pool, repair)

    def _short(
        self,
        name: str,
        places: Iterable[Place],
        demand: Demand,
        swept: Swept,
        pool: ThreadPoolExecutor,
        repair: bool,
    ) -> list[Shortfall]:
        found, mendable = list[Shortfall](), list[Place]()
        for place, lies in pool.map(lambda place: (place, self._lies(place)), places):
            swept.objects += 1
            short = list(shortfalls(name, " ".join(("/".join(place[:2]), place.version_id)).rstrip(), demand, lies))
            found += short
            if any(one.kind in MENDABLE for one in short):
                mendable.append(place)
        if repair:
            swept.mended += self.keeper.bring(mendable, demand)
        return found

    def _lies(self, place: Place) -> Lies | None:
        self.on_object(1)
        try:
            stat = self.keeper.store.stat(place.bucket, place.key, place.version_id or None)
        except ObjectMissing:
            return None
        return Lies(mode=stat.lock_mode, retain_until=stat.retain_until, legal_hold=stat.legal_hold)


def _made_at(key: str, data: bytes) -> WallMs:
    """When the record at *key* was made, at least: as it says itself. Raises :class:`Malformed`."""
    try:
        if checkpoint_of(key):
            dated = [json.loads(link.record) for link in read_checkpoint(key, data).links]
            named = ("received_at", "made_at", "first_received_at", "at")
            return max((from_rfc3339(one[name]) for one in dated for name in named if name in one), default=WallMs(0))
        fields = json.loads(data)
        return from_rfc3339(fields["at"] if "at" in fields else fields["statement"]["made_at"])
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise Malformed(f"this record does not say when it was made: {exc} ({key})") from exc


def watch(
    sweep: Sweep,
    interval_s: int,
    heard: Callable[[Swept | Exception], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Sweep for ever, for a thread of its own; *heard* gets each result, and each error in its place. The first time is put
    off a little: a worker that starts has other things to do."""
    sleep(min(FIRST_S, interval_s))
    while True:
        sleep(look(sweep, interval_s, heard))


def look(sweep: Sweep, interval_s: int, heard: Callable[[Swept | Exception], None]) -> float:
    """Sweep once; returns how long to wait before the next time. Raises nothing."""
    try:
        swept = sweep.run()
    except Exception as exc:  # what is not ours is a defect: it is heard, and told as no sweep
        heard(exc)
        return min(AGAIN_S, interval_s)
    heard(swept)
    return min(AGAIN_S, interval_s) if swept.found else interval_s
