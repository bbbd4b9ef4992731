"""Stitch and archive on the real broker and the real store, with real media, and with the archiver killed at random."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.adapters import media
from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.kafka_log import KafkaLinkHistory
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.domain import chain, continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import RecordingId, Sha256, SourceId, original_key
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import RecordingStitched, StitchState
from pipeline.domain.time import WallMs
from pipeline.policy import load_policy
from pipeline.settings import Settings
from pipeline.steps.stitch import StitchStep
from pipeline.wire import codec, topics
from tests.adapters.s3 import own_settings, short_policy
from tests.builders import RECORDING, SALT_KEY, SOURCE, T0, claimed, landed, metadata, session_ended
from tests.builders_archive import signer
from tests.steps.archiver import archive
from tests.steps.test_evidence_format import DOCS, check

pytestmark = pytest.mark.stack

FILES, LENGTH_S, LOST = 6, 2, 3
KILLS = 8
LATER_S = 0.02
"""Each archiver may live this much longer than the one before: the first is killed at once, the last may finish."""


@dataclass(frozen=True)
class Received:
    event: LinkAppended
    partition: int
    offset: int


@dataclass(frozen=True)
class Stage:
    """Settings of this session's own topics and buckets, and the recording as the broker holds its links."""

    settings: Settings
    store: S3Objects
    stitched: RecordingStitched


def footage(folder: Path) -> list[Path]:
    """Two-second transport-stream files of one encoder run, one of them lost."""
    make = (
        f"ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=25 -f lavfi -i sine=r=48000 -t {FILES * LENGTH_S} "
        f"-c:v libx264 -preset ultrafast -bf 2 -g 25 -c:a aac -f segment -segment_time {LENGTH_S} {folder}/%d.ts"
    )
    subprocess.run(make.split(), check=True, timeout=120)
    return [folder / f"{number}.ts" for number in range(FILES) if number != LOST]


def links(store: S3Objects, settings: Settings, files: Sequence[Path]) -> list[LinkAppended]:
    """What the stages before make of *files*, their bytes stored."""
    policy = load_policy(settings.policy)
    now = time.time_ns() // 1_000_000
    day: list[SegmentProbed | Annotation] = []
    for announcement, path in enumerate(files, start=1):
        found = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
        stat = store.put_file(settings.originals, original_key(found, path.name), path, found, retain_until=None)
        original = ObjectRef(
            bucket=stat.bucket, key=stat.key, version_id=stat.version_id, sha256=found, size_bytes=stat.size_bytes
        )
        claim = landed(
            announcement=announcement,
            object=original,
            original_name=path.name,
            received_at=WallMs(now),
            claimed_start=claimed(T0 + int(path.stem) * LENGTH_S * 1000),
        )
        facts = media.facts(str(path), policy.tolerance["cctv"])
        day.append(SegmentProbed(landed=claim, facts=facts, observed_sha256=found, probe_version="1"))
    source, chains, made = SourceState(source_id=SOURCE), ChainState(), list[LinkAppended]()
    for event in (*day, metadata(made_at=WallMs(now)), session_ended(expected=len(files), made_at=WallMs(now))):
        source, judged = continuity.step(source, event, policy)
        for item in judged:
            chains, appended = chain.step(chains, item, SALT_KEY)
            made += appended
    return made


def strangers(made: Sequence[LinkAppended]) -> list[LinkAppended]:
    """Another source's links on the same partition, between ours."""
    other = [
        replace(link, source_id=SourceId("hall-2"), recording_id=RecordingId("hall-2-x"))
        for link in made
        for _ in (0, 1)
    ]
    return [link for pair in zip(made, other, other[1:], strict=False) for link in pair]


async def carried(settings: Settings, store: S3Objects, made: Sequence[LinkAppended]) -> RecordingStitched:
    """The links through the real link topic and the stitch step."""
    name = settings.topic(topics.LINK.name)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, enable_idempotence=True)
    await producer.start()
    ours: list[tuple[LinkAppended, int]] = []
    for link in strangers(made):
        sent = await producer.send_and_wait(name, codec.encode(link), key=codec.key(link), partition=0)
        ours += [(link, sent.offset)] if link.source_id == SOURCE else []
    await producer.stop()
    step = StitchStep(
        store=store,
        history=KafkaLinkHistory(settings.kafka, name),
        decode=lambda value: codec.decode(topics.LINK.name, value),
        derived=settings.derived,
        software="unbroken 0.1.0",
        policy=load_policy(settings.policy),
    )
    state, found = StitchState(), list[RecordingStitched]()
    for link, offset in ours:
        state, events = await step.step(state, Received(link, 0, offset))
        found += events
    (stitched,) = found
    return stitched


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("stage")
    settings = own_settings(folder, short_policy(folder))
    apply_buckets(settings)
    store = S3Objects(open_client(settings))
    made = links(store, settings, footage(folder))
    assert chain.verify(made) == ()
    return Stage(settings, store, asyncio.run(carried(settings, store, made)))


def copied(stage: Stage, folder: Path) -> Path:
    """The archive of the recording as files, bucket beside bucket."""
    prefix = f"recordings/{SOURCE}/{RECORDING}/"
    for bucket, under in ((stage.settings.originals, ""), (stage.settings.records, prefix)):
        for stat in stage.store.list(bucket, under):
            path = folder / bucket / stat.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stage.store.read(bucket, stat.key))
    (folder / "receipt-key.pub.pem").write_bytes(signer().public_pem)
    shutil.copy(DOCS / "little_verifier.py", folder)
    return folder / stage.settings.records / prefix / "r1"


def test_an_archiver_killed_at_random_archives_once_and_a_stranger_can_check_it(stage: Stage, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    given = {
        "settings": {
            **stage.settings.model_dump(mode="json"),
            "store_secret_key": stage.settings.store_secret_key.get_secret_value(),
        },
        "event": codec.encode(stage.stitched).decode(),
    }
    killed = sum(_killed(json.dumps(given), dice.uniform(0, number * LATER_S)) for number in range(KILLS))

    first = archive(stage.settings, stage.stitched)
    again = archive(stage.settings, stage.stitched)

    assert killed > 0
    assert first == again
    assert {item.lock_mode for item in (*first.originals, *first.records)} == {"COMPLIANCE"}
    versions = {
        stat.key: len(stage.store.versions(stage.settings.records, stat.key))
        for stat in stage.store.list(stage.settings.records, "recordings/")
    }
    assert set(versions.values()) == {1}
    assert len(versions) == 5

    copied(stage, tmp_path)
    done = check(tmp_path)
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "1 revisions: all as stated")


def _killed(given: str, after_s: float) -> bool:
    """Start an archiver, kill it *after_s* seconds after it began its work; whether it was still at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.steps.archiver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(given.encode())
    process.stdin.close()
    assert process.stdout.readline() == b"begins\n"
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def test_players_show_the_whole_time_with_the_gap_in_it(stage: Stage, tmp_path: Path) -> None:
    archive(stage.settings, stage.stitched)
    revision = copied(stage, tmp_path)

    probe = "ffprobe -v error -allowed_extensions ALL -show_entries format=duration -of csv=p=0 playlist.m3u8"
    shown = subprocess.run(probe.split(), cwd=revision, capture_output=True, text=True, check=False)
    text = (revision / "playlist.m3u8").read_text("utf-8")

    assert float(shown.stdout) == pytest.approx(FILES * LENGTH_S, abs=0.1)
    assert (text.count("#EXTINF"), text.count("#EXT-X-GAP")) == (FILES, 1)
    assert text.count("#EXT-X-DISCONTINUITY") == 1
