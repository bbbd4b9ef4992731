"""Evidence: what locking, reading back, chaining and verifying cost, each beside its floor in the same run.

- put: the connector's put protocol, several files at a time as it does, and each object read back and digested as the media
  worker does, then asked for its lock; the floor is ``fput_object`` of the same files one after the other, as a short
  script would do it, and the harder one as many at a time as the connector takes.
- verify: ``unbroken verify`` of an archive the stages made: of a copy, beside ``sha256sum`` of the originals in it; in the
  store, beside a GET of each original, digested. The start of every process counts.
- links: the chain's own step in one thread, beside SHA-256 of the same records; checkpoint: one of thirty links (five
  minutes of a camera) written under lock, beside ``put_object`` of the same bytes.
- memory: one film of 4 GB through import, media and ledger worker and verify; the peak of each process, library pages shared
  with others included.

``python -m bench.evidence [--bytes 6e8] [--large 4e9]``, with ``infra/local.env`` exported; best of three rounds that take
turns. What it locks, some three and a half times ``--bytes`` and the large film, stays in the store for a day.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from minio import Minio

from bench.import_ import empty, make_files, own_settings, plain_bucket, remove_topics, workers
from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_topics import apply_topics
from pipeline.adapters.objects_s3 import S3Objects, open_client, open_store
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.connectors.folder import SMALL_BYTES, WORKERS
from pipeline.domain import chain, continuity
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.checkpoint import Checkpoint, checkpoint_document, checkpoint_key
from pipeline.domain.continuity import Judged, SourceState
from pipeline.domain.identity import Sha256, original_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.steps.digests import Digests
from pipeline.steps.probe import fetch
from tests.builders import SALT_KEY, SOURCE, policy, probed

ROUNDS: Final = 3
_DAY_MS: Final = 24 * 3600 * 1000
_BLOCK_BYTES: Final = 1 << 20
_SEGMENTS: Final = 3000
_CHECKPOINT_LINKS: Final = 30
_MINUTE: Final = (
    *("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25", "-t", "60", "-c:v", "libx264", "-preset", "ultrafast"),
    *("-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "8M", "-x264-params", "nal-hrd=cbr"),
)


class Row(NamedTuple):
    """One line of the table. ``target``: at least it where *at_least*, else at most; ``None``: only told."""

    what: str
    ours: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    target: float | None = None
    at_least: bool = False

    @property
    def reached(self) -> bool:
        found = self.ours if self.ratio is None else self.ratio
        return self.target is None or (found >= self.target if self.at_least else found <= self.target)


def measure(total_bytes: int, large_bytes: int) -> Iterator[Row]:
    """Everything, one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="unbroken-bench-"))
    settings = own_settings(folder)
    apart = settings.model_copy(update={"bucket_prefix": f"{settings.bucket_prefix}put-"})
    try:
        for each in (settings, apart):
            apply_buckets(each)
        look_at_store(settings)
        asyncio.run(apply_topics(settings))
        files = make_files(folder / "card", total_bytes)
        yield from _put(apart, files)
        yield from _chain(apart)
        with workers(settings), _peaks(settings) as peaks:
            _import(settings, folder / "card", "bench-1")
            _wait_archived(settings, 1)
            yield from _verify(settings, folder / "copy")
            if large_bytes:
                _large(settings, folder / "large", large_bytes)
        for name, mib in sorted(peaks.items()) if large_bytes else ():
            yield Row(f"memory for one film of {large_bytes / 1e9:.1f} GB: {name}", mib, "MiB", target=300)
        asyncio.run(remove_topics(settings))
    finally:
        shutil.rmtree(folder)


# Put, read back, lock.


def _put(settings: Settings, files: list[Path]) -> Iterator[Row]:
    client, store, bucket = open_client(settings), open_store(settings), plain_bucket(settings)
    client.make_bucket(bucket, object_lock=True)
    seconds: dict[int, list[float]] = {0: [], 1: [], WORKERS: []}
    for number in range(ROUNDS):
        for path in files:  # other bytes in every round: what the store holds is not sent again
            with path.open("r+b") as file:
                file.write(os.urandom(32))
        for threads in (1, WORKERS):
            seconds[threads].append(_timed(partial(_plainly, client, bucket, files, threads)))
        seconds[0].append(_timed(lambda: _proven(store, settings.originals, files)))
        empty(client, bucket, remove=number == ROUNDS - 1)
    speed = {way: sum(path.stat().st_size for path in files) / min(took) / 1e6 for way, took in seconds.items()}
    yield Row("put, read back, lock seen", speed[0], "MB/s", speed[1], speed[0] / speed[1], 0.7, at_least=True)
    yield Row(f"the same beside {WORKERS} at a time", speed[0], "MB/s", speed[WORKERS], speed[0] / speed[WORKERS])


