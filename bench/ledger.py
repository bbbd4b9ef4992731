"""Ledger: segments a second through continuity and chain, against Faust's bare pass-through of the same messages.

Both read the same probed events from the same broker in the same run, with the same number of worker processes. The
pass-through decodes nothing, remembers nothing and promises nothing; it is the floor, not a rival. Broker, workers and
this program share the machine's cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.kafka_topics import admin, apply_topics
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.probe import SegmentProbed
from pipeline.settings import Settings
from pipeline.wire import codec, topics
from tests.builders import probed

SOURCES = 40
WORKERS = 2
BASE_PORT = 19121


def run(segments: int = 30_000) -> dict[str, Any]:
    """Measure both; returns rates, their ratio, cold start and resident memory."""
    prefix = f"bench{secrets.token_hex(3)}"
    settings = Settings(topic_prefix=prefix)  # everything else from the environment
    apply_buckets(settings)
    asyncio.run(apply_topics(settings))
    asyncio.run(_fill(settings, segments))
    try:
        ledger = _measure(settings, segments, topics.LINK.name, "ledger")
        floor = _measure(settings, segments, topics.QUARANTINE.name, "pass-through")
    finally:
        asyncio.run(_remove(settings))
    return {
        "segments": segments,
        "workers": WORKERS,
        "cores": os.cpu_count(),
        "ledger_segments_per_s": round(ledger["rate"]),
        "pass_through_messages_per_s": round(floor["rate"]),
        "ledger_to_pass_through": round(ledger["rate"] / floor["rate"], 3),
        "ledger_cpu_us_per_segment": ledger["cpu_us"],
        "pass_through_cpu_us_per_message": floor["cpu_us"],
        "cold_start_s": ledger["cold_start_s"],
        "resident_mib": ledger["resident_mib"],
    }


def main() -> dict[str, Any]:
    """Measure, print, and keep the figures in ``bench/results/ledger.json``."""
    found = run()
    print(
        f"ledger {found['ledger_segments_per_s']}/s, pass-through {found['pass_through_messages_per_s']}/s, "
        f"ratio {found['ledger_to_pass_through']}  (cpu {found['ledger_cpu_us_per_segment']} us a segment against "
        f"{found['pass_through_cpu_us_per_message']} us a message; cold start {found['cold_start_s']} s, "
        f"{found['resident_mib']} MiB resident; {found['workers']} workers, {found['cores']} cores shared with the broker)"
    )
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "ledger.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


def _events(segments: int) -> Sequence[SegmentProbed]:
    """Ten-second segments of forty cameras, round robin, each with its own name, bytes and place in time."""
    made = []
    for number in range(segments):
        source, position = SourceId(f"cam-{number % SOURCES:02}"), number // SOURCES
        event = probed(position)
        landed = replace(
            event.landed,
            source_id=source,
            recording_id=RecordingId(f"{source}-block-{position // 360}"),
            announcement=position + 1,
        )
        made.append(replace(event, landed=landed))
    return made


async def _fill(settings: Settings, segments: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=50, max_batch_size=1 << 19)
    await producer.start()
    sent = [
        await producer.send(settings.topic(topics.PROBED.name), codec.encode(event), key=codec.key(event))
        for event in _events(segments)
    ]
    await asyncio.gather(*sent)
    await producer.stop()


async def _remove(settings: Settings) -> None:
    async with admin(settings) as client:
        await client.delete_topics([settings.topic(topic.name) for topic in topics.ALL])


def _measure(settings: Settings, segments: int, watched: str, form: str) -> dict[str, Any]:
    """Start the workers of *form*, time from the first to the last message in the *watched* topic."""
    began = time.monotonic()
    workers = [_start(settings, form, number) for number in range(WORKERS)]
    try:
        first_at, last_at = asyncio.run(_watch(settings, settings.topic(watched), segments))
        resident = max(_resident_mib(worker.pid) for worker in workers)
        cpu_s = sum(_cpu_s(worker.pid) for worker in workers)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
    return {
        "rate": segments / (last_at - first_at),
        "cold_start_s": round(first_at - began, 2),
        "resident_mib": resident,
        "cpu_us": round(cpu_s / segments * 1e6),
    }


def _start(settings: Settings, form: str, number: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "UNBROKEN_TOPIC_PREFIX": settings.topic_prefix,
        "UNBROKEN_WORKER_PORT": str(BASE_PORT + number),
    }
    command = ["-m", "pipeline.cli", "worker", "ledger"] if form == "ledger" else ["-m", "bench.pass_through"]
    return subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


async def _watch(settings: Settings, topic: str, wanted: int) -> tuple[float, float]:
    """When the first message appeared in *topic* and when *wanted* were there (a few more are each chain's own)."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    places = [TopicPartition(topic, number) for number in range(settings.topic_partitions)]
    first_at = None
    try:
        async with asyncio.timeout(300):
            while True:
                count = sum((await consumer.end_offsets(places)).values())
                if count and first_at is None:
                    first_at = time.monotonic()
                if count >= wanted and first_at is not None:
                    return first_at, time.monotonic()
                await asyncio.sleep(0.02)
    finally:
        await consumer.stop()


def _resident_mib(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
