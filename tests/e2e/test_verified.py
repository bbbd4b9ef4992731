"""What the archive holds is read back while nobody asks: SM3 beside SHA-256 by policy, and every part in its turn; what somebody
with the store's disks in his hands changed or took away is found, named and counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.objects_s3 import S3Objects, open_store
from pipeline.adapters.signing import KEY_FILE
from pipeline.demo.footage import Shot, shoot
from pipeline.demo.stand import Stand
from pipeline.domain.identity import Sha256, original_key
from pipeline.domain.time import WallMs, from_rfc3339
from tests.e2e.ceph import ceph
from tests.e2e.conftest import delete_topics
from tests.e2e.test_bad_input import _report
from tests.e2e.test_deadlines import metrics, until

pytestmark = pytest.mark.stack

TURN_S, WITHIN_S = 4, 8
"""Two parts, and room for a turn to take as long as it pauses."""
POOL = ("--pool", "default.rgw.buckets.data")
LITTLE = Path(__file__).resolve().parents[2] / "docs/little_verifier.py"


class Turning(Stand):
    """A stand whose archive is read back within seconds."""

    @property
    def variables(self) -> dict[str, str]:
        return {**super().variables, "UNBROKEN_VERIFY_TURN_S": str(TURN_S)}


@pytest.fixture(scope="module")
def shots(masters: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shot, Shot]:
    """A voice and a picture."""
    made = shoot(masters, tmp_path_factory.mktemp("films"), WallMs(time.time_ns() // 1_000_000), secrets.token_hex(3))
    return made[3], made[4]


@pytest.fixture(scope="module")
def turning(stand: Stand, shots: tuple[Shot, Shot], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """An installation of its own that must have SM3, with both recordings in its archive."""
    folder, prefix = tmp_path_factory.mktemp("turning"), f"e2e{secrets.token_hex(3)}"
    made = Turning(folder=folder, prefix=prefix, ports={"media": 19161, "ledger": 19162})
    policy = folder / "policy.toml"
    text = policy.read_text("utf-8").replace("sm3 = false", "sm3 = true")
    policy.write_text(re.sub(r"(?m)^verify_within_s = .*$", f"verify_within_s = {WITHIN_S}", text), "utf-8")
    made.prepare()
    for which in made.ports:
        made.start(which)
    try:
        for which in made.ports:
            made.ready(which)
        for shot in shots:
            made.bring_in(shot, shot.files, "2026-11-24")
        for shot in shots:
            _report(made, str(shot.recording))
        yield made
    finally:
        made.stop()
        asyncio.run(delete_topics(made))


def _copy(stand: Stand, folder: Path) -> None:
    """The archive as files, bucket beside bucket, with the public key and the little verifier."""
    settings = stand.settings()
    store = open_store(settings)
    for bucket, under in ((settings.originals, ""), (settings.records, "recordings/")):
        for stat in store.list(bucket, under):
            path = folder / bucket / stat.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.read(bucket, stat.key))
    shutil.copy((stand.folder / KEY_FILE).with_suffix(".pub.pem"), folder / "key.pem")
    shutil.copy(LITTLE, folder)


def test_sm3_stands_beside_sha_256_by_policy_and_both_verifiers_compute_it(
    turning: Stand, shots: tuple[Shot, Shot], tmp_path: Path
) -> None:
    expected = {hashlib.new("sm3", path.read_bytes()).hexdigest() for shot in shots for path in shot.files}

    _copy(turning, tmp_path)
    manifests = [json.loads(path.read_bytes()) for path in tmp_path.rglob("manifest.json")]
    items = json.loads(turning.call("verify", "--deep", "--json"))["items"]
    command = [sys.executable, "-I", "-S", "little_verifier.py", ".", "key.pem"]
    little = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert {one["sm3"] for manifest in manifests for one in manifest["originals"]} == expected
    assert {item["result"] for item in items if item["check"] == "originals"} == {"pass"}
    assert (little.returncode, little.stdout.split(";")[0]) == (0, "2 revisions: all as stated")


def _metric(stand: Stand, name: str) -> float:
    line = next(line for line in metrics(stand, "ledger").splitlines() if line.startswith(f"unbroken_verify_{name} "))
    return float(line.rpartition(" ")[2])


def _turns(store: S3Objects, records: str) -> list[dict[str, Any]]:
    """The records of all turns, in order of time."""
    keys = sorted(stat.key for stat in store.list(records, "verified/"))
    return [json.loads(store.read(records, key)) for key in keys]


def _raw(stand: Stand, key: str) -> str:
    """What the disks call the original *key*: RADOS's object, by the bucket's marker and the version."""
    store, bucket = open_store(stand.settings()), stand.settings().originals
    marker = json.loads(ceph("radosgw-admin", "bucket", "stats", "--bucket", bucket))["marker"]
    return f"{marker}__:{store.stat(bucket, key).version_id}_{key}"


def test_what_was_changed_or_taken_behind_the_store_s_back_is_found_in_its_turn_named_and_counted(
    turning: Stand, shots: tuple[Shot, Shot], tmp_path: Path
) -> None:
    settings = turning.settings()
    store, file = open_store(settings), tmp_path / "bytes"
    changed, taken = (
        original_key(Sha256(hashlib.sha256(path.read_bytes()).hexdigest()), path.name)
        for path in (shots[0].files[0], shots[1].files[0])
    )
    until(lambda: _metric(turning, "coverage_ratio") == 1.0, 40)
    whole, oldest_s, now_s = _metric(turning, "failures"), _metric(turning, "oldest_timestamp_seconds"), time.time()
    dates = {from_rfc3339(turn["ended_at"]) for turn in _turns(store, settings.records)}

    name = _raw(turning, changed)
    ceph("rados", *POOL, "get", name, str(file))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    ceph("rados", *POOL, "put", name, str(file))
    ceph("rados", *POOL, "rm", _raw(turning, taken))
    until(lambda: _metric(turning, "failures") == 3, 40)  # the changed one's bytes, the other's bytes and lock
    until(lambda: _metric(turning, "coverage_ratio") == 1.0, 40)
    told = [item["place"] for turn in _turns(store, settings.records) for item in turn["failed"]]
    log = [line for line in turning.log("ledger").read_text("utf-8").splitlines() if "verify.failed" in line]

    assert (whole, _metric(turning, "failures")) == (0, 3)
    assert round(oldest_s * 1000) in dates
    assert now_s - oldest_s < WITHIN_S + TURN_S
    for key in (changed, taken):
        assert f"{settings.originals}/{key}" in told
        assert any(key in line for line in log)
