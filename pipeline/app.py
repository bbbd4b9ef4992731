"""The wiring: the only module that names concrete adapters and puts a worker together. Nothing happens on import.

A worker refuses to start, with a message that says what differs, unless the broker's topics, the store's buckets and
locks, and the pinned client versions are what the product needs.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Final, NoReturn, TypeVar

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
from pipeline.adapters.signing import Ed25519Signer, open_signer, trusted_keys
from pipeline.adapters.signing import verify as signed
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.agents import stages
from pipeline.agents.health import Health
from pipeline.agents.runner import Runner
from pipeline.agents.stage import Output, Stage
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
from pipeline.steps.seal import Sealer, Seals
from pipeline.steps.sla import DailyReports
from pipeline.steps.stitch import StitchStep
from pipeline.steps.sweep import Sweep, Swept
from pipeline.steps.sweep import watch as watch_retention
from pipeline.steps.verify import Verification
from pipeline.steps.worm import StoreTrust
from pipeline.wire import codec, topics

T = TypeVar("T")

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
    signer = open_signer(settings)
    log.info("worker.key", key_id=signer.key_id, fingerprint=fingerprint(signer.public))
    trust = StoreTrust(
        partial(_try_locks, settings, log),
        clock,
        settings.worm_probe_s,
        _heard(log, partial(_locks_tried, metrics, log), "store.untried"),
    )
    _start("worm-probe", trust.watch)
    reports = DailyReports(
        sla_step(settings, store, policy, SOFTWARE),
        trust,
        settings.daily_report_s,
        _heard(log, partial(_reported, log), "reports.waiting", "reports.failed"),
    )
    _start("daily-reports", reports.watch)
    keeper = Keeper(
        store=store,
        policy=policy,
        records=settings.records,
        seals=Seals(store=store, records=settings.records, keys=trusted_keys(settings), signed=signed),
        sealer=Sealer(store=store, signer=signer, records=settings.records),
    )
    sweep = Sweep(keeper=keeper, clock=clock, on_object=Pace(settings.retention_sweep_objects_per_s))
    swept = _heard(log, partial(_swept, metrics, log), "retention.unswept")
    _start("retention-sweep", partial(watch_retention, sweep, settings.retention_sweep_s, swept))
    turned = _heard(log, partial(_turned, metrics, log), "verify.unturned")
    _start("rolling-verify", partial(watch_rolling, _rolling(bench, store, trust, signer), turned))
    bound = _ledger_stages(runner, bench, store, trust, signer, keeper)
    _timers(runner, bench, bound, metrics, lambda: serves(store, trust, settings.records, runner.waiting().values()))


def _ledger_stages(
    runner: Runner, bench: Bench, store: S3Objects, trust: StoreTrust, signer: Ed25519Signer, keeper: Keeper
) -> dict[str, Stage[Any, Any]]:
    """Bind every stage of the ledger; returns those that timers read."""
    settings, policy, clock = bench.settings, bench.policy, SystemClock()
    stitch = StitchStep(
        store=store,
        history=KafkaLinkHistory(settings.kafka, settings.topic(topics.LINK.name)),
        decode=partial(codec.decode, topics.LINK.name),
        derived=settings.derived,
        software=SOFTWARE,
        policy=policy,
    )
    archive = ArchiveStep(
        store=store,
        trust=trust,
        clock=clock,
        signer=signer,
        keeper=keeper,
        derived=settings.derived,
    )
    keep = CheckpointStep(store=store, trust=trust, clock=clock, signer=signer, policy=policy, records=settings.records)
    breach = BreachStep(store=store, trust=trust, clock=clock, signer=signer, policy=policy, records=settings.records)
    bound = stages.ledger_stages(bench, keep.step, stitch.step, archive.step)
    keeping = stages.keeping_stage(bench, KeepingStep(keeper=keeper, trust=trust, clock=clock))
    for stage in (*bound.values(), keeping, stages.breach_stage(bench, breach)):
        runner.bind(stage)
    return bound


def _timers(
    runner: Runner, bench: Bench, bound: dict[str, Stage[Any, Any]], metrics: Metrics, serving: Callable[[], bool]
) -> None:
    """What the ledger looks at every so often, beside its messages."""
    settings, clock, aside = bench.settings, SystemClock(), QuarantineWatch(bench.settings)

    def tell(units: Sequence[UnitDeadlines], heard: WallMs | None) -> None:
        metrics.deadlines(units, heard)
        metrics.standing_gaps(continuity.standing_gaps(runner.states(bound["continuity"]).values()))

    async def look_aside() -> Sequence[Output]:
        metrics.quarantine(await aside.waiting())
        return ()

    runner.every(settings.sweep_s, "sweep", stages.sweep(bench, bound, runner.states, clock, runner.heard_until, tell))
    runner.every(settings.sweep_s, "store", stages.store_watch(bench, bound, runner.states, clock, serving))
    runner.every(bench.policy.checkpoint_s, "checkpoint", stages.checkpoints(bench, bound, runner.states, clock))
    runner.every(settings.sweep_s, "quarantine", look_aside)


def _rolling(bench: Bench, store: S3Objects, trust: StoreTrust, signer: Ed25519Signer) -> Rolling:
    """The verification that goes round the whole archive, at the pace it is allowed."""
    settings, policy = bench.settings, bench.policy
    reading = Verification(
        store=store,
        records=settings.records,
        originals=settings.originals,
        locks=True,
        keys=trusted_keys(settings),
        signed=signed,
        on_read=Pace(settings.verify_mb_per_s * 1e6),
    )
    return Rolling(
        verification=reading,
        store=store,
        trust=trust,
        clock=SystemClock(),
        sealer=Sealer(store=store, signer=signer, records=settings.records),
        software=SOFTWARE,
        within_s=policy.verify_within_s,
        turn_s=settings.verify_turn_s,
        retention_s=policy.provisional_retention_s,
    )


def _start(name: str, watch: Callable[[], None]) -> None:
    """Run *watch*, which never returns, in a thread of its own that ends with the process."""
    threading.Thread(target=watch, name=name, daemon=True).start()


def _heard(log: Any, tell: Callable[[T], None], waits: str, fails: str = "") -> Callable[[T | Exception], None]:
    """What a watch calls after each look: *tell* gets what it saw, the log what kept it from seeing, an error of ours as
    *waits* (it is tried again), a defect as *fails*, or by the same name."""

    def heard(what: T | Exception) -> None:
        if isinstance(what, UnbrokenError):
            log.warning(waits, error=str(what))
        elif isinstance(what, Exception):
            log.critical(fails or waits, exc_info=what)
        else:
            tell(what)

    return heard


def _try_locks(settings: Settings, log: Any) -> tuple[WormReport, bool]:
    report, kept = look_at_store(settings)
    if not isinstance(kept, str):
        log.error("store.report_lost", error=str(kept))
    return report, isinstance(kept, str)


def _locks_tried(metrics: Metrics, log: Any, report: WormReport) -> None:
    metrics.worm(report)
    if report.wrong:
        log.critical("store.mistrusted", wrong=[f"{item.name}: {item.found}" for item in report.wrong])
    else:
        log.info("store.trusted", differs=[item.name for item in report.differing])


def _reported(log: Any, keys: Sequence[str]) -> None:
    if keys:
        log.info("reports.written", keys=list(keys))


def _swept(metrics: Metrics, log: Any, swept: Swept) -> None:
    metrics.swept(swept)
    for one in swept.found[:SHOWN_SHORTFALLS]:
        log.error("retention.short", **asdict(one))
    log.info("retention.swept", recordings=swept.recordings, objects=swept.objects, short=len(swept.found))


def _turned(metrics: Metrics, log: Any, turned: tuple[Verified | None, Standing]) -> None:
    record, standing = turned
    metrics.rolling(standing)
    if record is not None:
        for item in record.failed:
            log.critical("verify.failed", **asdict(item))
        log.info("verify.turned", part=f"{record.part}/{record.of}", items=record.items, failures=record.failures)
