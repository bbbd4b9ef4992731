"""A checkpoint is locked before its links are let go of, and a crash at any line only repeats it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.domain.archive import record_key
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import CheckpointDue, CheckpointState, assemble, checkpoint_key
from pipeline.domain.errors import Malformed, StoreUnavailable, StoreUntrusted
from pipeline.domain.time import WallMs
from pipeline.steps.checkpoint import CheckpointStep, checkpoints, read_checkpoint
from pipeline.wire import codec
from tests.builders import RECORDING, SOURCE, T0, policy, sha
from tests.builders_archive import DAY_MS, YEAR_MS, Trusting, signer
from tests.domain.test_checkpoint import LINKS
from tests.wire.contract import validator

CLOSE = 3
"""Number of the close link."""


@dataclass(frozen=True)
class Received:
    event: LinkAppended | CheckpointDue


class Clock:
    def __init__(self) -> None:
        self.at = WallMs(T0 + DAY_MS)

    def now(self) -> WallMs:
        return self.at


class Keeper:
    """A store and the stage that writes checkpoints to it; ``state`` is what a crash would leave."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryObjects(self.clock)
        self.store.make_bucket("records", lock_days=1)
        self.trust = Trusting()
        self.state = CheckpointState()

    def take(self, *events: LinkAppended | CheckpointDue) -> None:
        """As the runner does: the new state counts only once the step has returned."""
        step = CheckpointStep(
            store=self.store,
            trust=self.trust,
            clock=self.clock,
            signer=signer(),
            policy=policy(),
            records="records",
        )
        for event in events:
            self.state, outputs = asyncio.run(step.step(self.state, Received(event)))
            assert outputs == ()

    @property
    def keys(self) -> list[str]:
        return [stat.key for stat in self.store.list("records", "checkpoints/")]

    @property
    def known(self) -> Sequence[LinkAppended]:
        found = assemble((), checkpoints(self.store, "records", SOURCE))
        assert found.faults == ()
        return found.links


def say(through: int) -> CheckpointDue:
    return CheckpointDue(source_id=SOURCE, recording_id=RECORDING, through_seq=through, said_at=T0)


def test_a_due_checkpoint_is_locked_as_its_schema_says_and_read_back_the_same() -> None:
    keeper = Keeper()

    keeper.take(*LINKS[:3], say(1))

    (key,) = keeper.keys
    stat = keeper.store.stat("records", key)
    assert (stat.lock_mode, stat.retain_until) == ("COMPLIANCE", T0 + DAY_MS + YEAR_MS)
    assert not list(validator("checkpoint.v1").iter_errors(json.loads(keeper.store.read("records", key))))
    assert keeper.known == LINKS[:3]


def test_nothing_is_written_before_it_is_due() -> None:
    keeper = Keeper()

    keeper.take(*LINKS)

    assert keeper.keys == []


def test_a_crash_before_the_state_is_put_repeats_the_same_bytes_under_the_same_key() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:3])
    before = keeper.state
    keeper.take(say(1))
    keys = keeper.keys

    keeper.state = before
    keeper.clock.at = WallMs(keeper.clock.at + DAY_MS)
    keeper.take(say(1))

    assert keeper.keys == keys
    assert len(keeper.store.versions("records", keys[0])) == 1


@pytest.mark.parametrize("struck", range(9))
def test_a_crash_between_writing_and_the_state_loses_no_link_wherever_it_strikes(struck: int) -> None:
    events: list[LinkAppended | CheckpointDue] = [*LINKS[:2], say(0), *LINKS[2:4], say(2), *LINKS[4:], say(4)]
    keeper = Keeper()
    keeper.take(*events[:struck])
    before = keeper.state
    keeper.take(events[struck])

    keeper.state = before
    keeper.take(*events[struck:])

    assert keeper.known == LINKS
    assert len(keeper.keys) == 3


def test_a_store_that_is_not_trusted_gets_nothing_and_the_links_wait() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:3])
    keeper.trust.why = "not tried yet"

    with pytest.raises(StoreUntrusted):
        keeper.take(say(1))
    keeper.take(LINKS[3])

    assert keeper.keys == []
    assert keeper.state.held[RECORDING].links == LINKS[:4]


def test_a_store_that_does_not_answer_leaves_the_links_held() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:3])
    keeper.store.faults.append(Fault("send", StoreUnavailable("no answer")))

    with pytest.raises(StoreUnavailable):
        keeper.take(say(1))
    keeper.take(say(1))

    assert keeper.known == LINKS[:3]


def test_a_recording_that_is_archived_by_then_needs_no_checkpoint() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:5])
    receipt = record_key(SOURCE, RECORDING, 1, "receipt.json")
    keeper.store.put_bytes("records", receipt, b"{}", sha("{}"), retain_until=WallMs(T0 + 2 * DAY_MS))

    keeper.take(say(CLOSE))

    assert keeper.keys == []
    assert keeper.state == CheckpointState()


def test_a_recording_that_has_ended_and_is_not_archived_gets_its_checkpoint() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:5])

    keeper.take(say(CLOSE))

    assert keeper.known == LINKS[:5]


def test_a_checkpoint_at_another_place_or_spelt_otherwise_is_none() -> None:
    keeper = Keeper()
    keeper.take(*LINKS[:3], say(1))
    (key,) = keeper.keys
    data = keeper.store.read("records", key)

    for place, text in ((key.replace("hall-1/", "hall-2/", 1), data), (key, data + b" "), (key, b"[]"), (key, b"{}")):
        with pytest.raises(Malformed, match=place):
            read_checkpoint(place, text)
    assert checkpoint_key(read_checkpoint(key, data)) == key
    assert codec.load_state(CheckpointState, codec.dump_state(keeper.state)) == keeper.state
