"""The order rules of a lane, one crash point at a time, on a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
import pytest
import structlog

from pipeline.agents import lane as lane_module
from pipeline.agents.broker import Broker
from pipeline.agents.lane import EXIT_HOLE, Desk, Lane
from pipeline.agents.stage import Output, Received, Stage, Unmetered
from pipeline.domain.errors import Malformed, StateUnreadable, StoreUnavailable
from pipeline.domain.time import WallMs
from tests.agents import quarantine
from tests.agents.memory_broker import MemoryBroker

Event = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """What a lane needs of a Faust message."""

    offset: int
    value: bytes | None
    key: bytes | None = b"k"
    topic: str = "in"
    partition: int = 3
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Faults:
    """Exceptions the step raises for an event's number, each once."""

    raises: dict[int, list[Exception]] = field(default_factory=dict)


def event(offset: int, *, key: str = "k", topic: str = "in") -> Message:
    return Message(offset, msgspec.json.encode({"key": key, "n": offset}), key.encode(), topic)


def decode(_topic: str, value: bytes | None, _headers: object) -> Event:
    try:
        found: Event = msgspec.json.decode(value or b"")
    except msgspec.DecodeError as exc:
        raise Malformed("not JSON") from exc
    return found


def summing(faults: Faults, *, state: bool = True) -> Stage[list[int], Event]:
    """State is the list of numbers folded; each output names the whole list, so order and loss show."""

    def step(numbers: list[int], received: Received[Event]) -> tuple[list[int], list[Output]]:
        pending = faults.raises.get(received.event["n"])
        if pending:
            raise pending.pop(0)
        now = [*(numbers or ()), received.event["n"]]
        return now, [Output("out", received.event["key"].encode(), msgspec.json.encode(now))]

    return Stage(
        name="summing",
        sources=("in", "also"),
        decode=decode,
        key=lambda found: str(found["key"]),
        step=step,
        initial=lambda _key: [],
        dump=list,
        load=list,
        state_topic="state" if state else None,
    )


