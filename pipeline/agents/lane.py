"""A lane: one partition number of one stage, carried by one task, in order. All the order rules live here.

For each batch of waiting inputs:
 1. decode and step, purely, until the batch or its size limit ends or an input cannot be carried on yet;
 2. put the new state of every key touched, with the batch's outputs as outbox, and wait;
 3. send outputs and quarantined inputs, and wait;
 4. only then adopt the new states and count the inputs as finished.
A crash between any two of these repeats: an input already applied to its key is recognised and does nothing, and outboxes
that may not have been delivered are sent again when the partition is taken.

An input ends as exactly one of: carried on, quarantined (``Malformed`` or another error that repeating cannot help), or
blocking its lane while it is retried: for ever, with growing pauses. An exception that is not one of ours is a defect in
our code, not in the input: it blocks too, loudly, because skipping would reorder evidence.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import os
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Generic, cast

from pipeline.agents.broker import Broker, Claim, Write
from pipeline.agents.stage import E, Meter, Output, QuarantineEncoder, Received, S, Stage
from pipeline.agents.state_log import PASSED_KEY, Loaded, Record, consecutive, encode_passed, encode_record, load
from pipeline.domain.errors import Malformed, UnbrokenError
from pipeline.domain.quarantine import Quarantined
from pipeline.domain.time import WallMs

BATCH_PURE: Final = 100
BATCH_APART: Final = 4
# A state record carries its batch's outputs in base64 and must stay under the 8 MiB of a state topic's records. One
# input may lead to much at once: the account of a day with thousands of interruptions and a link for each.
BATCH_BYTES: Final = 256 << 10
OUTPUT_BYTES: Final = 4 << 20
PAUSE_FIRST_S: Final = 0.2
PAUSE_MAX_S: Final = 30.0
EXIT_HOLE: Final = 70


class WrongKey(Malformed):
    """The record's Kafka key is not the key its content says; its partition may not be where its history is."""


class TooLarge(UnbrokenError):
    """What follows from the input does not fit in a record."""


class Released(Exception):
    """Inside a lane: the partition is being given away, stop now."""


class Ghost(Exception):
    """Inside a lane: another process owns the partition."""


class LogMoved(Exception):
    """Inside a lane: our put did not land where a sole writer's would; read the log again."""


@dataclass(frozen=True)
class Desk:
    """What all lanes of a runner share."""

    broker: Broker
    owner: str
    quarantine_topic: str
    encode_quarantine: QuarantineEncoder
    now: Callable[[], WallMs]
    meter: Meter
    log: Any
    end_process: Callable[[int], None] = os._exit


@dataclass(frozen=True, slots=True)
class Held(Generic[S]):
    """One key in memory: its state, the highest offset folded per topic, how often it was put."""

    state: S
    applied: Mapping[str, int]
    version: int


@dataclass(slots=True)
class Plan(Generic[S]):
    """What carrying the first ``count`` inputs of a batch means, before any of it is done. ``trouble`` stopped it there."""

    count: int = 0
    replayed: int = 0
    changed: dict[str, Held[S]] = field(default_factory=dict)
    outbox: dict[str, list[Output]] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    quarantined: list[tuple[Any, UnbrokenError]] = field(default_factory=list)
    size_bytes: int = 0
    trouble: Exception | None = None


