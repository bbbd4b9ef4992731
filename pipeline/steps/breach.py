"""Breach, the step: a missed deadline, and what came after it, is locked in the records bucket once and for ever, sealed.

The event alone would be gone with the broker, a number in Prometheus with Prometheus. What stands under the key stays, also
if the same miss is told again in other words after a state was lost: the first record counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.domain.breach import breach_document, breach_key
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.errors import ObjectDiffers, ObjectMissing, StoreError
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs
from pipeline.ports import Clock, ObjectStore, Signer, StoreTrust
from pipeline.steps.seal import Sealer

ASKED_FOR: Final = "deadlines/asked"
"""A key that holds nothing: whoever says so serves us."""


class ReceivedDeadline(Protocol):
    """A changed deadline; where it stood does not matter here."""

    @property
    def event(self) -> DeadlineChanged: ...


@dataclass(frozen=True, kw_only=True)
class BreachStep:
    """*records* is the bucket. One instance per worker; calls may run side by side."""

    store: ObjectStore
    trust: StoreTrust
    clock: Clock
    signer: Signer
    policy: Policy
    records: str

    async def step(self, _: None, received: ReceivedDeadline) -> tuple[None, tuple[()]]:
        """Record a miss or a late completion; everything else is passed over. Raises :class:`StoreUntrusted`,
        :class:`NotLocked` and what the store raises while it does not answer."""
        if received.event.state in ("missed", "late"):
            self.trust.require()
            await asyncio.to_thread(self._record, received.event)
        return None, ()

    def _record(self, change: DeadlineChanged) -> None:
        key, data = breach_key(change), breach_document(change)
        # From now, not from the deadline: a clock that fell back dates that decades ago. A repeat may lock for longer.
        until = WallMs(max(change.at, self.clock.now()) + self.policy.provisional_retention_s * 1000)
        try:
            Sealer(store=self.store, signer=self.signer, records=self.records).put(
                "the record of a miss", key, data, until
            )
        except ObjectDiffers:
            return  # told before, in other words; that record stays


def serves(store: ObjectStore, trust: StoreTrust, records: str, waiting: Iterable[Exception]) -> bool:
    """Whether the store would take evidence now: it answers, was seen to keep its locks, and is not what the stages are
    *waiting* for, as for a full one, which answers questions. Asked from time to time, so that a missed deadline can be
    told to be the store's."""
    if any(isinstance(why, StoreError) for why in waiting):
        return False
    try:
        trust.require()
        store.stat(records, ASKED_FOR)
    except ObjectMissing:
        return True
    except StoreError:
        return False
    return True
