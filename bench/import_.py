"""Import against a plain upload of the same files by the same client library, in the same run.

``python -m bench.import_ [--bytes 2e9]``, with ``infra/local.env`` exported. The plain upload is what a short script
would do, ``fput_object`` for each file, one after the other; and, as a harder floor, four at a time. It hashes nothing
that must last, locks nothing, announces nothing and cannot go on after a crash. Buckets are versioned in each case, and
files are warm in the page cache. Nothing is left behind but the import's large objects, which the store locks for a day.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC
from pathlib import Path
from typing import Any, Final, NamedTuple

from minio import Minio
from minio.deleteobjects import DeleteObject

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_topics import admin, apply_topics
from pipeline.adapters.objects_s3 import open_client, open_store
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.connectors.announcer import announcing
from pipeline.connectors.folder import Intake, Session, discover
from pipeline.connectors.journal import open_journal
from pipeline.connectors.names import PROFILES
from pipeline.domain.identity import SourceId
from pipeline.settings import Settings
from pipeline.steps.worm import KeptTrust
from pipeline.wire import topics

TARGET: Final = 0.85
_MIX: Final = ((0.05, 300_000, ".jpg"), (0.55, 4_000_000, ".ts"), (0.40, 150_000_000, ".mp4"))
"""Share of the bytes, size of a file, its kind: photos, ten-second segments, body camera files."""
_THREADS: Final = 4
_WORKER_PORT: Final = 19131


def measure(total_bytes: int, *, beside_workers: bool = False) -> dict[str, Any]:
    """Make the files, upload them plainly in both ways and import them between the two; the figures and their ratios.

    *beside_workers*: a media and a ledger worker read back and judge what is imported, at the same time.
    """
    folder = Path(tempfile.mkdtemp(prefix="unbroken-bench-"))
    try:
        files = make_files(folder / "card", total_bytes)
        settings = own_settings(folder)
        apply_buckets(settings)
        look_at_store(settings)
        asyncio.run(apply_topics(settings))
        sent = sum(path.stat().st_size for path in files)
        single = _timed(lambda: _plain(settings, files, threads=1))
        with workers(settings) if beside_workers else nullcontext():
            ours = _timed(lambda: asyncio.run(_import(settings, folder / "card")))
        rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        fourfold = _timed(lambda: _plain(settings, files, threads=_THREADS))
        for name in (settings.originals, settings.records, settings.derived, plain_bucket(settings)):
            empty(open_client(settings), name)
        asyncio.run(remove_topics(settings))
    finally:
        shutil.rmtree(folder)
    figures = {"plain": single, "plain_four_at_a_time": fourfold, "import": ours}
    return {
        "files": len(files),
        "bytes": sent,
        "seconds": {name: round(run.seconds, 2) for name, run in figures.items()},
        "mb_per_s": {name: round(sent / run.seconds / 1e6, 1) for name, run in figures.items()},
        "client_cpu_seconds": {name: round(run.cpu_seconds, 2) for name, run in figures.items()},
        "ratio": round(single.seconds / ours.seconds, 3),
        "ratio_to_four_at_a_time": round(fourfold.seconds / ours.seconds, 3),
        "target": TARGET,
        "peak_rss_mib": rss_mib,
        "load_before": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


@contextmanager
def workers(settings: Settings) -> Iterator[None]:
    """Both workers on the bench's own topics and buckets, ready before and ended after."""
    own = {
        "UNBROKEN_TOPIC_PREFIX": settings.topic_prefix,
        "UNBROKEN_BUCKET_PREFIX": settings.bucket_prefix,
        "UNBROKEN_STATE": str(settings.state),
        "UNBROKEN_POLICY": str(settings.policy),
    }
    started = []
    for number, which in enumerate(("media", "ledger")):
        environment = {**os.environ, **own, "UNBROKEN_WORKER_PORT": str(_WORKER_PORT + number)}
        command = [sys.executable, "-m", "pipeline.cli", "worker", which]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    try:
        for number in range(len(started)):
            _wait_ready(_WORKER_PORT + number)
        yield
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(90)


def _wait_ready(port: int) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"no worker is ready on port {port}")