class Lane(Generic[S, E]):
    """The task and the state of one partition number of one stage, from one assignment to the next revocation."""

    def __init__(self, stage: Stage[S, E], partition: int, desk: Desk, retrying: Callable[[str, int], None]) -> None:
        self.stage = stage
        self.partition = partition
        self.held: dict[str, Held[S]] = {}
        self.finished: dict[str, int] = {}
        self.waiting_on: Exception | None = None
        self._desk = desk
        self._log = desk.log.bind(stage=stage.name, partition=partition)
        self._retrying = retrying
        self._io = inspect.iscoroutinefunction(stage.step)
        self._batch = stage.batch or (BATCH_PURE if not self._io else 1 if stage.state_topic else BATCH_APART)
        self._queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=2 * self._batch)
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._start: dict[str, int] = {}
        self._expected: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._loaded = Loaded()
        self._epoch = 0
        self._next_put = 0
        self._redo: tuple[Output, ...] = ()
        self._attempt = 0

    # -- taking and giving away --------------------------------------------------------------------------------------

    def load(self, claim: Claim) -> None:
        """Adopt what the state log holds; raises :class:`StateUnreadable` for the record of another release."""
        self._loaded, self._epoch = claim
        self._next_put = claim.epoch + 1
        self.held = {
            key: Held(load(self.stage, key, record), record.applied, record.version)
            for key, record in claim.loaded.records.items()
        }

    def resume(self, committed: Mapping[str, int], beginning: Mapping[str, int]) -> dict[str, int]:
        """Begin, or go on; returns the next offset wanted of each source topic. State older than what was committed is
        refolded."""
        if self._task is not None:
            return dict(self._expected)
        start: dict[str, int] = {}
        for topic in beginning:
            done = committed.get(topic, 0)
            known = self._loaded.next_offset(topic) if self.stage.state_topic else done
            if known < done:
                self._log.error("state.behind", topic=topic, committed=done, state=known, oldest=beginning[topic])
                self._desk.meter.state_behind(self.stage.name)
            if done < beginning[topic] and done:
                self._log.critical("history.trimmed", topic=topic, committed=done, oldest=beginning[topic])
            start[topic] = max(min(done, known), beginning[topic])
        self._start, self._expected, self._committed = start, dict(start), dict(committed)
        self._redo = self._undelivered(committed)
        self._task = asyncio.create_task(self._run(), name=f"{self.stage.name}/{self.partition}")
        return dict(start)

    def _undelivered(self, committed: Mapping[str, int]) -> tuple[Output, ...]:
        """Outboxes whose last input is not known to be committed: they may never have been sent."""
        return tuple(
            output
            for record in self._loaded.records.values()
            if any(offset >= committed.get(topic, 0) for topic, offset in record.applied.items())
            for output in record.outbox
        )

    async def put(self, message: Any) -> None:
        """Queue one input (a Faust message); waits while the lane is full. Ends the process at a hole in the offsets."""
        expected = self._expected.get(message.topic)
        if self._closing.is_set() or expected is None or message.offset < expected:
            return  # not ours now, or already here: the committed offset does not move, so it comes again
        if message.offset > expected:
            self._log.critical("offsets.hole", topic=message.topic, expected=expected, found=message.offset)
            self._desk.end_process(EXIT_HOLE)
        self._expected[message.topic] = message.offset + 1
        await self._queue.put(message)

    def close(self) -> None:
        """Take no further batch; a batch that only waits to be retried is let go of."""
        self._closing.set()
        self._expected.clear()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        if self._task is not None and self._task.done():
            self._wait_over()

    @property
    def task(self) -> asyncio.Task[None] | None:
        return self._task

    @property
    def dead(self) -> bool:
        """Ended without being told to."""
        return self._task is not None and self._task.done() and not self._closing.is_set()

    @property
    def positions(self) -> dict[str, int]:
        """Next offset to finish, per source topic."""
        return {**self._start, **self.finished}

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._insist(self._settle_log)
            while not self._closing.is_set():
                await self._carry(await self._take())
        except Released:
            self._wait_over()
        except Ghost as exc:
            self._log.critical("state.ghost", owner=self._desk.owner)
            self._stop_for_good(exc)
        except Exception as exc:
            # A defect of ours outside a step. Nothing more is finished here; the gauge stays up and health reports it.
            self._log.critical("lane.broken", exc_info=True)
            self._stop_for_good(exc)

    def _stop_for_good(self, exc: Exception) -> None:
        if self.waiting_on is None:
            self._retrying(self.stage.name, 1)
        self.waiting_on = exc

    async def _take(self) -> list[Any]:
        batch = [await self._queue.get()]
        while len(batch) < self._batch and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        if None in batch:
            raise Released
        return batch

    async def _carry(self, batch: list[Any]) -> None:
        began = monotonic()
        while batch:
            plan = await self._plan(batch)
            if plan.count:
                if not await self._deliver(plan):
                    continue  # the log was read again, so what was planned may already be done
                self._adopt(plan, batch[: plan.count])
                batch = batch[plan.count :]
            if plan.trouble:
                await self._pause(plan.trouble)
            else:
                self._wait_over()
        self._desk.meter.carried(self.stage.name, monotonic() - began)

    # -- 1: plan -----------------------------------------------------------------------------------------------------

    async def _plan(self, batch: Sequence[Any]) -> Plan[S]:
        plan: Plan[S] = Plan()
        apart = self._io and self.stage.state_topic is None
        judged = await asyncio.gather(*(self._judge(message, plan) for message in batch)) if apart else None
        for number, message in enumerate(batch):
            if plan.size_bytes > BATCH_BYTES:
                break
            outcome = judged[number] if judged else await self._judge(message, plan)
            if isinstance(outcome, Exception):
                if not isinstance(outcome, UnbrokenError) or outcome.retryable:
                    plan.trouble = outcome
                    break
                plan.quarantined.append((message, outcome))
            elif outcome is None:
                plan.replayed += 1
            else:
                self._fold(plan, message, *outcome)
            plan.count += 1
        return plan

    async def _judge(self, message: Any, plan: Plan[S]) -> tuple[str, S, Sequence[Output]] | Exception | None:
        """The next state of the input's key and its outputs, or ``None`` for a replay, or what is in the way."""
        stage = self.stage
        try:
            event = stage.decode(message.topic, message.value, tuple(message.headers or ()))
            key = stage.key(event)
            if key.encode() != message.key:
                raise WrongKey(f"the content belongs to {key!r}, the record's key is {message.key!r}")
            held = self._held(key, plan)
            if message.offset <= held.applied.get(message.topic, -1):
                return None
            result = stage.step(held.state, Received(event, message.topic, message.partition, message.offset))
            state, outputs = await result if inspect.isawaitable(result) else result
            size = sum(len(output.value) for output in outputs)
            if size > OUTPUT_BYTES:
                raise TooLarge(f"outputs of {size} bytes, at most {OUTPUT_BYTES} fit in a record")
        except Exception as exc:
            return exc
        return key, state, outputs

    def _held(self, key: str, plan: Plan[S]) -> Held[S]:
        if self.stage.state_topic is None:
            return Held(cast(S, None), {}, 0)
        return plan.changed.get(key) or self.held.get(key) or Held(self.stage.initial(key), {}, 0)

    def _fold(self, plan: Plan[S], message: Any, key: str, state: S, outputs: Sequence[Output]) -> None:
        if self.stage.state_topic is not None:
            before = self._held(key, plan)
            version = before.version if key in plan.changed else before.version + 1
            plan.changed[key] = Held(state, {**before.applied, message.topic: message.offset}, version)
            plan.outbox.setdefault(key, []).extend(outputs)
        plan.outputs.extend(outputs)
        plan.size_bytes += sum(len(output.value) for output in outputs)

    # -- 2 and 3: do -------------------------------------------------------------------------------------------------

    async def _deliver(self, plan: Plan[S]) -> bool:
        """Make the plan's effects durable. ``False``: the state log had to be read again; plan anew."""
        if self.stage.state_topic is None:
            await self._insist(lambda: self._send(plan))
            return True
        try:
            await self._put([*self._state_writes(plan), *self._passed_writes(plan)])
            await self._send(plan)
        except (UnbrokenError, LogMoved) as exc:
            # After a failed put nobody knows what landed. The log does: take it again as at an assignment.
            await self._pause(exc)
            await self._insist(self._reopen)
            return False
        return True

    async def _put(self, writes: Sequence[Write]) -> None:
        if not writes:
            return
        offsets = await self._desk.broker.write(writes)
        if not consecutive(offsets, self._next_put):
            raise LogMoved(f"state put at {sorted(offsets)}, a sole writer's would be at {self._next_put}")
        self._next_put += len(offsets)

    def _state_writes(self, plan: Plan[S]) -> list[Write]:
        topic = cast(str, self.stage.state_topic)
        return [
            Write(topic, self.partition, key.encode(), self._record(held, tuple(plan.outbox[key])))
            for key, held in plan.changed.items()
        ]

    def _record(self, held: Held[S], outbox: tuple[Output, ...]) -> bytes:
        state = self.stage.dump(held.state)
        return encode_record(Record(state, held.applied, held.version, self._epoch, outbox, self.stage.state_format))

    def _passed_writes(self, plan: Plan[S]) -> list[Write]:
        """A quarantined input has no key to remember it by; without a trace its offset would look like lost state."""
        if not plan.quarantined:
            return []
        for message, _ in plan.quarantined:
            self._loaded.passed[message.topic] = message.offset + 1
        return [
            Write(cast(str, self.stage.state_topic), self.partition, PASSED_KEY, encode_passed(self._loaded.passed))
        ]

    async def _send(self, plan: Plan[S]) -> None:
        outputs = [*plan.outputs, *(self._quarantine(message, exc) for message, exc in plan.quarantined)]
        await self._write_outputs(outputs)

    async def _write_outputs(self, outputs: Sequence[Output]) -> None:
        if outputs:
            await self._desk.broker.write([Write(o.topic, self.partition, o.key, o.value, o.headers) for o in outputs])

    def _quarantine(self, message: Any, exc: UnbrokenError) -> Output:
        item = Quarantined(
            stage=self.stage.name,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key_base64=None if message.key is None else base64.b64encode(message.key).decode(),
            value_base64=None if message.value is None else base64.b64encode(message.value).decode(),
            reason=reason_of(exc),
            detail=str(exc)[:2000],
            at=self._desk.now(),
        )
        value = self._desk.encode_quarantine(item, tuple(message.headers or ()))
        return Output(self._desk.quarantine_topic, message.key or b"", value)

    # -- 4: finish ---------------------------------------------------------------------------------------------------

    def _adopt(self, plan: Plan[S], messages: Sequence[Any]) -> None:
        self.held.update(plan.changed)
        for message in messages:
            self.finished[message.topic] = message.offset + 1
        meter, name = self._desk.meter, self.stage.name
        for message, exc in plan.quarantined:
            reason = reason_of(exc)
            self._log.warning(
                "input.quarantined", topic=message.topic, offset=message.offset, reason=reason, error=str(exc)
            )
            meter.quarantined(reason)
        done = plan.count - plan.replayed - len(plan.quarantined)
        for result, count in (("done", done), ("replayed", plan.replayed), ("quarantined", len(plan.quarantined))):
            if count:
                meter.events(name, result, count)

    # -- the state log -----------------------------------------------------------------------------------------------

    async def _settle_log(self) -> None:
        """Put back what compaction could lose, and send what may not have been sent."""
        records = self._loaded.records
        stale = {key: self.held[key] for key in self._loaded.stale}
        await self._put(
            [
                Write(cast(str, self.stage.state_topic), self.partition, k.encode(), self._record(h, records[k].outbox))
                for k, h in stale.items()
            ]
        )
        await self._write_outputs(self._redo)
        self._redo = ()

    async def _reopen(self) -> None:
        """Read the log again and send every outbox again; raise ``Ghost`` if another process has claimed it."""
        topic = cast(str, self.stage.state_topic)
        if (await self._desk.broker.peek(topic, self.partition)).owner != self._desk.owner:
            raise Ghost
        self.load((await self._desk.broker.claim([(topic, self.partition)], self._desk.owner))[topic, self.partition])
        self._redo = self._undelivered({**self._committed, **self.finished})
        await self._settle_log()

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def _insist(self, action: Callable[[], Any]) -> None:
        """Do *action* until it succeeds; raises only ``Released`` and ``Ghost``."""
        while True:
            try:
                await action()
            except (UnbrokenError, LogMoved) as exc:
                await self._pause(exc)
                if isinstance(exc, LogMoved):
                    action = self._reopen
            else:
                return

    async def _pause(self, exc: Exception) -> None:
        """Wait before the next attempt, longer each time; raises ``Released`` when the partition is given away."""
        if self.waiting_on is None:
            self._retrying(self.stage.name, 1)
        self.waiting_on = exc
        self._desk.meter.retried(self.stage.name)
        pause_s = min(PAUSE_FIRST_S * 2 ** min(self._attempt, 20), PAUSE_MAX_S) * random.uniform(0.5, 1)  # noqa: S311
        self._attempt += 1
        if isinstance(exc, UnbrokenError | LogMoved):
            self._log.warning("input.waiting", error=str(exc), attempt=self._attempt, pause_s=round(pause_s, 2))
        else:
            self._log.critical("input.blocked", attempt=self._attempt, pause_s=round(pause_s, 2), exc_info=exc)
        try:
            await asyncio.wait_for(self._closing.wait(), pause_s)
        except TimeoutError:
            return
        raise Released

    def _wait_over(self) -> None:
        self._attempt = 0
        if self.waiting_on is not None:
            self.waiting_on = None
            self._retrying(self.stage.name, -1)


def reason_of(exc: UnbrokenError) -> str:
    """The error's class as a word for labels: ``UnsupportedVersion`` -> ``unsupported_version``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(exc).__name__).lower()
