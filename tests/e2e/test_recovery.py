"""Drills: state topics lost, or older than the work already done; a broker lost with all its topics. What is rebuilt is held
against what was there before, and the work goes on to its known end.

``UNBROKEN_DRILLS=1`` also wipes a broker's own data folder (``make drills``).
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.kafka_topics import admin
from pipeline.agents.state_log import Loaded
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand
from pipeline.demo.truth import differences as differs
from pipeline.domain.replay import differences
from pipeline.settings import Settings
from pipeline.wire import topics
from tests.agents.own_broker import OwnBroker
from tests.e2e.conftest import Film
from tests.e2e.test_main_job import DATE, _truths

pytestmark = pytest.mark.stack

Snapshot = dict[tuple[str, str], Any]
WAIT_S = 60


async def _logs(settings: Settings) -> dict[str, list[Any]]:
    return {
        topic.name: await read_topic(settings.kafka, settings.topic(topic.name), settings.topic_partitions)
        for topic in topics.STATES
    }


def _snapshot(settings: Settings) -> Snapshot:
    """Every state by stage and source, as a worker would load it."""
    found: Snapshot = {}
    for name, records in asyncio.run(_logs(settings)).items():
        parts: dict[int, Loaded] = {}
        for record in records:
            parts.setdefault(record.partition, Loaded()).add(record.key, record.value)
        found |= {(name, key): each.state for part in parts.values() for key, each in part.records.items()}
    return found


def _quiet(stand: Stand) -> Snapshot:
    """The states once nothing waits and every link is in the archive."""
    deadline = time.monotonic() + WAIT_S
    while True:
        lags = [stage["lag"] for stage in json.loads(stand.call("status", "--json", allowed=(0, 1)))["stages"]]
        found = _snapshot(stand.settings())
        held = [state["held"] for (name, _), state in found.items() if name.startswith("checkpoint")]
        if not any(lags) and not any(held):
            return found
        assert time.monotonic() < deadline, f"still at work: {lags}, {held}"
        time.sleep(1)


async def _delete(settings: Settings, lost: Sequence[topics.Topic]) -> None:
    names = [settings.topic(topic.name) for topic in lost]
    async with admin(settings) as client:
        await client.delete_topics(names)
        for _ in range(50):
            if not set(names) & set(await client.list_topics()):
                return
            await asyncio.sleep(0.2)
    raise AssertionError("the topics are still there")


def _lose(stand: Stand, lost: Sequence[topics.Topic]) -> None:
    asyncio.run(_delete(stand.settings(), lost))
    stand.call("topics", "apply")


async def _put_back_the_older_half(settings: Settings, logs: dict[str, list[Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for name, records in logs.items():
        for record in records[: len(records) // 2]:
            await producer.send(settings.topic(name), record.value, key=record.key, partition=record.partition)
    await producer.stop()


def _rebuild(stand: Stand, *options: str) -> set[str]:
    """How states stand, as ``unbroken rebuild`` says."""
    answer: list[dict[str, Any]] = json.loads(stand.call("rebuild", "--json", *options, allowed=(0, 1)))
    assert answer
    return {each["state"] for each in answer}


def _disagreements(stand: Stand) -> list[dict[str, Any]]:
    """What ``unbroken reconcile`` says needs action, or cannot be said."""
    answer = json.loads(stand.call("reconcile", "--json", allowed=(0, 1, 3)))
    return [item for item in answer["items"] if item["level"] in ("act", "not_covered")]


def _refusal(stand: Stand) -> str:
    """Why a ledger worker does not start."""
    command = [sys.executable, "-m", "pipeline.cli", "worker", "ledger"]
    done = subprocess.run(
        command, env=os.environ | stand.variables, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 2
    return done.stderr


def _start(stand: Stand) -> None:
    for which in stand.ports:
        stand.start(which)
    for which in stand.ports:
        stand.ready(which)


def _watch(stand: Stand, shot: Shot, files: Sequence[Path], folder: Path) -> None:
    """A camera that goes on recording: its files are brought in, and nobody says that it ended."""
    folder.mkdir(exist_ok=True)
    for path in files:
        shutil.copy2(path, folder)
    names = ["--source", shot.source_id, "--unit", shot.unit, "--kind", shot.kind]
    watcher = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "watch", str(folder), *names, "--settle-s", "0.5", "--poll-s", "0.2"],
        env=os.environ | stand.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watcher.stderr is not None
    announced = 0
    for line in watcher.stderr:
        announced += "file.announced" in line
        if announced == len(files):
            break
    watcher.terminate()
    watcher.communicate(timeout=30)


def _bring_in(stand: Stand, shots: Sequence[Shot], camera: Shot, folder: Path) -> None:
    """Ended recordings, and one that is still open."""
    for shot in shots:
        stand.announce_window(shot)
        stand.bring_in(shot, shot.files, DATE)
    _watch(stand, camera, camera.files[:4], folder)


def _make_up_for_a_lost_broker(stand: Stand) -> None:
    """The steps of docs/recovery.md."""
    stand.call("topics", "apply")
    assert "rebuild --from-archive --write" in _refusal(stand)
    stand.call("rebuild", "--from-archive", "--write")
    stand.call("reconcile", "--announce", "--write", allowed=(1,))
    _start(stand)


def _check_states(before: Snapshot, after: Snapshot) -> None:
    """All is as it was, but for where a chain begins on the link topic: that topic is another one."""
    found = [(key, each) for key in sorted({*before, *after}) for each in differences(before.get(key), after.get(key))]
    moved = [each for key, each in found if key[0] == "stitch.state.v1" and each.place.endswith(".first_offset")]

    assert [each for each in found if each[1] not in moved] == []


def _check_end(stand: Stand, shots: Sequence[Shot], camera: Shot, folder: Path) -> None:
    """The rest comes, late files and the camera's next ones: everything ends as planted, in whole chains."""
    _watch(stand, camera, camera.files[4:6], folder)
    for shot in shots:
        if shot.late:
            stand.bring_in(shot, shot.late, DATE)
    _quiet(stand)

    # The oracle of the other drills reads announcements off the topics, and these were lost: reports and archive count here.
    deadline = time.monotonic() + WAIT_S
    while wrong := [
        line for truth in _truths(shots) for line in differs(truth, stand.recordings().get(truth.recording_id))
    ]:
        assert time.monotonic() < deadline, wrong
        time.sleep(1)
    assert _disagreements(stand) == []
    stand.call("verify")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stand]:
    """An installation of the drill's own: other tests' recordings shall not be lost with it. Nothing is made or started."""
    made = Stand(
        folder=tmp_path / "stand", prefix=f"drill{secrets.token_hex(3)}", ports={"media": 19141, "ledger": 19142}
    )
    yield made
    made.stop()


