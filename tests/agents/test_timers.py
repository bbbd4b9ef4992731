"""The ledger's timers: what is judged waits for what was said, and a store that is away is told to those it holds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline.agents import stages
from pipeline.agents.stage import Output
from pipeline.agents.stages import Bench
from pipeline.domain.annotation import Annotation
from pipeline.domain.deadline import step
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.outlook import GRACE_PARTS, UnitDeadlines
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire import codec, topics
from tests.builders import SALT_KEY, SOURCE, T0, landed, policy

HOUR = 3600_000
PATIENCE_S = policy().deadline_s // GRACE_PARTS
BENCH = Bench(settings=Settings(), policy=policy(), observe=lambda _: None, salt_key=SALT_KEY)
STAGES: dict[str, Any] = {"continuity": "continuity", "deadline": "deadline"}


class Clock:
    def __init__(self) -> None:
        self.at = T0

    def now(self) -> WallMs:
        return self.at


class Ledger:
    """A hall's hour that is here and not archived."""

    def __init__(self) -> None:
        self.state, _ = step(SourceDeadlines(source_id=SOURCE), landed(ends="next_block"), policy())

    def states(self, stage: str) -> Mapping[str, Any]:
        return {SOURCE: self.state} if stage == "deadline" else {}

    def hear(self, outputs: Sequence[Output]) -> list[Annotation]:
        said = [codec.decode(topics.ANNOTATION.name, output.value) for output in outputs]
        for event in said:
            self.state, _ = step(self.state, event, policy())
        return said


@pytest.mark.parametrize("heard", [None, T0 + 25 * HOUR, T0 + 26 * HOUR])
async def test_a_deadline_is_judged_as_of_what_was_heard_and_not_of_now(heard: int | None) -> None:
    clock, ledger, told = Clock(), Ledger(), list[tuple[int, int | None]]()
    clock.at = WallMs(T0 + 99 * HOUR)

    async def heard_until(_stage: Any, _now: WallMs) -> WallMs | None:
        return None if heard is None else WallMs(heard)

    def tell(units: Sequence[UnitDeadlines], until: WallMs | None) -> None:
        told.append((len(units), until))

    look = stages.sweep(BENCH, STAGES, ledger.states, clock, heard_until, tell)
    said = ledger.hear(await look())

    names = [item.annotation_id.rpartition("-")[2] for item in said]
    assert names == {None: [], T0 + 25 * HOUR: ["at_risk"], T0 + 26 * HOUR: ["missed"]}.get(heard, names)
    assert [item.made_at for item in said] == [heard for _ in said]
    assert told == [(1, heard)]


async def test_a_store_that_stays_away_is_told_once_to_begin_and_once_to_end() -> None:
    clock, ledger, up = Clock(), Ledger(), True
    look = stages.store_watch(BENCH, STAGES, ledger.states, clock, lambda: up)
    outages = []

    for second in range(0, 600, 15):
        up = not 60 <= second < 400
        clock.at = WallMs(T0 + second * 1000)
        outages += [(second, said.outage) for said in ledger.hear(await look())]

    (began, begins), (ended, ends) = outages
    assert begins is not None
    assert ends is not None
    assert (began, begins.start, begins.end) == (60 + PATIENCE_S, T0 + 60_000, None)
    assert (ended, ends.start, ends.end) == (405, T0 + 60_000, T0 + 405_000)


async def test_a_store_that_answers_again_soon_was_no_outage() -> None:
    clock, ledger, up = Clock(), Ledger(), False
    look = stages.store_watch(BENCH, STAGES, ledger.states, clock, lambda: up)

    first = await look()
    clock.at, up = WallMs(T0 + PATIENCE_S * 1000 - 1), True
    second = await look()

    assert (first, second) == ((), ())
