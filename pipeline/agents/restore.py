"""Restore: what a state topic must hold, found again from the data topics, beside what it holds.

One partition number at a time, all stages by the same code: the stages' own steps are folded over what is on the broker
(:mod:`pipeline.domain.replay`), those that do I/O replaced by what they remember of it.

A running state is compared as of the offsets it says it has applied, so workers need not stand still for it. A state is
written only while nobody else writes: an owner record first, which makes this process the partition's writer and its
records count before all older ones, then one record for each source whose state is not as it should be.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.agents.stage import Headers, Output, Received, Stage
from pipeline.agents.stages import Bench, ledger_stages
from pipeline.agents.state_log import (
    OWNER_KEY,
    PASSED_KEY,
    Loaded,
    Record,
    consecutive,
    encode_owner,
    encode_passed,
    encode_record,
    load,
)
from pipeline.domain import annotation, checkpoint
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import ArchiveState, RecordingArchived, is_repeat, remember
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import CheckpointDue, CheckpointState
from pipeline.domain.continuity import Judged
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.errors import BrokerUnavailable, Malformed, StatementDiffers, StateUnreadable
from pipeline.domain.policy import Policy
from pipeline.domain.replay import Difference, Input, Mark, Replayed, differences, replay
from pipeline.domain.stitch import RecordingStitched, StitchState, follow
from pipeline.settings import Settings
from pipeline.steps.stitch import remembered
from pipeline.wire import codec, topics

OUTPUTS: Final = {"continuity": topics.JUDGED, "chain": topics.LINK, "deadline": topics.DEADLINE}
"""What a stage sent, where its replay is held against it. The others send what they wrote, or nothing."""

Word = Literal["equal", "differs", "lost", "behind", "unreadable", "not covered"]


class Row(NamedTuple):
    """A record of a data topic."""

    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition number of every data topic: ``rows`` by full topic name, ``begins`` the oldest offset still there,
    ``committed`` what the workers have finished."""

    number: int
    rows: Mapping[str, Sequence[Row]]
    begins: Mapping[str, int]
    committed: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one source's state of a stage stands beside its replay. ``record`` is what to write, where it is not equal and
    can be known."""

    stage: str
    partition: int
    source: str
    word: Word
    why: str = ""
    differences: tuple[Difference, ...] = ()
    record: Record | None = None


def pure_stages(settings: Settings, policy: Policy, salt_key: bytes) -> dict[str, Stage[Any, Any]]:
    """The ledger's stages without their I/O: those that do any only remember what they were given."""

    def hold(
        state: CheckpointState, received: Received[LinkAppended | CheckpointDue]
    ) -> tuple[CheckpointState, tuple[()]]:
        return checkpoint.step(state, received.event)[0], ()

    def follow_link(state: StitchState, received: Received[LinkAppended]) -> tuple[StitchState, tuple[()]]:
        return follow(state, received.event, received.offset, remembered(policy))[0], ()

    def note_archived(state: ArchiveState, received: Received[RecordingStitched]) -> tuple[ArchiveState, tuple[()]]:
        return (state if is_repeat(state, received.event) else remember(state, received.event)), ()

    bench = Bench(settings=settings, policy=policy, observe=lambda _: None, salt_key=salt_key)
    stages = ledger_stages(bench, hold, follow_link, note_archived)
    return {**stages, "deadline": _without_silences(stages["deadline"], settings)}


def _without_silences(stage: Stage[Any, Any], settings: Settings) -> Stage[Any, Any]:
    """The deadline stage without what it says of silent cameras: two topics have no order between them to be held against,
    and all of that follows from the same state."""
    step: Any = stage.step
    silences = settings.topic(topics.SILENCE.name)

    def only(state: Any, received: Received[Any]) -> tuple[Any, tuple[Output, ...]]:
        state, outputs = step(state, received)
        return state, tuple(output for output in outputs if output.topic != silences)

    return replace(stage, step=only)


# -- comparing -----------------------------------------------------------------------------------------------------------

_Timed = tuple[int, Received[Any]]
"""The broker's time of an input, and the input."""
_Inputs = dict[str, list[_Timed]]
"""One source's inputs of a stage, by full topic name."""