class _Run(NamedTuple):
    seconds: float
    cpu_seconds: float


def _timed(work: Callable[[], None]) -> _Run:
    began, cpu = time.monotonic(), time.process_time()
    work()
    return _Run(time.monotonic() - began, time.process_time() - cpu)


def make_files(folder: Path, total_bytes: int) -> list[Path]:
    folder.mkdir()
    made = []
    for share, size, suffix in _MIX:
        for number in range(max(1, round(total_bytes * share / size))):
            path = folder / f"{number:05d}{suffix}"
            with path.open("wb") as file:
                rest = size
                while rest:
                    rest -= file.write(os.urandom(min(rest, 8 << 20)))
            made.append(path)
    random.Random(1).shuffle(made)
    os.sync()
    return made


def own_settings(folder: Path) -> Settings:
    name = f"bench-{secrets.token_hex(3)}"
    given = Settings()
    policy = folder / "policy.toml"
    shipped = (Path(__file__).parents[1] / "pipeline" / "policy.toml").read_text("utf-8")
    policy.write_text(shipped.replace("provisional_retention_s = 31536000", "provisional_retention_s = 86400"), "utf-8")
    return given.model_copy(
        update={
            "topic_prefix": name,
            "bucket_prefix": f"{name}-",
            "state": folder,
            "policy": policy,
        }
    )


def plain_bucket(settings: Settings) -> str:
    return f"{settings.bucket_prefix}plain"


def _plain(settings: Settings, files: list[Path], threads: int) -> None:
    """Upload into a versioned bucket that locks nothing; names differ from one call to the next."""
    client = open_client(settings)
    bucket = plain_bucket(settings)
    client.make_bucket(bucket, object_lock=True)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda path: client.fput_object(bucket, f"{threads}/{path.name}", str(path)), files))


def empty(client: Minio, bucket: str, *, remove: bool = True) -> None:
    """Remove what may be removed, and the bucket; what is locked stays, and its bucket with it."""
    versions = client.list_objects(bucket, recursive=True, include_version=True)
    doomed = [DeleteObject(str(item.object_name), item.version_id) for item in versions]
    if not list(client.remove_objects(bucket, doomed)) and remove:
        client.remove_bucket(bucket)


async def _import(settings: Settings, folder: Path) -> None:
    """The import, from the first look at the folder to the delivered end of the recording."""
    source = SourceId("bench-1")
    session = Session(
        source_id=source,
        kind="body_camera",
        unit="bench",
        ends="declared",
        profile=PROFILES["auto"],
        zone=UTC,
        bucket=settings.originals,
        block_s=3600,
        retention_s=1,
    )
    with open_journal(settings.state / "journals", source, "folder") as journal:
        store = open_store(settings)
        async with announcing(settings) as announcer:
            trust = KeptTrust(store, settings.records, SystemClock(), settings.worm_probe_s)
            intake = Intake(store, trust, journal, announcer, SystemClock(), session)
            rows = await intake.take(list(discover([folder])))
            await intake.end(rows, None, "bench")
            intake.close()
    assert all(row.outcome == "announced" for row in rows)


async def remove_topics(settings: Settings) -> None:
    async with admin(settings) as client:
        await client.delete_topics([settings.topic(topic.name) for topic in topics.ALL])


def main() -> int:
    """Measure, print the ratio, keep the figures in ``bench/results/import.json``; 1 if the target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=float, default=2e9, help="how much to import (default 2e9)")
    parser.add_argument("--beside-workers", action="store_true", help="with both workers judging at the same time")
    given = parser.parse_args()
    result = measure(int(given.bytes), beside_workers=given.beside_workers)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "import.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    speed = result["mb_per_s"]
    print(
        f"import {speed['import']} MB/s, plain upload {speed['plain']} MB/s: ratio {result['ratio']} (target {TARGET}); "
        f"plain, four at a time {speed['plain_four_at_a_time']} MB/s: ratio {result['ratio_to_four_at_a_time']}; "
        f"{result['files']} files, peak RSS {result['peak_rss_mib']} MiB"
    )
    return 0 if result["ratio"] >= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