@dataclass
class Bench:
    """A broker, and lanes opened on it one after the other, as after crashes or rebalances."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    faults: Faults = field(default_factory=Faults)
    exits: list[int] = field(default_factory=list)

    def desk(self, owner: str) -> Desk:
        return Desk(
            broker=cast(Broker, self.broker),
            owner=owner,
            quarantine_topic="quarantine",
            encode_quarantine=quarantine.encode,
            now=lambda: WallMs(1),
            meter=Unmetered(),
            log=structlog.get_logger(),
            end_process=self.exits.append,
        )

    @asynccontextmanager
    async def lane(
        self, committed: int = 0, *, owner: str = "a", state: bool = True, stage: Stage[Any, Any] | None = None
    ) -> AsyncIterator[Lane[Any, Any]]:
        opened = Lane(stage or summing(self.faults, state=state), 3, self.desk(owner), lambda *_: None)
        if opened.stage.state_topic:
            opened.load((await self.broker.claim([("state", 3)], owner))["state", 3])
        opened.resume({"in": committed} if committed else {}, {"in": 0, "also": 0})
        try:
            yield opened
        finally:
            opened.close()
            if opened.task is not None:
                await asyncio.wait([opened.task], timeout=1)
                opened.task.cancel()

    def outputs(self) -> list[Any]:
        return [msgspec.json.decode(value) for value in self.broker.values("out")]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "PAUSE_FIRST_S", 0.001)
    monkeypatch.setattr(lane_module, "PAUSE_MAX_S", 0.01)


async def until(condition: Callable[[], object], seconds: float = 2) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (what is waited for has no event)
            await asyncio.sleep(0.001)


async def feed(lane: Lane[Any, Any], *messages: Message) -> None:
    for message in messages:
        await lane.put(message)


async def test_state_is_put_before_its_outputs_are_sent() -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, event(0))
        await until(lambda: lane.finished == {"in": 1})

    assert [write.topic for write in bench.broker.log] == ["state", "state", "out"]


async def test_waiting_inputs_are_carried_together_with_one_state_record_per_key() -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, *(event(number) for number in range(50)))
        await until(lambda: lane.finished == {"in": 50})

    assert len(bench.broker.values("state")) < 10
    assert bench.outputs()[-1] == list(range(50))
    assert len(bench.outputs()) == 50


async def test_an_input_already_applied_does_nothing_when_read_again() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        await feed(lane, event(0), event(1))
        await until(lambda: lane.finished == {"in": 2})

    async with bench.lane(committed=2, owner="b") as lane:
        lane._expected["in"] = 0
        await feed(lane, event(0), event(1), event(2))
        await until(lambda: lane.finished == {"in": 3})

    assert bench.outputs() == [[0], [0, 1], [0, 1, 2]]


async def test_outputs_lost_in_a_crash_are_sent_by_whoever_takes_the_partition_next() -> None:
    bench = Bench()
    bench.broker.fail["out"] = [False] * 1000
    async with bench.lane() as lane:
        await feed(lane, event(0))
        await until(lambda: lane.waiting_on)
    bench.broker.fail.clear()

    async with bench.lane(owner="b") as lane:
        await feed(lane, event(0))
        await until(lambda: lane.finished == {"in": 1})

    assert bench.outputs() == [[0]]


async def test_outputs_known_to_be_delivered_are_not_sent_again() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        await feed(lane, event(0))
        await until(lambda: lane.finished == {"in": 1})

    async with bench.lane(committed=1, owner="b") as lane:
        await feed(lane, event(1))
        await until(lambda: lane.finished == {"in": 2})

    assert bench.outputs() == [[0], [0, 1]]


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("topic", ["state", "out"])
async def test_a_failed_write_is_repaired_from_the_log_and_nothing_is_folded_twice(topic: str, lands: bool) -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, event(0))
        await until(lambda: lane.finished == {"in": 1})
        bench.broker.fail[topic] = [lands, lands]
        await feed(lane, event(1), event(2))
        await until(lambda: lane.finished == {"in": 3})

    assert lane.held["k"].state == [0, 1, 2]
    assert {tuple(numbers) for numbers in bench.outputs()} == {(0,), (0, 1), (0, 1, 2)}


async def test_a_retryable_error_holds_the_input_back_after_finishing_those_before_it() -> None:
    bench = Bench(faults=Faults({2: [StoreUnavailable("away")] * 5}))

    async with bench.lane() as lane:
        await feed(lane, *(event(number) for number in range(5)))
        await until(lambda: lane.waiting_on)
        before = dict(lane.finished)
        await until(lambda: lane.finished == {"in": 5})

    assert before == {"in": 2}
    assert bench.outputs()[-1] == [0, 1, 2, 3, 4]


async def test_a_defect_in_our_code_blocks_and_is_never_skipped() -> None:
    bench = Bench(faults=Faults({1: [TypeError("defect")] * 10**6}))

    async with bench.lane() as lane:
        await feed(lane, event(0), event(1), event(2))
        await until(lambda: lane.waiting_on)
        await asyncio.sleep(0.05)
        reached = dict(lane.finished)

    assert reached == {"in": 1}
    assert bench.broker.values("quarantine") == []


async def test_a_poison_input_is_quarantined_between_neighbours_that_are_carried_on() -> None:
    bench = Bench(faults=Faults({3: [Malformed("no")]}))

    async with bench.lane() as lane:
        await feed(lane, event(0), Message(1, b"junk"), event(2), event(3), Message(4, None), event(5))
        await until(lambda: lane.finished == {"in": 6})
    items = [msgspec.json.decode(value) for value in bench.broker.values("quarantine")]

    assert bench.outputs()[-1] == [0, 2, 5]
    assert [(item["offset"], item["reason"]) for item in items] == [(n, "malformed") for n in (1, 3, 4)]


async def test_an_input_under_another_key_is_quarantined() -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, replace(event(0), key=b"someone else"), event(1))
        await until(lambda: lane.finished == {"in": 2})

    [item] = [msgspec.json.decode(value) for value in bench.broker.values("quarantine")]
    assert item["reason"] == "wrong_key"


async def test_outputs_too_large_for_a_record_are_quarantined_with_the_state_unchanged() -> None:
    bench = Bench()
    huge = replace(
        summing(Faults()),
        step=lambda state, received: (state, [Output("out", b"k", b"x" * lane_module.OUTPUT_BYTES * 2)]),
    )

    async with bench.lane(stage=huge) as lane:
        await feed(lane, event(0))
        await until(lambda: lane.finished == {"in": 1})

    [item] = [msgspec.json.decode(value) for value in bench.broker.values("quarantine")]
    assert item["reason"] == "too_large"
    assert "k" not in lane.held


async def test_a_hole_in_the_offsets_ends_the_process() -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, event(0), event(2))

    assert bench.exits == [EXIT_HOLE]


@pytest.mark.parametrize(("committed", "first", "exits"), [(5, 4, []), (5, 5, []), (5, 6, [EXIT_HOLE])])
async def test_the_first_input_after_an_assignment_must_be_the_committed_one(
    committed: int, first: int, exits: list[int]
) -> None:
    bench = Bench()

    async with bench.lane(committed=committed, state=False) as lane:
        await feed(lane, event(first))

    assert bench.exits == exits


async def test_state_older_than_committed_work_is_folded_again_from_where_it_stands() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        await feed(lane, event(0), event(1))
        await until(lambda: lane.finished == {"in": 2})

    async with bench.lane(committed=7, owner="b") as lane:
        behind = lane.positions

    assert behind["in"] == 2


async def test_a_quarantined_input_does_not_look_like_lost_state() -> None:
    bench = Bench()
    async with bench.lane() as lane:
        await feed(lane, event(0), Message(1, b"junk"))
        await until(lambda: lane.finished == {"in": 2})

    async with bench.lane(committed=2, owner="b") as lane:
        at = lane.positions

    assert at["in"] == 2


async def test_two_sources_share_one_state() -> None:
    bench = Bench()

    async with bench.lane() as lane:
        await feed(lane, event(0), event(0, topic="also"), event(1), event(1, topic="also"))
        await until(lambda: lane.finished == {"in": 2, "also": 2})

    assert lane.held["k"].state == [0, 0, 1, 1]


async def test_a_ghost_sends_nothing_once_another_has_claimed_its_partition() -> None:
    bench = Bench()
    async with bench.lane(owner="ghost") as ghost:
        await feed(ghost, event(0))
        await until(lambda: ghost.finished == {"in": 1})
        async with bench.lane(committed=1, owner="heir") as heir:
            await feed(ghost, event(1))
            await until(lambda: ghost.dead)
            after_ghost = bench.outputs()
            await feed(heir, event(0, topic="also"), event(1))
            await until(lambda: heir.finished == {"in": 2, "also": 1})

    assert after_ghost == [[0]]
    assert bench.outputs() == [[0], [0, 0], [0, 0, 1]]


async def test_a_ghosts_late_record_never_wins_over_its_heirs() -> None:
    bench = Bench()
    async with bench.lane(owner="ghost") as ghost, bench.lane(owner="heir") as heir:
        await feed(heir, event(0, topic="also"))
        await until(lambda: heir.finished == {"also": 1})
        await feed(ghost, event(0))
        await until(lambda: ghost.dead)

    async with bench.lane(owner="next") as heirs_heir:
        held = heirs_heir.held["k"].state
        await until(lambda: len(bench.broker.values("state")) == 6)

    assert held == [0]
    assert (await bench.broker.peek("state", 3)).records["k"].applied == {"also": 0}
    assert (await bench.broker.peek("state", 3)).stale == set()


async def test_stateless_io_steps_run_side_by_side_and_their_outputs_keep_the_order() -> None:
    bench, running, most = Bench(), 0, 0

    async def step(_state: None, received: Received[Event]) -> tuple[None, list[Output]]:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.02 - received.event["n"] * 0.004)
        running -= 1
        return None, [Output("out", b"k", msgspec.json.encode(received.event["n"]))]

    stage = cast(Stage[Any, Any], replace(summing(bench.faults, state=False), step=cast(Any, step)))
    async with bench.lane(stage=stage) as lane:
        await feed(lane, *(event(number) for number in range(4)))
        await until(lambda: lane.finished == {"in": 4})

    assert bench.outputs() == [0, 1, 2, 3]
    assert most > 1


async def test_closing_lets_go_of_an_input_that_waits_and_of_those_behind_it() -> None:
    bench = Bench(faults=Faults({1: [StoreUnavailable("away")] * 10**6}))

    async with bench.lane() as lane:
        await feed(lane, event(0), event(1), event(2))
        await until(lambda: lane.waiting_on)
    await lane.put(event(3))

    assert lane.finished == {"in": 1}
    assert lane.task is not None
    assert lane.task.done()


def unknown_shape(_state: Any) -> Any:
    raise Malformed("a field is missing")


@pytest.mark.parametrize("other", [{"state_format": 2}, {"load": unknown_shape}])
async def test_a_state_of_another_release_is_not_guessed_at_and_the_way_out_is_named(other: dict[str, Any]) -> None:
    bench = Bench()
    async with bench.lane() as lane:
        await lane.put(event(0))
        await until(lambda: lane.finished == {"in": 1})

    with pytest.raises(StateUnreadable, match="unbroken rebuild --write"):
        async with bench.lane(1, owner="b", stage=replace(summing(bench.faults), **other)):
            pass
