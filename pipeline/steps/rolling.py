"""Rolling, the step: one part of the archive is verified, and what was found is kept under lock.

A turn that was cut off leaves nothing and is made again. Two workers that turn at once verify a part twice, which is waste
and no harm. A store that does not answer ends the turn: what could not be asked is not called tampered with.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.domain.rolling import (
    Standing,
    Verified,
    is_verified_key,
    parts,
    stand,
    turn,
    verified_day,
    verified_document,
    verified_key,
)
from pipeline.domain.selection import Selection
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, ObjectStore, StoreTrust
from pipeline.steps.seal import Sealer, Seals
from pipeline.steps.verify import Verification
from pipeline.wire import codec

_DAY_S: Final = 86_400
FIRST_S: Final = 60
"""A worker that has just started has other things to read."""
AGAIN_S: Final = 300
"""A turn that could not be made is tried again so soon, or with the next one."""


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """*verification* reads, as slowly as it was told to; *store* keeps the records, for *retention_s*. A record
    that is not sealed counts for nothing: a part that nobody verified would seem to be."""

    verification: Verification
    store: ObjectStore
    trust: StoreTrust
    clock: Clock
    sealer: Sealer
    software: str
    within_s: int
    turn_s: int
    retention_s: int
    _known: dict[str, Verified] = field(default_factory=dict)

    def standing(self) -> Standing:
        """Where it stands, by the records in the store; raises what the store raises."""
        now = self.clock.now()
        return stand(list(self._records(now)), parts(self.within_s, self.turn_s), now, self.within_s)

    def run(self) -> tuple[Verified, Standing]:
        """One turn; returns its record and where it stands then. Raises ``StoreUntrusted`` and what the store raises."""
        self.trust.require()
        due, begun_at = self.standing().due, self.clock.now()
        items = list(self.verification.items(Selection(part=due)))
        record = turn(due, begun_at, self.clock.now(), self.software, items)
        until = WallMs(record.ended_at + self.retention_s * 1000)
        self.sealer.put("a record of verification", verified_key(record), verified_document(record), until)
        return record, self.standing()

    def _records(self, now: WallMs) -> Iterator[Verified]:
        """Those of the last ``within_s``, each read once."""
        reading = self.verification
        seals = Seals(store=self.store, records=reading.records, keys=reading.keys, signed=reading.signed)
        for days in range(self.within_s // _DAY_S + 2):
            for listed in self.store.list(self.verification.records, verified_day(WallMs(now - days * _DAY_S * 1000))):
                if listed.key not in self._known and is_verified_key(listed.key):
                    data = self.store.read(self.verification.records, listed.key)
                    if seals.believed(listed.key, data):
                        self._known[listed.key] = codec.load_state(Verified, json.loads(data))
        for key, record in list(self._known.items()):
            if now - record.ended_at > (self.within_s + _DAY_S) * 1000:
                del self._known[key]
        yield from self._known.values()


def watch(
    rolling: Rolling,
    heard: Callable[[tuple[Verified | None, Standing] | Exception], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Turn for ever; for a thread of its own. *heard* gets where it stands at first, then each turn, and each error in its
    place."""
    sleep(min(FIRST_S, rolling.turn_s))
    try:
        heard((None, rolling.standing()))
    except Exception as exc:
        heard(exc)
    while True:
        began = time.monotonic()
        try:
            heard(rolling.run())
            pause_s: float = rolling.turn_s
        except Exception as exc:  # what is not ours is a defect: it is heard, and the coverage falls
            heard(exc)
            pause_s = min(AGAIN_S, rolling.turn_s)
        sleep(max(0.0, pause_s - (time.monotonic() - began)))
