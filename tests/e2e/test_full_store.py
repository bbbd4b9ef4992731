"""A store that is really full: a quota of the gateway's own that is used up, and disks without room. What waits says so by
name, nothing is acknowledged meanwhile, and the work goes on by itself."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipeline.adapters.objects_s3 import PART_BYTES, S3Objects, _Client, open_client, open_store
from pipeline.adapters.store_http import open_pool
from pipeline.adapters.worm_s3 import look_at_store, open_probe_bucket
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand, import_words
from pipeline.domain.errors import StoreFull, StoreUnavailable
from tests.adapters.objects_contract import sha, soon
from tests.e2e.ceph import Disks, Quotas
from tests.e2e.conftest import Film
from tests.e2e.test_bad_input import _whole
from tests.e2e.test_deadlines import metrics, until
from tests.oracle.look import journals, settled

pytestmark = pytest.mark.stack

DATE = "2026-11-24"
WORDS = "the store's quota is used up"


class Running:
    """A command of the stand that goes on, and what it says."""

    def __init__(self, stand: Stand, folder: Path, *words: str) -> None:
        self._log, self._said = folder / f"{words[0]}.log", folder / f"{words[0]}.json"
        with self._log.open("wb") as log, self._said.open("wb") as said:
            command = [sys.executable, "-m", "pipeline.cli", *words]
            self.process = subprocess.Popen(command, env=stand.environment(), stdout=said, stderr=log)

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8")

    def ended(self) -> int:
        return self.process.wait(60)

    def said(self) -> str:
        return self._said.read_text("utf-8")


def _waits(log: str, event: str, place: str) -> bool:
    return any(event in line and WORDS in line and place in line for line in log.splitlines())


def _acknowledged(stand: Stand, shots: tuple[Shot, ...]) -> list[str]:
    """What the connectors' journals count as announced, and what of these originals is in the store."""
    store, bucket = open_store(stand.settings()), stand.settings().originals
    numbered = [
        str(event.announcement)
        for journal in journals(stand.folder / "journals", {shot.source_id for shot in shots})
        for event in journal.announced
    ]
    keys = [key for shot in shots for truth in shot.truths for key in truth.originals]
    return numbered + [key for key in keys if store.versions(bucket, key)]


def _records(stand: Stand, shot: Shot) -> list[str]:
    store, bucket = open_store(stand.settings()), stand.settings().records
    folders = (f"recordings/{shot.source_id}/", f"checkpoints/{shot.source_id}/")
    return [stat.key for folder in folders for stat in store.list(bucket, folder)]


def test_connectors_and_stages_wait_for_a_quota_by_name_and_go_on_when_it_is_lifted(
    working: Stand, film: Film, tmp_path: Path, quotas: Quotas
) -> None:
    settings, films = working.settings(), film()
    voice, hall = _whole(films), films[0]
    names = ("--source", hall.source_id, "--unit", hall.unit, "--kind", hall.kind)
    until(lambda: "unbroken_worm_probe_success 1.0" in metrics(working, "ledger"), 90)
    begun = len(working.log("ledger").read_text("utf-8"))

    def ledger_waits(place: str) -> bool:
        return _waits(working.log("ledger").read_text("utf-8")[begun:], "input.waiting", f"{settings.records}/{place}")

    quotas.use_up(settings.originals)
    quotas.use_up(settings.records)
    importing = Running(working, tmp_path, *import_words(voice, voice.files, DATE))
    watching = Running(working, tmp_path, "watch", str(hall.folder), *names, "--settle-s", "0", "--poll-s", "0.2")
    until(lambda: all(_waits(one.log, "intake.waiting", settings.originals) for one in (importing, watching)), 30)
    full = _acknowledged(working, (voice, hall))

    quotas.lift(settings.originals)
    imported = importing.ended()
    until(lambda: watching.log.count("file.announced") == len(hall.files), 30)
    watching.process.terminate()
    watched = watching.ended()
    working.bring_in(hall, hall.files, DATE)  # which says that the camera's recordings are over
    until(lambda: ledger_waits("recordings/") and ledger_waits("checkpoints/"), 30)
    with urllib.request.urlopen(f"http://127.0.0.1:{working.ports['ledger']}/readyz", timeout=5) as answer:
        told = json.load(answer)["waits"]
    records = [key for shot in (voice, hall) for key in _records(working, shot)]

    quotas.lift(settings.records)
    verdict = settled(working, [*voice.truths, *hall.truths])

    assert (full, records) == ([], [])
    assert any(WORDS in why for why in told)
    assert (imported, watched) == (0, 0), importing.log
    assert "intake.resumed" in watching.log
    assert all(path.exists() for path in (*voice.files, *hall.files))
    assert (verdict.wrong, verdict.extra) == ([], 0)


