"""``kill -9`` at random times of everything that can be killed, while footage is brought in and both workers are at work.

Workers and connectors are started again by the test, as an operator's service manager would; the gateway and the disk of the
store by the stack's own supervisors. Then the oracle judges. ``UNBROKEN_KILL_SEEDS`` says how many runs there are (``make
faults``) and ``UNBROKEN_KILLS`` how many kills in each; ``UNBROKEN_TEST_SEED`` repeats one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.native.__main__ import daemons
from infra.native.daemon import Daemon, child_pid, wait_ready
from infra.native.layout import Layout
from pipeline.adapters.objects_s3 import PART_BYTES, open_client
from pipeline.demo.footage import Shot, shoot
from pipeline.demo.stand import Stand, import_words
from pipeline.demo.truth import Truth
from pipeline.domain.identity import RecordingId, Sha256, SourceId, original_key
from pipeline.domain.time import WallMs
from tests.oracle.look import settled

pytestmark = pytest.mark.stack

SEEDS = int(os.environ.get("UNBROKEN_KILL_SEEDS", "1"))
KILLS = int(os.environ.get("UNBROKEN_KILLS", "5"))
DATE = "2026-11-24"
SERVICES = ("radosgw", "ceph-osd")
VICTIMS = ("media", "ledger", "connector", *SERVICES)
PATIENCE_S = 60
TWO_DAYS_MS = 2 * 24 * 3600 * 1000


class Connector:
    """``unbroken import``, started again for as long as it is killed or a service is away, as a person would."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = 0

    def bring_in(self, shot: Shot, paths: tuple[Path, ...]) -> dict[str, Any]:
        """Returns the table of the run that ended by itself."""
        until = time.monotonic() + 3 * PATIENCE_S
        while True:
            process = self.begin(shot, paths)
            said, errors = process.communicate()
            if process.returncode == 0:
                found: dict[str, Any] = json.loads(said)
                return found
            assert process.returncode in (-signal.SIGKILL, 3), errors.decode()[-2000:]
            assert time.monotonic() < until, errors.decode()[-2000:]

    def begin(self, shot: Shot, paths: tuple[Path, ...]) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *import_words(shot, paths, DATE)],
            env=self._stand.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self._process

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self.killed += 1


class ServiceManager:
    """Starts workers again that were killed, or that ended because a service was away when they started (exit code 3)."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self.codes: set[int] = set()

    def kill(self, which: str) -> None:
        with self._mutex:
            self._stand.kill(which)
            self._stand.start(which)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._mind)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _mind(self) -> None:
        while not self._over.wait(0.5):
            with self._mutex:
                for which, worker in list(self._stand.workers.items()):
                    if (code := worker.poll()) is not None:
                        self.codes.add(code)
                        self._stand.start(which)


def service(name: str) -> Daemon:
    """A daemon of the stack this test's environment names."""
    return next(daemon for daemon in daemons(Layout.from_environment()) if daemon.name == name)


def kill_service(name: str) -> None:
    """End it as a power loss would; its own supervisor starts it again. Only what our stack started is ever signalled."""
    daemon, until = service(name), time.monotonic() + PATIENCE_S
    wait_ready(daemon, PATIENCE_S)
    while (pid := child_pid(daemon)) is None:  # an OSD killed a moment ago is still up by the monitor's map
        assert time.monotonic() < until, f"{name} does not run under our supervisor: `make up`"
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)


def large(folder: Path, run: str, parts: int) -> Shot:
    """One overdue file of many parts, no media in it: kept, judged unreadable."""
    source = SourceId(f"large-{run}")
    path = folder / f"{datetime.now(UTC) - timedelta(days=2):%Y%m%dT%H%M%SZ}.mp4"
    folder.mkdir(parents=True)
    whole = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(parts):
            piece = os.urandom(PART_BYTES)
            whole.update(piece)
            file.write(piece)
    os.utime(path, (time.time() - 60, time.time() - 60))
    recording = RecordingId(f"{source}-session-1")
    truth = Truth(
        recording_id=recording,
        source_id=source,
        unit="market-supervision-2",
        kind="camcorder",
        verdict="unreadable",
        started_at=None,
        ended_at=None,
        covered_ms=0,
        tolerance_ms=0,
        segments=1,
        bytes=parts * PART_BYTES,
        originals=(original_key(Sha256(whole.hexdigest()), path.name),),
        deadline="missed",
        findings=("unreadable",),
    )
    return Shot(
        source_id=source,
        unit=truth.unit,
        kind=truth.kind,
        folder=folder,
        files=(path,),
        truths=(truth,),
        recording=recording,
    )


