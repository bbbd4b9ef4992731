"""The wiring: the only module that names concrete adapters and puts a worker together. Nothing happens on import.

A worker refuses to start, with a message that says what differs, unless the broker's topics, the store's buckets and
locks, and the pinned client versions are what the product needs.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Final, NoReturn

import structlog

from pipeline.adapters import logs
from pipeline.adapters.buckets import check_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_log import KafkaLinkHistory, never_written
from pipeline.adapters.kafka_quarantine import QuarantineWatch
from pipeline.adapters.kafka_topics import check_topics
from pipeline.adapters.media_pool import MediaPool
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.adapters.pace import Pace
from pipeline.adapters.prometheus import Metrics
from pipeline.adapters.salts import load_salt_key
from pipeline.adapters.signing import known_keys, open_signer
from pipeline.adapters.signing import verify as signed
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.agents import stages
from pipeline.agents.health import Health
from pipeline.agents.runner import Runner
from pipeline.agents.stage import Output
from pipeline.agents.stages import Bench
from pipeline.agents.transport import build_app
from pipeline.agents.transport import run_worker as run_app
from pipeline.domain import continuity
from pipeline.domain.errors import Misconfigured, UnbrokenError
from pipeline.domain.keys import fingerprint
from pipeline.domain.outlook import UnitDeadlines
from pipeline.domain.rolling import Standing, Verified
from pipeline.domain.time import WallMs
from pipeline.domain.worm import WormReport
from pipeline.policy import load_policy
from pipeline.reporting import sla_step
from pipeline.settings import WORKER_PORTS, Settings
from pipeline.steps.archive import ArchiveStep
from pipeline.steps.breach import BreachStep, serves
from pipeline.steps.checkpoint import CheckpointStep
from pipeline.steps.keeping import Keeper, KeepingStep
from pipeline.steps.probe import ProbeStep
from pipeline.steps.rolling import Rolling
from pipeline.steps.rolling import watch as watch_rolling
from pipeline.steps.sla import DailyReports
from pipeline.steps.stitch import StitchStep
from pipeline.steps.sweep import Sweep, Swept
from pipeline.steps.sweep import watch as watch_retention
from pipeline.steps.verify import Verification
from pipeline.steps.worm import StoreTrust
from pipeline.wire import codec, topics

SOFTWARE: Final = f"unbroken {version('unbroken')}"
PINNED: Final = {"faust-streaming": "0.15.3", "aiokafka": "0.14."}
"""The runner reaches into these two; another version is another program."""
SHOWN_SHORTFALLS: Final = 20
"""Lines in the log for one sweep; `unbroken retention sweep` tells all."""


def run_worker(which: str, settings: Settings) -> NoReturn:
    """Run the ``media`` or ``ledger`` worker until SIGTERM; raises :class:`Misconfigured` naming all that differs."""
    logs.configure(settings.log_format)
    policy = load_policy(settings.policy)
    check(settings, which)
    log = structlog.get_logger().bind(worker=which)
    metrics = Metrics()
    app = build_app(which, kafka=settings.kafka, prefix=settings.topic_prefix)
    runner = Runner(
        app,
        kafka=settings.kafka,
        quarantine_topic=settings.topic(topics.QUARANTINE.name),
        encode_quarantine=codec.encode_quarantined,
        now=SystemClock().now,
        meter=metrics,
        log=log,
    )
    bench = Bench(settings=settings, policy=policy, observe=metrics.observe)
    if which == "media":
        _media(runner, bench, metrics)
    else:
        key = load_salt_key(settings.salt_key_file, settings.state)
        _ledger(runner, replace(bench, salt_key=key), metrics, log)
    port = settings.worker_port or WORKER_PORTS[which]
    health = Health(
        app, runner, port=port, registry=metrics.registry, loop_lag=metrics.loop_lag, broker_lag=metrics.broker_lag
    )
    log.info("worker.started", port=port, policy=policy.version, software=SOFTWARE)
    run_app(app, kafka=settings.kafka, services=(health,))


def check(settings: Settings, which: str) -> None:
    """Raise :class:`Misconfigured` with every difference between this installation and what a worker needs."""
    found = [*versions_differing(), *asyncio.run(check_topics(settings)), *check_buckets(settings)]
    if not found and which == "ledger":
        found = [*memory_missing(settings)]
    if found:
        raise Misconfigured("this worker does not start until these are mended: " + " | ".join(found))


def memory_missing(settings: Settings) -> Sequence[str]:
    """What must be rebuilt first: with no memory beside a history, sources would be judged anew and linked to nothing."""

    def empty(name: str) -> bool:
        return asyncio.run(never_written(settings.kafka, settings.topic(name), settings.topic_partitions))

    if not empty(topics.state_topic("continuity").name):
        return []
    if not empty(topics.JUDGED.name):
        return ["the state topics are empty and the others are not: run `unbroken rebuild --write`"]
    store = S3Objects(open_client(settings))
    if any(next(store.list(settings.records, prefix), None) for prefix in ("recordings/", "checkpoints/")):
        return ["the topics are empty and the archive is not: run `unbroken rebuild --from-archive --write`"]
    return []


def versions_differing() -> Sequence[str]:
    """Pinned packages that are installed in another version."""
    return [
        f"package {name}: expected {wanted}, found {version(name)}; run `make install`"
        for name, wanted in PINNED.items()
        if not version(name).startswith(wanted)
    ]


def _media(runner: Runner, bench: Bench, metrics: Metrics) -> None:
    settings = bench.settings
    pool = MediaPool(
        processes=settings.probe_processes,
        timeout_s=settings.probe_timeout_s,
        memory_bytes=settings.probe_memory_bytes,
        on_death=metrics.pool_death,
    )
    metrics.pool(settings.probe_processes, lambda: pool.jobs)
    atexit.register(pool.close)
    store = S3Objects(open_client(settings))
    runner.bind(stages.media_stage(bench, ProbeStep(store, pool, bench.policy, SOFTWARE)))


def _ledger(runner: Runner, bench: Bench, metrics: Metrics, log: Any) -> None:
    settings, policy, clock = bench.settings, bench.policy, SystemClock()
    store = S3Objects(open_client(settings))
    link_topic = settings.topic(topics.LINK.name)
    stitch = StitchStep(
        store=store,
        history=KafkaLinkHistory(settings.kafka, link_topic),
        decode=lambda value: codec.decode(topics.LINK.name, value),
        derived=settings.derived,
        software=SOFTWARE,
        policy=policy,
    )
    trust = StoreTrust(
        lambda: _try_locks(settings, log), clock, settings.worm_probe_s, lambda heard: _tell(heard, metrics, log)
    )
    threading.Thread(target=trust.watch, name="worm-probe", daemon=True).start()
    signer = open_signer(settings)
    reports = DailyReports(
        sla_step(settings, store, policy, SOFTWARE), trust, settings.daily_report_s, lambda told: _reported(told, log)
    )
    threading.Thread(target=reports.watch, name="daily-reports", daemon=True).start()
    log.info("worker.key", key_id=signer.key_id, fingerprint=fingerprint(signer.public))
    archive = ArchiveStep(
        store=store,
        trust=trust,
        clock=clock,
        signer=signer,
        policy=policy,
        records=settings.records,
        derived=settings.derived,
    )
    keep = CheckpointStep(store=store, trust=trust, clock=clock, policy=policy, records=settings.records)
    bound = stages.ledger_stages(bench, keep.step, stitch.step, archive.step)
    keeper = Keeper(store=store, policy=policy, records=settings.records)
    breach = BreachStep(store=store, trust=trust, clock=clock, policy=policy, records=settings.records)
    for stage in (
        *bound.values(),
        stages.keeping_stage(bench, KeepingStep(keeper=keeper, trust=trust, clock=clock)),
        stages.breach_stage(bench, breach),
    ):
        runner.bind(stage)
    swept = Sweep(keeper=keeper, clock=clock, on_object=Pace(settings.retention_sweep_objects_per_s))
    sweeping = partial(watch_retention, swept, settings.retention_sweep_s, lambda heard: _short(heard, metrics, log))
    threading.Thread(target=sweeping, name="retention-sweep", daemon=True).start()
    reading = Verification(
        store=store,
        records=settings.records,
        originals=settings.originals,
        locks=True,
        keys={**known_keys((), settings.state), signer.key_id: signer.public},
        signed=signed,
        on_read=Pace(settings.verify_mb_per_s * 1e6),
    )
    rolling = Rolling(
        verification=reading,
        store=store,
        trust=trust,
        clock=clock,
        software=SOFTWARE,
        within_s=policy.verify_within_s,
        turn_s=settings.verify_turn_s,
        retention_s=policy.provisional_retention_s,
    )
    turning = partial(watch_rolling, rolling, lambda heard: _turned(heard, metrics, log))
    threading.Thread(target=turning, name="rolling-verify", daemon=True).start()
    aside = QuarantineWatch(settings)

    def tell(units: Sequence[UnitDeadlines], heard: WallMs | None) -> None:
        metrics.deadlines(units, heard)
        metrics.standing_gaps(continuity.standing_gaps(runner.states(bound["continuity"]).values()))

    async def look_aside() -> Sequence[Output]:
        metrics.quarantine(await aside.waiting())
        return ()

    runner.every(settings.sweep_s, "sweep", stages.sweep(bench, bound, runner.states, clock, runner.heard_until, tell))
    runner.every(
        settings.sweep_s,
        "store",
        stages.store_watch(bench, bound, runner.states, clock, lambda: serves(store, trust, settings.records)),
    )
    runner.every(policy.checkpoint_s, "checkpoint", stages.checkpoints(bench, bound, runner.states, clock))
    runner.every(settings.sweep_s, "quarantine", look_aside)


def _try_locks(settings: Settings, log: Any) -> WormReport:
    report, kept = look_at_store(settings)
    if not isinstance(kept, str):
        log.error("store.report_lost", error=str(kept))
    return report


def _short(heard: Swept | Exception, metrics: Metrics, log: Any) -> None:
    """What became of a sweep of locks and holds, for logs and metrics."""
    if isinstance(heard, UnbrokenError):
        log.warning("retention.unswept", error=str(heard))
    elif isinstance(heard, Exception):
        log.critical("retention.unswept", exc_info=heard)
    else:
        metrics.swept(heard)
        for one in heard.found[:SHOWN_SHORTFALLS]:
            log.error("retention.short", **asdict(one))
        log.info("retention.swept", recordings=heard.recordings, objects=heard.objects, short=len(heard.found))


def _turned(heard: tuple[Verified | None, Standing] | Exception, metrics: Metrics, log: Any) -> None:
    """What became of a turn of the rolling verification, for logs and metrics."""
    if isinstance(heard, UnbrokenError):
        log.warning("verify.unturned", error=str(heard))
    elif isinstance(heard, Exception):
        log.critical("verify.unturned", exc_info=heard)
    else:
        record, standing = heard
        metrics.rolling(standing)
        if record is not None:
            for item in record.failed:
                log.critical("verify.failed", **asdict(item))
            log.info("verify.turned", part=f"{record.part}/{record.of}", items=record.items, failures=record.failures)


def _tell(heard: WormReport | Exception, metrics: Metrics, log: Any) -> None:
    """What became of a try of the store's locks, for logs and metrics."""
    if isinstance(heard, UnbrokenError):
        log.warning("store.untried", error=str(heard))
    elif isinstance(heard, Exception):
        log.critical("store.untried", exc_info=heard)
    else:
        metrics.worm(heard)
        if heard.wrong:
            log.critical("store.mistrusted", wrong=[f"{item.name}: {item.found}" for item in heard.wrong])
        else:
            log.info("store.trusted", differs=[item.name for item in heard.differing])


def _reported(told: Sequence[str] | Exception, log: Any) -> None:
    """What became of a look at the daily reports, for the logs."""
    if isinstance(told, UnbrokenError):
        log.warning("reports.waiting", error=str(told))
    elif isinstance(told, Exception):
        log.critical("reports.failed", exc_info=told)
    elif told:
        log.info("reports.written", keys=list(told))