def _footage(film: Film) -> tuple[list[Shot], Shot]:
    """A planned pause, a case with a late file, and a camera that will go on."""
    shots = film()
    paused = next(shot for shot in shots if shot.window)
    late = next(shot for shot in shots if shot.late)
    return [paused, late], next(shot for shot in shots if shot.kind == "cctv" and shot is not paused)


def test_lost_states_older_states_and_a_lost_broker_are_made_up_for(own: Stand, film: Film, tmp_path: Path) -> None:
    settings, folder = own.settings(), tmp_path / "card"
    shots, camera = _footage(film)
    own.prepare()
    _start(own)
    _bring_in(own, shots, camera, folder)
    before = _quiet(own)
    while_working = _rebuild(own)
    assert set(own.stop().values()) == {0}
    logs = asyncio.run(_logs(settings))

    _lose(own, topics.STATES)
    refused = _refusal(own)
    lost = _rebuild(own, "--write")
    after_loss = _snapshot(settings)
    _lose(own, topics.STATES)
    asyncio.run(_put_back_the_older_half(settings, logs))
    older = _rebuild(own, "--write")
    after_age = _snapshot(settings)
    compared = _rebuild(own)

    assert "run `unbroken rebuild --write`" in refused
    assert (while_working, lost, compared) == ({"equal"}, {"lost"}, {"equal"})
    assert {"lost", "behind"} & older
    assert after_loss == before
    assert after_age == before

    _lose(own, topics.ALL)
    _make_up_for_a_lost_broker(own)

    _check_states(before, _quiet(own))
    _check_end(own, shots, camera, folder)
    assert set(own.stop().values()) == {0}
    asyncio.run(_delete(settings, topics.ALL))


@pytest.mark.skipif("UNBROKEN_DRILLS" not in os.environ, reason="two minutes: UNBROKEN_DRILLS=1, or make drills")
def test_a_broker_whose_data_folder_was_wiped_is_made_up_for(
    own: Stand, film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "card"
    shots, camera = _footage(film)
    with OwnBroker(tmp_path / "first") as broker:
        monkeypatch.setenv("UNBROKEN_KAFKA", broker.bootstrap)
        own.prepare()
        _start(own)
        _bring_in(own, shots, camera, folder)
        before = _quiet(own)
        for which in list(own.workers):
            own.kill(which)
    with OwnBroker(tmp_path / "second") as broker:
        monkeypatch.setenv("UNBROKEN_KAFKA", broker.bootstrap)
        _make_up_for_a_lost_broker(own)
        _check_states(before, _quiet(own))
        _check_end(own, shots, camera, folder)
