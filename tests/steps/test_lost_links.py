"""A broker is lost at any moment: what came after the last checkpoint is linked again, in another order. Nothing that was
acknowledged by a receipt, and nothing the archive holds, is contradicted by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from random import Random

import pytest

from pipeline.adapters import signing
from pipeline.domain import chain, checkpoint, continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.checkpoint import CheckpointDue, CheckpointState
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import RecordingId
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.rebuild import rebuild
from pipeline.domain.verify import Item
from pipeline.steps.checkpoint import CheckpointStep
from pipeline.steps.recall import known, recalled
from pipeline.steps.verify import Verification
from tests.builders import SALT_KEY, SOURCE, T0, mp4, policy, session_ended
from tests.builders_archive import Trusting, signer
from tests.steps.archived import FIRST, SECOND, THIRD, Noon, Stages
from tests.steps.test_checkpoint import Received

KEYS = {signer().key_id: signer().public}
Said = SegmentProbed | Annotation


class Broker(Stages):
    """The stages in order, as far as they came: every close is archived in its turn, some stages behind."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.chains, self.held = SourceState(source_id=SOURCE), ChainState(), CheckpointState()
        self.links: dict[RecordingId, list[LinkAppended]] = {}
        self.waiting: list[Sequence[LinkAppended]] = []

    def day(self) -> list[Said]:
        """Three recordings that follow each other, one with a late file."""
        files = [mp4(number, object=self.original(number, ".mp4")) for number in range(7)]
        names = (FIRST, FIRST, SECOND, SECOND, THIRD, FIRST, THIRD)
        made: list[Said] = [
            mp4(n, object=file.landed.object, recording_id=name, announcement=n + 1)
            for n, (file, name) in enumerate(zip(files, names, strict=True))
        ]
        ends = [session_ended(f"end-{name}", recording_id=name) for name in (FIRST, SECOND, THIRD)]
        again = session_ended("end-again", recording_id=FIRST)
        return [*made[:2], ends[0], *made[2:4], ends[1], *made[4:6], again, made[6], ends[2]]

    def take(self, said: Said) -> None:
        self.source, judged = continuity.step(self.source, said, policy())
        for item in judged:
            self.chains, made = chain.step(self.chains, item, SALT_KEY)
            for link in made:
                self.links.setdefault(link.recording_id, []).append(link)
                self._checkpoint(link)
                if link.kind == "close":
                    self.waiting.append(tuple(self.links[link.recording_id]))

    def say_due(self) -> Iterable[CheckpointDue]:
        return checkpoint.due((self.held,), T0)

    def _checkpoint(self, event: LinkAppended | CheckpointDue) -> None:
        step = CheckpointStep(store=self.store, trust=Trusting(), clock=Noon(), signer=signer(), policy=policy(), records="records")  # fmt: skip
        self.held, _ = asyncio.run(step.step(self.held, Received(event)))

    def write(self, due: CheckpointDue) -> None:
        self._checkpoint(due)

    def archive_next(self) -> None:
        if self.waiting:
            self.archive(self.waiting.pop(0))

    def lose(self) -> None:
        """The topics are gone; states and links come back from the archive, closes that it holds and never archived too."""
        found = list(recalled(self.store, "records", KEYS, signing.verify))
        chains = [one for each in found if (one := known(each)) is not None]
        assert [fault for each in found for fault in each.chain.faults] == []
        made = rebuild(SOURCE, chains, (), policy())
        self.source, self.chains, self.held = made.continuity, made.chain, CheckpointState()
        self.links = {one.recording_id: [link for entry in one.entries for link in entry.links] for one in chains}
        self.waiting = [
            tuple(links[: at + 1])
            for one in chains
            for links in [self.links[one.recording_id]]
            for at, link in enumerate(links)
            if link.kind == "close" and link.ended is not None and link.ended.revision > len(one.receipts)
        ]

    def verified(self) -> list[Item]:
        reader = Verification(
            store=self.store, records="records", originals="originals", locks=True, keys=KEYS, signed=signing.verify
        )
        return list(reader.items())


@pytest.mark.parametrize("seed", range(40))
def test_wherever_the_broker_is_lost_the_archive_agrees_with_itself_afterwards(seed: int) -> None:
    chance, broker = Random(seed), Broker()
    day = broker.day()
    cut = chance.randrange(1, len(day))
    for said in day[:cut]:
        broker.take(said)
        if chance.random() < 0.5:  # the timer speaks, and a kill may strike between two of its words
            for due in chance.sample(list(broker.say_due()), chance.randrange(0, 1 + len(list(broker.say_due())))):
                broker.write(due)
        if chance.random() < 0.2:
            broker.archive_next()
    receipts = {
        stat.key: broker.store.read("records", stat.key) for stat in broker.store.list("records", "recordings/")
    }

    broker.lose()
    again = list(day)
    chance.shuffle(again)
    for said in again:
        broker.take(said)
    for name in (FIRST, SECOND, THIRD):
        broker.take(session_ended(f"again-{name}", recording_id=name))
    while broker.waiting:
        broker.archive_next()

    items = broker.verified()
    assert [item for item in items if item.result == "fail"] == []
    assert {key: broker.store.read("records", key) for key in receipts} == receipts
    (announced,) = [item for item in items if item.check == "announcements"]
    assert announced.result == "pass"
