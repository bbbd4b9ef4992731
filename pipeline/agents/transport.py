"""Faust, held to four rules it does not keep by itself.

1. The committed offset is what the runner says is finished, never what a stream has let go of. Faust acknowledges an
   event whose handler raised or was cancelled, and can commit past an unfinished one; here its acknowledgements move
   nothing.
2. Before partitions are given away, and before the process ends, work in flight is finished or let go of untouched
   (:meth:`Custody.settle`); after they are taken, state is in memory before the first event (:meth:`Custody.take`).
3. The producer is idempotent and waits for all in-sync replicas.

4. A group whose leader did not know a topic while it shared out the partitions (a broker that has only just started says
   so) shares them out again. Faust leaves such a topic out and nobody reads it any more.

This file reaches into Faust 0.15.3; its tests must pass before that pin moves.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, NoReturn, Protocol, cast

import faust
import structlog
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

COMMIT_INTERVAL_S: Final = 0.5
BUFFER_EVENTS: Final = 1280
# Faust stops fetching a partition at 80 % of its buffer but still delivers what one poll brought. Polls smaller than the
# remaining 20 % can never fill a buffer, so a partition that waits on an error never holds up the others.
POLL_RECORDS: Final = 250
POLL_S: Final = 0.1
RENEW_STOP_S: Final = 30
SHARE_AGAIN_S: Final = 2.0
STOP_S: Final = 50.0
EXIT_SLOW_STOP: Final = 71


class Custody(Protocol):
    """Who holds the partitions' work; the runner."""

    async def take(self, assigned: Iterable[TP]) -> None:
        """Load what is needed for *assigned*. Called before any of their events; never raises."""
        ...

    def resume(self, committed: Mapping[TP, int], beginning: Mapping[TP, int]) -> Mapping[TP, int]:
        """Where to read each assigned partition from, given what is committed and the oldest offset still there.

        May be called several times for one assignment, and before ``take`` is done (the answer is then empty).
        """
        ...

    async def settle(self) -> None:
        """Finish or let go of everything in flight, soon. Nothing is processed afterwards until the next ``take``."""
        ...

    def positions(self) -> Mapping[TP, int]:
        """Next offset to read of each partition, counting only events whose effects are on the broker."""
        ...