def stand(stage: Stage[Any, Any], settings: Settings, part: Partition, log: Loaded) -> Iterator[Standing]:
    """How each source's state of *stage* in *log* stands beside what *part* says it must be."""
    inputs = _inputs(stage, part)
    sent = _sent(stage, settings, part)
    trimmed = [f"{topic} begins at offset {part.begins[topic]}" for topic in stage.sources if part.begins[topic] > 0]
    for source in sorted({*inputs, *log.records}):
        known = Standing(stage=stage.name, partition=part.number, source=source, word="equal")
        if trimmed or source not in inputs:
            why = f"its history is no longer on the broker: {trimmed[0] if trimmed else 'no input of it is there'}"
            yield replace(known, word="not covered", why=why)
        else:
            case = _Case(stage, part, source, inputs[source], sent.get(source, []), log.records.get(source))
            yield case.judge(known)


@dataclass(frozen=True, slots=True)
class _Case:
    """One source of one stage."""

    stage: Stage[Any, Any]
    part: Partition
    source: str
    inputs: _Inputs
    sent: Sequence[Mark]
    held: Record | None

    def judge(self, known: Standing) -> Standing:
        missing = self._missing()
        if self.held is None:
            known = replace(known, word="lost" if missing else "equal", why=missing)
        elif missing:
            known = replace(known, word="behind", why=missing)
        else:
            known = self._compared(known, self.held)
        return known if known.word == "equal" else replace(known, record=self._record())

    def _applied(self, topic: str) -> int:
        return -1 if self.held is None else self.held.applied.get(topic, -1)

    def _missing(self) -> str:
        """What was finished and is not in the state, by topic."""
        found = []
        for topic, inputs in self.inputs.items():
            done = [each.offset for _, each in inputs if each.offset < self.part.committed.get(topic, 0)]
            applied = self._applied(topic)
            if done and done[-1] > applied:
                holds = f"up to {applied}" if applied >= 0 else "nothing of it"
                found.append(f"{topic}: finished up to offset {done[-1]}, in the state {holds}")
        return "; ".join(found)

    def _compared(self, known: Standing, held: Record) -> Standing:
        """The running state beside the replay of exactly the inputs it says it holds."""
        try:
            running = self.stage.dump(load(self.stage, self.source, held))
        except StateUnreadable as exc:
            return replace(known, word="unreadable", why=str(exc))
        found = self._replay(
            {
                topic: [Input(at_ms, each) for at_ms, each in inputs if each.offset <= self._applied(topic)]
                for topic, inputs in self.inputs.items()
            }
        )
        told = found.contradiction
        why = f"output {told.number}: sent {told.sent}, its replay gives {told.replayed}" if told else ""
        differing = differences(running, self.stage.dump(found.state))
        return replace(known, word="differs" if differing or told else "equal", why=why, differences=differing)

    def _record(self) -> Record:
        """The state to write: everything finished, and everything that was sent already follows from it."""
        until = {t: max(self._applied(t) + 1, self.part.committed.get(t, 0)) for t in self.inputs}
        found = self._replay(
            {
                topic: [Input(at_ms, each, each.offset < until[topic]) for at_ms, each in inputs]
                for topic, inputs in self.inputs.items()
            }
        )
        used = zip(self.inputs.items(), found.taken, strict=True)
        applied = {topic: inputs[taken - 1][1].offset for (topic, inputs), taken in used if taken}
        version = 1 if self.held is None else self.held.version + 1
        state = self.stage.dump(found.state)
        return Record(state, applied, version, 0, found.unsent, self.stage.state_format)

    def _replay(self, queues: Mapping[str, Sequence[Input[Any]]]) -> Replayed[Any, Output]:
        step: Any = self.stage.step  # none of pure_stages' steps is a coroutine
        return replay(self.stage.initial(self.source), step, list(queues.values()), self.sent, _mark_of_output)


def _inputs(stage: Stage[Any, Any], part: Partition) -> dict[str, _Inputs]:
    """The stage's inputs by source; one that the stage puts into quarantine is none."""
    found: dict[str, _Inputs] = {}
    said: dict[tuple[str, str | None], list[str]] = {}
    for topic in stage.sources:
        for row in part.rows[topic]:
            try:
                event = stage.decode(topic, row.value, row.headers)
            except Malformed:
                continue
            key = stage.key(event)
            if key.encode() == row.key and not _contradicts(stage.name, event, said):
                mine = found.setdefault(key, {name: [] for name in stage.sources})
                mine[topic].append((row.at_ms, Received(event, topic, part.number, row.offset)))
    return found


