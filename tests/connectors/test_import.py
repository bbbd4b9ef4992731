"""``unbroken import`` as a person runs it, on the real store and broker: its words, its exit codes, and its death."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.kafka_topics import apply_topics
from pipeline.adapters.objects_s3 import open_client, open_store
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.domain.identity import Sha256, original_key
from pipeline.domain.landing import SegmentLanded
from pipeline.settings import Settings
from pipeline.wire import topics
from pipeline.wire.codec import decode
from tests.adapters.s3 import local_variables, own_settings, remove_topics, short_policy

pytestmark = pytest.mark.stack
SOURCE = ("--unit", "二队", "--kind", "body_camera", "--settle-s", "0")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("import")
    made = own_settings(folder, short_policy(folder))
    apply_buckets(made)
    look_at_store(made)
    asyncio.run(apply_topics(made))
    yield made
    asyncio.run(remove_topics(made))


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    return dict(os.environ) | local_variables() | {
        "UNBROKEN_STORE_URL": settings.store_url,
        "UNBROKEN_TOPIC_PREFIX": settings.topic_prefix,
        "UNBROKEN_TOPIC_PARTITIONS": str(settings.topic_partitions),
        "UNBROKEN_TOPIC_REPLICATION": str(settings.topic_replication),
        "UNBROKEN_BUCKET_PREFIX": settings.bucket_prefix,
        "UNBROKEN_STATE": str(settings.state),
        "UNBROKEN_POLICY": str(settings.policy),
    } | changes  # fmt: skip


def start(settings: Settings, *arguments: str | Path, **changes: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment(settings, **changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(settings: Settings, *arguments: str | Path, **changes: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    process = start(settings, *arguments, **changes)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def landed(settings: Settings, source: str) -> list[SegmentLanded]:
    """What the landed topic holds of *source*, in order, repetitions included."""
    records = asyncio.run(read_topic(settings.kafka, settings.topic(topics.LANDED.name), settings.topic_partitions))
    found = [decode(topics.LANDED.name, record.value) for record in records]
    return [segment for segment in found if segment.source_id == source]


def card(folder: Path, sizes: list[int], seed: str) -> list[Path]:
    folder.mkdir()
    paths = []
    for number, size in enumerate(sizes):
        path = folder / f"{number:03d}.mp4"
        path.write_bytes(random.Random(f"{seed} {number}").randbytes(size))
        paths.append(path)
    return paths


def test_the_result_as_a_table_and_as_json(settings: Settings, tmp_path: Path) -> None:
    card(tmp_path / "card", [1000, 2000], "table")
    (tmp_path / "card/notes\n.txt").write_text("x", "utf-8")

    code, out, _ = run(settings, "import", tmp_path / "card", "--source", "table-1", *SOURCE)
    again, said, _ = run(settings, "import", tmp_path / "card", "--source", "table-1", *SOURCE, "--json")

    result: dict[str, Any] = json.loads(said)
    assert (code, again) == (1, 1)
    assert "table-1-card" in out
    words = " ".join(out.split())
    assert "files: 3, 2 taken in, 0 were in from before, 1 refused; 3,000 bytes, 3,000 sent" in words
    assert "refused files lie where they were and are in no archive" in words
    assert "`unbroken recordings table-1-card`; delete nothing before" in words
    assert "within 24 hours (article 9): `unbroken describe table-1-card --source table-1`" in words
    assert "notes\\n.txt: not media by its name" in " ".join(out.split())
    assert {name: result[name] for name in ("files", "bytes", "announced", "known", "sent_bytes")} == {
        "files": 3,
        "bytes": 3000,
        "announced": 0,
        "known": 2,
        "sent_bytes": 0,
    }
    assert result["recordings"] == [{"recording_id": "table-1-card", "files": 2, "ended": True}]
    assert [refused["reason"] for refused in result["refused"]] == [
        "not media by its name (.txt) nor by its first bytes"
    ]


def test_all_in_is_exit_code_zero(settings: Settings, tmp_path: Path) -> None:
    (path,) = card(tmp_path / "card", [10], "zero")

    assert run(settings, "import", path, "--source", "zero-1", *SOURCE)[0] == 0


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (("--source", "a b"), "a source id is 1 to 96 letters"),
        (("--kind", "tv"), "expected one of body_camera"),
        (("--unit", ""), "a unit is 1 to 200 characters"),
        (("--recording", "a/b"), "a recording id is 1 to 96"),
        (("--profile", "x"), "expected one of auto"),
        (("--zone", "Mars/Base"), "expected a time zone like Asia/Shanghai"),
    ],
)
def test_wrong_words_are_exit_code_two_and_named(
    settings: Settings, tmp_path: Path, changed: tuple[str, str], named: str
) -> None:
    words = {"--source": "s-1", "--unit": "u", "--kind": "cctv"} | dict([changed])

    code, _, err = run(settings, "import", tmp_path, *(part for pair in words.items() for part in pair), COLUMNS="300")

    assert code == 2
    assert named in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"UNBROKEN_STORE_URL": "http://127.0.0.1:9"}, 3, "the store does not answer"),
        ({"UNBROKEN_KAFKA": "127.0.0.1:9"}, 3, "kafka does not answer"),
        ({"UNBROKEN_STORE_SECRET_KEY": "wrong"}, 3, "key"),
        ({"UNBROKEN_STORE_ACCESS_KEY": ""}, 2, "infra/local.env"),
        ({"UNBROKEN_BUCKET_PREFIX": "never-made-"}, 2, "unbroken store apply"),
        ({"UNBROKEN_TOPIC_PREFIX": "never-made"}, 2, "unbroken topics apply"),
    ],
)
def test_a_service_that_is_not_as_it_must_be_is_one_line_with_the_remedy(
    settings: Settings, tmp_path: Path, changes: dict[str, str], code: int, named: str
) -> None:
    found, out, err = run(settings, "import", tmp_path, "--source", "off-1", *SOURCE, **changes)

    assert (code, "") == (found, out)
    assert named in err
    assert "Traceback" not in err


def test_a_watched_folder_comes_in_and_sigterm_ends_it(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    watching = start(
        settings, "watch", folder, "--source", "watch-1", "--unit", "hall", "--kind", "cctv", "--settle-s", "0.2",
        "--poll-s", "0.1",
    )  # fmt: skip
    try:
        (folder / "20261124T080000Z.ts").write_bytes(b"one segment of watch-1")
        deadline = time.monotonic() + 20
        while not landed(settings, "watch-1") and time.monotonic() < deadline:
            time.sleep(0.2)
        watching.send_signal(signal.SIGTERM)
        _, err = watching.communicate(timeout=20)
    finally:
        watching.kill()

    (segment,) = landed(settings, "watch-1")
    assert (segment.recording_id, segment.ends) == ("watch-1-20261124T080000Z", "next_block")
    assert watching.returncode == 0, err
    assert "watch.stopped" in err


SEED = int(os.environ.get("UNBROKEN_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
KILLS = 12


def test_an_import_killed_at_random_times_announces_every_file_once(settings: Settings, tmp_path: Path) -> None:
    """SIGKILL again and again, from before the first byte to after the last one, with one file that goes in parts."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    sizes = [chance.choice((500, 40_000, 900_000)) for _ in range(60)] + [3 * (16 << 20) + 5]
    chance.shuffle(sizes)
    paths = card(tmp_path / "card", sizes, str(SEED))
    words = ("import", tmp_path / "card", "--source", "kill-1", *SOURCE, "--json")

    lives = 0
    for _ in range(KILLS):
        process = start(settings, *words)
        time.sleep(chance.uniform(0.5, 1.6))
        lives += process.poll() is None
        process.kill()
        process.communicate()
    code, said, err = run(settings, *words)

    assert code == 0, err
    assert lives >= KILLS // 3, f"only {lives} of {KILLS} imports were still running when killed"
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    _check_announced_once(landed(settings, "kill-1"), digests)
    _check_stored_once(settings, digests)
    result = json.loads(said)
    assert result["recordings"] == [{"recording_id": "kill-1-card", "files": len(paths), "ended": True}]


def _check_announced_once(found: list[SegmentLanded], digests: dict[str, str]) -> None:
    """Numbers without a hole, one per file; what came twice is the same message."""
    by_number = {segment.announcement: segment for segment in found}
    assert all(segment == by_number[segment.announcement] for segment in found)
    assert sorted(by_number) == list(range(1, len(digests) + 1))
    assert {segment.original_name: segment.object.sha256 for segment in by_number.values()} == digests


def _check_stored_once(settings: Settings, digests: dict[str, str]) -> None:
    """Each original: one version, the right bytes, locked; and no upload left open."""
    store = open_store(settings)
    for digest in digests.values():
        key = original_key(Sha256(digest), "x.mp4")
        assert len(store.versions(settings.originals, key)) == 1
        assert store.stat(settings.originals, key).lock_mode == "COMPLIANCE"
        assert hashlib.sha256(store.read(settings.originals, key)).hexdigest() == digest
    assert open_client(settings)._list_multipart_uploads(settings.originals).uploads == []