def test_a_full_store_is_not_taken_for_one_that_does_not_keep_its_locks(stand: Stand, quotas: Quotas) -> None:
    settings = stand.settings()
    open_probe_bucket(settings)

    quotas.use_up(settings.worm_probe)
    with pytest.raises(StoreFull, match=f"{WORDS}.*{settings.worm_probe}"):
        look_at_store(settings)


def test_a_quota_used_up_in_the_middle_of_a_large_file_leaves_only_the_rest_to_be_sent(
    stand: Stand, quotas: Quotas, tmp_path: Path
) -> None:
    path, bucket, sent = tmp_path / "large.ts", stand.settings().derived, list[int]()
    path.write_bytes(os.urandom(3 * PART_BYTES))
    put = (bucket, "large.ts", path, sha(path.read_bytes()))
    store = S3Objects(open_client(stand.settings()), sent.append)

    quotas.use_up(bucket, most_bytes=PART_BYTES * 5 // 4)
    with pytest.raises(StoreFull, match=WORDS):
        store.put_file(*put, retain_until=None)
    before = sum(sent)
    quotas.lift(bucket)
    stat = store.put_file(*put, retain_until=None)

    assert before >= PART_BYTES
    assert sum(sent) == stat.size_bytes == 3 * PART_BYTES
    assert len(store.versions(bucket, "large.ts")) == 1


@pytest.fixture
def disks() -> Iterator[Disks]:
    made = Disks()
    yield made
    made.give_room()
    until(lambda: not made.are_full(), 60)


@pytest.mark.skipif("UNBROKEN_FAULT_SEEDS" not in os.environ, reason="stops the whole stack's store: make faults")
def test_full_disks_hold_a_write_until_there_is_room_and_make_one_version_of_it(stand: Stand, disks: Disks) -> None:
    settings, key, data = stand.settings(), f"full-{secrets.token_hex(4)}", secrets.token_bytes(1000)
    client = _Client(
        urlsplit(settings.store_url).netloc,
        access_key=settings.store_access_key,
        secret_key=settings.store_secret_key.get_secret_value(),
        secure=False,
        region=settings.store_region,
        http_client=open_pool(None, read_timeout_s=3),
    )
    store, bucket = S3Objects(client), settings.originals
    store.put_bytes(bucket, f"{key}-before", data, sha(data), retain_until=soon(60))

    disks.fill()
    until(disks.are_full, 60)
    with pytest.raises(StoreUnavailable, match=f"its disks may be full .{bucket}/{key}"):
        store.put_bytes(bucket, key, data, sha(data), retain_until=soon(60))
    read = store.read(bucket, f"{key}-before")
    disks.give_room()
    stat = until(lambda: _put(store, bucket, key, data), 30)
    time.sleep(3)  # a request that was given up on may still be done

    assert read == data
    assert (stat.lock_mode, len(store.versions(bucket, key))) == ("COMPLIANCE", 1)


def _put(store: S3Objects, bucket: str, key: str, data: bytes) -> object:
    try:
        return store.put_bytes(bucket, key, data, sha(data), retain_until=soon(60))
    except StoreUnavailable:
        return None