class Consumer(driver.Consumer):
    """Commits what the custody has finished."""

    @property
    def custody(self) -> Custody | None:
        return cast(Transport, self.transport).custody

    async def getmany(self, timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109  (Faust's signature)
        """As Faust's, with a shorter wait, so that a partition whose buffer has drained is fetched again at once."""
        async for found in super().getmany(min(timeout, POLL_S)):
            yield found

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, or further back where state is behind them."""
        await super().perform_seek()
        assigned = self.assignment()
        if self.custody is None or not assigned:
            return
        committed = {tp: offset for tp in assigned if (offset := self._committed_offset[tp])}
        beginning = await self.earliest_offsets(*assigned)
        for tp, offset in self.custody.resume(committed, {tp: beginning[tp] for tp in assigned}).items():
            if offset != committed.get(tp):
                await self.seek(tp, offset)

    async def wait_empty(self) -> None:
        """Settle and commit. Faust itself would wait for every message it has handed out, for ever for one that one of
        two agents on a topic has let go of and the other never saw, because its queue was emptied."""
        if self.custody is not None:
            await self.custody.settle()
            self._unacked_messages.clear()
        await super().wait_empty()

    async def force_commit(self, *_: Any, **__: Any) -> bool:
        """Commit everything finished since the last time, whichever topics Faust asks for."""
        self._acked.clear()
        self._acked_index.clear()
        if self.custody is None:
            return False
        assigned = self.assignment()
        due = {tp: offset for tp, offset in self.custody.positions().items() if tp in assigned}
        due = {tp: offset for tp, offset in due.items() if offset > (self._committed_offset[tp] or 0)}
        if not due or not await self._commit(due):
            return False
        self._committed_offset.update(due)
        return True

    def close(self) -> None:
        """Nothing: Faust would cut the connections when it is told to stop during a rebalance, and then wait for ever for
        the group to be left over them. The consumer's thread leaves the group and closes when it stops."""

    def share_again(self) -> None:
        """Have the group share out its partitions anew, soon. Called in the consumer's thread."""
        client = self._thread._ensure_consumer()
        client._client.force_metadata_update()
        asyncio.get_running_loop().call_later(SHARE_AGAIN_S, client._coordinator.request_rejoin)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's guesses about stuck streams are replaced by ``health``."""


class Producer(driver.Producer):
    """Idempotent; Faust offers no setting for it."""

    _renewing: asyncio.Lock | None = None

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    @property
    def client(self) -> AIOKafkaProducer | None:
        """The client that sends now."""
        return self._producer

    async def renew(self, failed: AIOKafkaProducer | None) -> None:
        """Replace *failed* by a new client, unless that was done meanwhile.

        After the broker has refused a batch for good, an idempotent client's sequence numbers have a hole and every
        later batch for that partition is refused too: only a new producer id helps. Whoever was waiting on the old
        client is told that nothing is known of its records.
        """
        self._renewing = self._renewing or asyncio.Lock()
        async with self._renewing:
            if self._producer is not failed:
                return
            fresh = self._new_producer()
            await fresh.start()
            self._producer = fresh
        if failed is not None:
            self.add_future(_stop(failed))


class Assignor(PartitionAssignor):
    """Faust's, which keeps partitions of one number together, and does not give up on a topic it cannot see yet."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:
        wanted = {topic for member in member_metadata.values() for topic in member.subscription}
        missing = sorted(topic for topic in wanted if not cluster.partitions_for_topic(topic))
        if missing:
            structlog.get_logger().warning("topics.missing", topics=missing)
            cast(Consumer, self.app.consumer).share_again()
        return super().assign(cluster, member_metadata)


async def _stop(client: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(client.stop(), timeout=RENEW_STOP_S)
    except (KafkaError, TimeoutError) as exc:
        structlog.get_logger().warning("producer.renewed", error=repr(exc))


class Transport(driver.Transport):
    Consumer = Consumer
    Producer = Producer
    custody: Custody | None = None


def build_app(name: str, *, kafka: str, prefix: str, session_s: float = 10.0) -> faust.App:
    """A Faust app and consumer group ``<prefix>-<name>`` that declares no topics, keeps no tables and serves no web.

    *session_s*: after how long the group gives a silent worker's partitions to others.
    """
    app = faust.App(
        f"{prefix}-{name}",
        broker=[f"kafka://{server.strip()}" for server in kafka.split(",")],
        datadir=tempfile.mkdtemp(prefix=f"{prefix}-{name}-"),
        store="memory://",
        processing_guarantee="at_least_once",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 5,
        broker_rebalance_timeout=60,
        broker_max_poll_records=POLL_RECORDS,
        stream_buffer_maxsize=BUFFER_EVENTS,
        stream_wait_empty=True,
        stream_recovery_delay=0,
        producer_acks=-1,
        producer_linger=0,
        producer_compression_type="lz4",
        producer_max_request_size=8 << 20,
        PartitionAssignor=Assignor,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    app.producer_transport = Transport(app.conf.broker_producer, app)
    return app


async def wait_for_broker(kafka: str) -> None:
    """Return once one of the bootstrap servers accepts a connection; Faust itself would give up after two seconds."""
    log = structlog.get_logger()
    servers = [server.strip().rpartition(":") for server in kafka.split(",")]
    while True:
        for host, _, port in servers:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), timeout=3)
            except (OSError, TimeoutError):
                continue
            writer.close()
            return
        log.warning("broker.waiting", kafka=kafka)
        await asyncio.sleep(1)


class _Worker(faust.Worker):
    def _on_sigterm(self) -> None:
        self._stop_in_time()
        super()._on_sigterm()

    def _on_sigint(self) -> None:
        self._stop_in_time()
        super()._on_sigint()

    def _stop_in_time(self) -> None:
        def cut_short() -> None:
            structlog.get_logger().error("worker.cut_short", seconds=STOP_S)
            os._exit(EXIT_SLOW_STOP)

        timer = threading.Timer(STOP_S, cut_short)
        timer.daemon = True
        timer.start()


def run_worker(app: faust.App, *, kafka: str, services: tuple[Any, ...] = ()) -> NoReturn:
    """Wait for the broker, then run *app* (and mode *services* beside it) until SIGTERM or SIGINT; ends the process.

    Exit code 0 after a clean stop: in-flight work finished or let go of, offsets committed, group left. A stop that takes
    longer than ``STOP_S`` (a broker that does not answer) is cut short with ``EXIT_SLOW_STOP``: what is not committed is
    read again, so nothing is lost by it.
    """
    uvloop.install()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(wait_for_broker(kafka))
    worker = _Worker(app, *services, loop=loop, quiet=True, loglevel="WARN", override_logging=False)
    worker.spinner = None
    worker.execute_from_commandline()
    raise SystemExit(0)