_OF_ONE_WORD: Final = {
    "continuity": ("metadata", "explanation", "session_ended", "schedule_window"),
    "deadline": ("schedule",),
}
"""Which statements a stage takes only once under an id."""


def _contradicts(stage: str, event: Any, said: dict[tuple[str, str | None], list[str]]) -> bool:
    """Whether *stage* set *event* aside because its id was used for another statement of the same thing; else it is noted in
    *said*."""
    if not isinstance(event, Annotation) or event.kind not in _OF_ONE_WORD.get(stage, ()):
        return False
    about = None if event.kind == "schedule_window" else event.recording_id
    marks = said.setdefault((event.source_id, about), [])
    try:
        if not annotation.is_repeat(event, marks):
            marks.append(annotation.mark(event))
    except StatementDiffers:
        return True
    return False


def _sent(stage: Stage[Any, Any], settings: Settings, part: Partition) -> dict[str, list[Mark]]:
    """What the stage sent, by source, in order."""
    found: dict[str, list[Mark]] = {}
    output = OUTPUTS.get(stage.name)
    if output is not None:
        for row in part.rows[settings.topic(output.name)]:
            event = codec.decode(output.name, row.value, row.headers)
            found.setdefault(codec.key(event).decode(), []).append(_mark(event))
    return found


def _mark_of_output(output: Output) -> Mark:
    names = dict(output.headers)
    return _mark(codec.decode(names["ce_type"].decode().removeprefix("unbroken."), output.value))


def _mark(event: Judged | LinkAppended | DeadlineChanged | RecordingArchived) -> Mark:
    """An output as far as its place in the order is concerned. An account is compared by the chain that digests it."""
    if isinstance(event, Judged):
        landed = event.segment.probed.landed if event.segment else None
        said = event.annotation.annotation_id if event.annotation else None
        revision = event.ended.revision if event.ended else None
        what = (landed.connector, landed.announcement) if landed else said or revision
        return Mark(event.position, (event.kind, event.recording_id, what))
    if isinstance(event, LinkAppended):
        return Mark((event.recording_id, event.seq), event.hash)
    if isinstance(event, DeadlineChanged):
        return Mark((event.recording_id, event.state, event.changed_at))
    raise TypeError(f"not an output that is compared: {type(event).__name__}")


# -- writing -------------------------------------------------------------------------------------------------------------


async def write(
    stage: Stage[Any, Any], settings: Settings, part: Partition, log: Loaded, found: Sequence[Standing]
) -> int:
    """Put the records of *found* into the stage's state topic; returns how many. The workers must stand still.

    Raises :class:`BrokerUnavailable` when they may not all be there, or when somebody else wrote meanwhile: run it again.
    """
    records = {each.source: each.record for each in found if each.record is not None}
    if not records or stage.state_topic is None:
        return 0
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True, max_request_size=8 << 20
    )
    try:
        await producer.start()

        async def put(key: bytes, value: bytes) -> int:
            sent = await producer.send_and_wait(stage.state_topic, value, key=key, partition=part.number)
            return int(sent.offset)

        epoch = await put(OWNER_KEY, encode_owner(f"rebuild-{uuid.uuid4().hex}"))
        offsets = [await put(key.encode(), encode_record(replace(one, epoch=epoch))) for key, one in records.items()]
        done = {t: part.committed[t] for t in stage.sources if t in part.committed}
        passed = {topic: max(done.get(topic, 0), log.passed.get(topic, 0)) for topic in {*done, *log.passed}}
        offsets.append(await put(PASSED_KEY, encode_passed(passed)))
    except (KafkaError, OSError) as exc:
        raise BrokerUnavailable(
            f"the state may not be written whole, write it again: {exc!r} ({stage.state_topic})"
        ) from exc
    finally:
        await producer.stop()
    if not consecutive(offsets, epoch + 1):
        raise BrokerUnavailable(
            f"somebody else wrote at the same time; stop the workers, write it again ({stage.state_topic})"
        )
    return len(records)