def overdue(shots: Sequence[Shot]) -> list[Shot]:
    """Footage that was brought in when its deadlines were over: each is missed, and late once it is archived and described."""
    return [
        replace(
            shot,
            truths=tuple(
                replace(truth, deadline="late" if truth.deadline == "met" else "missed") for truth in shot.truths
            ),
        )
        for shot in shots
    ]


@pytest.mark.parametrize("run", range(SEEDS))
def test_whatever_is_killed_nothing_is_lost_doubled_or_unlocked(
    working: Stand, masters: Path, tmp_path: Path, run: int
) -> None:
    seed = int(os.environ.get("UNBROKEN_TEST_SEED") or secrets.randbits(32))
    dice, name = random.Random(seed), secrets.token_hex(3)
    old = WallMs(time.time_ns() // 1_000_000 - TWO_DAYS_MS)
    shots = [*overdue(shoot(masters, tmp_path / "films", old, name)), large(tmp_path / "large", name, parts=6)]
    connector = Connector(working)

    def bring_in_all() -> None:
        for shot in shots:
            working.announce_window(shot)
            connector.bring_in(shot, (*shot.files, *shot.late))

    victims = [*VICTIMS, *dice.choices(VICTIMS, k=KILLS - len(VICTIMS))]
    dice.shuffle(victims)
    manager, importing = ServiceManager(working), threading.Thread(target=bring_in_all)
    importing.start()
    with manager.at_work():
        for victim in victims:
            time.sleep(dice.uniform(0.0, 2.0))
            if victim == "connector":
                connector.kill()
            elif victim in SERVICES:
                kill_service(victim)
            else:
                manager.kill(victim)
        importing.join()
        for victim in SERVICES:
            wait_ready(service(victim), PATIENCE_S)
        verdict = settled(working, [truth for shot in shots for truth in shot.truths], 2 * PATIENCE_S)

    print(f"seed {seed}: killed {' '.join(victims)} ({connector.killed} imports), {verdict.extra} extra versions, told")
    assert verdict.wrong == [], f"seed {seed}"
    assert manager.codes <= {3}, f"seed {seed}"


def test_a_connector_killed_in_the_middle_of_a_large_file_sends_only_the_parts_that_are_missing(
    working: Stand, tmp_path: Path
) -> None:
    shot = large(tmp_path / "large", secrets.token_hex(3), parts=12)
    connector = Connector(working)

    process = connector.begin(shot, shot.files)
    arrived = _wait_for_parts(working, shot.truths[0].originals[0], 3)
    connector.kill()
    process.communicate()
    table = connector.bring_in(shot, shot.files)
    verdict = settled(working, shot.truths)

    assert process.returncode == -signal.SIGKILL
    assert (table["announced"], table["known"]) == (1, 0)
    assert table["sent_bytes"] <= shot.truths[0].bytes - arrived * PART_BYTES
    assert (verdict.wrong, verdict.extra) == ([], 0)


def _wait_for_parts(stand: Stand, key: str, count: int) -> int:
    """How many parts of an unfinished upload the store holds, once there are *count*."""
    client, bucket = open_client(stand.settings()), stand.settings().originals
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for upload in client._list_multipart_uploads(bucket, prefix=key).uploads:
            parts = client._list_parts(bucket, key, str(upload.upload_id)).parts
            if len(parts) >= count:
                return len(parts)
        time.sleep(0.01)
    raise AssertionError(f"no upload of {key} has {count} parts after {PATIENCE_S} s")
