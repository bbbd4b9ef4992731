"""At a close the chain is read back, checked and described; what does not verify is not described."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.domain.chain import LinkAppended
from pipeline.domain.errors import ChainBroken, HistoryMissing, StoreUnavailable
from pipeline.domain.stitch import RecordingStitched, StitchState
from pipeline.steps.stitch import StitchStep
from pipeline.wire import codec, topics
from tests.builders import RECORDING, metadata, mp4, photo, policy, probed
from tests.builders_archive import chained, ended, gap
from tests.wire.contract import validator

LINKS = chained([probed(0), probed(1), mp4(2), photo(3)], ended(gaps=(gap(30_000, 40_000),)), said=[metadata()])


@dataclass(frozen=True)
class Received:
    event: LinkAppended
    partition: int
    offset: int


class Topic:
    """The link topic of one partition, from offset 70 on, and the stage that reads it."""

    def __init__(self, links: Sequence[LinkAppended]) -> None:
        self.kept = list(links)
        self.asked: list[tuple[int, int, int]] = []
        self.store = MemoryObjects(SystemClock())
        self.store.make_bucket("derived")
        self.step = StitchStep(
            store=self.store,
            history=self,
            decode=partial(codec.decode, topics.LINK.name),
            derived="derived",
            software="unbroken 0.1.0",
            policy=policy(),
        )

    async def values(self, partition: int, first_offset: int, last_offset: int) -> Sequence[bytes]:
        self.asked.append((partition, first_offset, last_offset))
        return [codec.encode(link) for link in self.kept[first_offset - 70 : last_offset - 69]]

    async def run(self, state: StitchState | None = None) -> tuple[StitchState, list[RecordingStitched]]:
        state = state or StitchState()
        found: list[RecordingStitched] = []
        for offset, link in enumerate(self.kept, start=70):
            state, events = await self.step.step(state, Received(link, 3, offset))
            found += events
        return state, found


async def test_a_close_is_described_from_the_chain_as_the_broker_kept_it() -> None:
    topic = Topic(LINKS)

    _, (stitched,) = await topic.run()

    assert topic.asked == [(3, 70, 70 + len(LINKS) - 1)]
    assert (stitched.close_hash, stitched.close_seq, stitched.revision) == (LINKS[-1].hash, LINKS[-1].seq, 1)
    assert len(stitched.originals) == 4
    assert stitched.ended == LINKS[-1].ended


async def test_a_long_history_is_read_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.steps.stitch.WINDOW", 3)
    topic = Topic(LINKS)

    _, (stitched,) = await topic.run()

    assert topic.asked == [(3, 70, 72), (3, 73, 75), (3, 76, 77)]
    assert stitched == (await Topic(LINKS).run())[1][0]


async def test_every_document_is_staged_under_its_digest() -> None:
    topic = Topic(LINKS)

    _, (stitched,) = await topic.run()

    for document in stitched.documents:
        data = topic.store.read("derived", document.staged_key)
        assert document.staged_key == f"staged/{hashlib.sha256(data).hexdigest()}"
        assert document.size_bytes == len(data)


async def test_the_documents_are_what_their_schemas_promise() -> None:
    topic = Topic(LINKS)

    _, (stitched,) = await topic.run()

    staged = {item.name: topic.store.read("derived", item.staged_key) for item in stitched.documents}
    assert list(validator("manifest.v1").iter_errors(json.loads(staged["manifest.json"]))) == []
    assert list(validator("timeline.v1").iter_errors(json.loads(staged["timeline.json"]))) == []
    for line in staged["chain.jsonl"].splitlines():
        assert list(validator("chain.v1").iter_errors(json.loads(line))) == []


async def test_described_again_it_is_the_same() -> None:
    topic = Topic(LINKS)

    _, first = await topic.run()
    _, second = await topic.run()

    assert first == second


async def test_a_repeat_of_the_whole_chain_changes_nothing() -> None:
    topic = Topic([*LINKS, *LINKS])

    _, found = await topic.run()

    assert len(found) == 1


async def test_each_revision_is_described_anew_from_the_genesis() -> None:
    topic = Topic(chained([probed(0), probed(1)], ended(), ended(revision=2), late=1))

    _, found = await topic.run()

    assert [(item.revision, len(item.originals)) for item in found] == [(1, 1), (2, 2)]
    assert [asked[1] for asked in topic.asked] == [70, 70]


@pytest.mark.parametrize("changed", range(len(LINKS) - 1))
async def test_a_chain_that_was_tampered_with_on_the_broker_is_not_described(changed: int) -> None:
    links = list(LINKS)
    text = links[changed].record
    links[changed] = replace(links[changed], record=text.replace("hall", "ball", 1))
    topic = Topic(links)

    with pytest.raises(ChainBroken, match=f"check 4 at link {changed - 1}.*{RECORDING}"):
        await topic.run()

    assert list(topic.store.list("derived", "")) == []


async def test_links_the_broker_no_longer_holds_stop_the_recording() -> None:
    topic = Topic(LINKS)
    state, _ = await Topic(LINKS[:-1]).run()
    del topic.kept[2]

    with pytest.raises(HistoryMissing, match="links are missing"):
        await topic.step.step(state, Received(LINKS[-1], 3, 70 + len(LINKS) - 1))


async def test_a_store_that_does_not_answer_leaves_the_state_as_it_was() -> None:
    topic = Topic(LINKS)
    state, _ = await Topic(LINKS[:-1]).run()
    topic.store.faults.append(Fault("send", StoreUnavailable("no answer")))

    close = Received(LINKS[-1], 3, 70 + len(LINKS) - 1)
    with pytest.raises(StoreUnavailable):
        await topic.step.step(state, close)
    _, found = await topic.step.step(state, close)

    assert [item.close_hash for item in found] == [LINKS[-1].hash]


async def test_the_state_survives_being_written_down() -> None:
    state, _ = await Topic(LINKS).run()

    assert codec.load_state(StitchState, codec.dump_state(state)) == state