def _plainly(client: Minio, bucket: str, files: list[Path], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda path: client.fput_object(bucket, f"{threads}/{path.name}", str(path)), files))


def _proven(store: S3Objects, bucket: str, files: list[Path]) -> None:
    until = WallMs(SystemClock().now() + _DAY_MS)
    with ThreadPoolExecutor(WORKERS) as senders, ThreadPoolExecutor(1) as reader:
        sent = senders.map(lambda path: _sent(store, bucket, path, until), files)
        for read in [reader.submit(_read_back, store, ref, until) for ref in sent]:
            read.result()


def _sent(store: S3Objects, bucket: str, path: Path, until: WallMs) -> ObjectRef:
    """As the connector: a small file is read once, a large one once to name it and once to send it."""
    with path.open("rb") as file:
        small = file.read() if path.stat().st_size <= SMALL_BYTES else None
        hashed = hashlib.file_digest(file, "sha256") if small is None else hashlib.sha256(small)
    digest = Sha256(hashed.hexdigest())
    key = original_key(digest, path.name)
    if small is None:
        stat = store.put_file(bucket, key, path, digest, retain_until=until)
    else:
        stat = store.put_bytes(bucket, key, small, digest, retain_until=until)
    return ObjectRef(bucket=bucket, key=stat.key, version_id=stat.version_id, sha256=digest, size_bytes=stat.size_bytes)


def _read_back(store: S3Objects, ref: ObjectRef, until: WallMs) -> None:
    with tempfile.TemporaryFile() as file:
        fetch(store, ref, cast(BinaryIO, file), Digests(tree=True, sm3=False))
    lock = store.stat(ref.bucket, ref.key, ref.version_id)
    assert lock.lock_mode == "COMPLIANCE", lock
    assert (lock.retain_until or 0) >= until, lock


# Chain and checkpoint.


def _chain(settings: Settings) -> Iterator[Row]:
    """Ten-second segments of one camera."""
    source, judged = SourceState(source_id=SOURCE), list[Judged]()
    for number in range(_SEGMENTS):
        source, items = continuity.step(source, probed(number), policy())
        judged += items
    links = _links(judged)
    records = [link.record.encode() for link in links]
    ours = len(links) / min(_timed(lambda: _links(judged)) for _ in range(ROUNDS))
    floor = len(links) / min(_timed(lambda: [hashlib.sha256(each).digest() for each in records]) for _ in range(ROUNDS))
    yield Row("chain", ours, "links/s", floor, ours / floor)
    client, store, seconds, plain = open_client(settings), open_store(settings), list[float](), list[float]()
    for first in range(1, 20 * _CHECKPOINT_LINKS, _CHECKPOINT_LINKS):
        one = _checkpoint(links[first : first + _CHECKPOINT_LINKS])
        data = checkpoint_document(one)
        seconds.append(_timed(partial(_keep, store, settings.records, one)))
        plain.append(_timed(partial(client.put_object, settings.derived, str(first), io.BytesIO(data), len(data))))
    middle, floor = (sorted(each)[len(each) // 2] * 1000 for each in (seconds, plain))
    yield Row(f"checkpoint of {_CHECKPOINT_LINKS} links, {len(data) / 1e3:.0f} kB", middle, "ms", floor, middle / floor)


def _links(judged: list[Judged]) -> list[LinkAppended]:
    chains, links = ChainState(), list[LinkAppended]()
    for item in judged:
        chains, appended = chain.step(chains, item, SALT_KEY)
        links += appended
    return links


def _checkpoint(held: Sequence[LinkAppended]) -> Checkpoint:
    return Checkpoint(
        source_id=SOURCE,
        recording_id=held[0].recording_id,
        first_seq=held[0].seq,
        last_seq=held[-1].seq,
        links=tuple(held),
    )


def _keep(store: S3Objects, bucket: str, one: Checkpoint) -> None:
    data = checkpoint_document(one)
    digest, until = Sha256(hashlib.sha256(data).hexdigest()), WallMs(SystemClock().now() + _DAY_MS)
    store.put_bytes(bucket, checkpoint_key(one), data, digest, retain_until=until)


# Verify.


def _verify(settings: Settings, copy: Path) -> Iterator[Row]:
    client = open_client(settings)
    for bucket in (settings.originals, settings.records):
        for item in client.list_objects(bucket, recursive=True):
            client.fget_object(bucket, str(item.object_name), str(copy / bucket / str(item.object_name)))
    originals = sorted(path for path in (copy / settings.originals).rglob("*") if path.is_file())
    mb = sum(path.stat().st_size for path in originals) / 1e6
    key = settings.state / "receipt-key.pub.pem"
    ways: dict[str, Callable[[], object]] = {
        "sha256sum": lambda: _run("sha256sum", *map(str, originals)),
        "copy": lambda: _unbroken(settings, "verify", copy, "--key", key),
        "get": lambda: _get(
            client, settings.originals, [str(path.relative_to(copy / settings.originals)) for path in originals]
        ),
        "store": lambda: _unbroken(settings, "verify", "--key", key),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, work in ways.items():
            best[name] = min(best[name], _timed(work))
    for name, floor, target in (("copy", "sha256sum", 1.3), ("store", "get", None)):
        ratio = best[name] / best[floor]
        yield Row(f"verify {mb:.0f} MB: {name} beside {floor}", best[name], "s", best[floor], ratio, target)


def _get(client: Minio, bucket: str, keys: Sequence[str]) -> None:
    for key in keys:
        response = client.get_object(bucket, key)
        digest = hashlib.sha256()
        for block in response.stream(_BLOCK_BYTES):
            digest.update(block)
        response.release_conn()


# Memory.


def _large(settings: Settings, folder: Path, size_bytes: int) -> None:
    folder.mkdir()
    minute = folder / "minute.ts"
    film = folder / f"{datetime.now(UTC) - timedelta(hours=20):%Y%m%dT%H%M%SZ}.ts"
    _run("ffmpeg", "-v", "error", *_MINUTE, str(minute))
    loops = str(size_bytes // minute.stat().st_size)
    _run("ffmpeg", "-v", "error", "-stream_loop", loops, "-i", str(minute), "-c", "copy", str(film))
    minute.unlink()
    _import(settings, film, "bench-large")
    _wait_archived(settings, 2)
    _unbroken(settings, "verify", "--source", "bench-large", "--key", settings.state / "receipt-key.pub.pem")


@contextmanager
def _peaks(settings: Settings) -> Iterator[dict[str, int]]:
    """The most memory in MiB that each process of ours has had resident, by its command; those of this bench's topics."""
    peaks, over = dict[str, int](), threading.Event()

    def look() -> None:
        while not over.wait(0.25):
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    if settings.topic_prefix.encode() in status.with_name("environ").read_bytes():
                        words = status.with_name("cmdline").read_bytes().decode().split("\0")
                        name = (
                            " ".join(words[3 : 5 if "worker" in words else 4])
                            if "pipeline.cli" in words
                            else "media process"
                        )
                        lines = dict(line.split(":", 1) for line in status.read_text("ascii").splitlines())
                        peaks[name] = max(peaks.get(name, 0), int(lines["VmHWM"].split()[0]) >> 10)
                except (OSError, KeyError):
                    continue  # ended between two looks

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peaks
    finally:
        over.set()
        looking.join()


# How.


def _import(settings: Settings, path: Path, source: str) -> None:
    told = ("--source", source, "--unit", "bench", "--kind", "body_camera", "--recording", f"{source}-all")
    _unbroken(settings, "import", path, *told, "--settle-s", "0")


def _unbroken(settings: Settings, *arguments: str | Path) -> None:
    own = {
        "UNBROKEN_TOPIC_PREFIX": settings.topic_prefix,
        "UNBROKEN_BUCKET_PREFIX": settings.bucket_prefix,
        "UNBROKEN_STATE": str(settings.state),
        "UNBROKEN_POLICY": str(settings.policy),
    }
    _run(sys.executable, "-m", "pipeline.cli", *map(str, arguments), **own)


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False)
    assert done.returncode == 0, (command[:6], done.returncode, (done.stderr or done.stdout)[-2000:])


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _wait_archived(settings: Settings, count: int) -> None:
    store, until = open_store(settings), time.monotonic() + 300
    while time.monotonic() < until:
        if sum(stat.key.endswith("/receipt.json") for stat in store.list(settings.records, "recordings/")) >= count:
            return
        time.sleep(0.5)
    raise TimeoutError(f"{count} recordings are not archived after 300 s")


def main() -> int:
    """Measure, print the table, keep the figures in ``bench/results/evidence.json``; 1 if a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=float, default=6e8, help="how much to put and to verify (default 6e8)")
    parser.add_argument("--large", type=float, default=4e9, help="size of the large film; 0: none (default 4e9)")
    given = parser.parse_args()
    rows = []
    for row in measure(int(given.bytes), int(given.large)):
        rows.append(row)
        beside = "" if row.ratio is None else f", floor {row.floor:,.4g}, ratio {row.ratio:.3g}"
        target = "" if row.target is None else f" (target {'>=' if row.at_least else '<='} {row.target}: {row.reached})"
        print(f"{row.what}: {row.ours:,.4g} {row.unit}{beside}{target}", flush=True)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "evidence.json").write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n", "utf-8")
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
