"""Bad input on the whole path: each is named with its reason, none is lost, none stops the good ones beside it."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_log import read_topic
from pipeline.demo.footage import Shot
from pipeline.demo.stand import Stand
from pipeline.demo.truth import differences
from pipeline.wire import topics
from tests.e2e.conftest import Film

pytestmark = pytest.mark.stack

WAIT_S = 60


def _whole(shots: Sequence[Shot]) -> Shot:
    """One recording with nothing wrong in it."""
    return next(shot for shot in shots if shot.source_id.startswith("voice"))


def _report(stand: Stand, recording: str) -> dict[str, Any]:
    """The recording's report once it is archived."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = stand.recordings().get(recording)
        if found is not None and found["archive"]["state"] == "archived":
            return found
        assert time.monotonic() < deadline, f"{recording} is not archived after {WAIT_S} s: {found}"
        time.sleep(0.5)


def test_bad_files_in_a_folder_are_named_and_the_good_one_is_archived(
    working: Stand, film: Film, tmp_path: Path
) -> None:
    shot = _whole(film())
    folder = tmp_path / "from the 设备\nfolder"
    folder.mkdir()
    shutil.copy2(shot.files[0], folder / f"{shot.files[0].stem} 录音.m4a")
    (folder / "empty.m4a").write_bytes(b"")
    (folder / "notes.txt").write_text("not a recording", "utf-8")
    (folder / "gone.m4a").symlink_to(tmp_path / "nowhere.m4a")

    said = working.call(
        "import", str(folder), "--source", shot.source_id, "--unit", shot.unit, "--kind", shot.kind,
        "--recording", str(shot.recording), "--json", allowed=(1,),
    )  # fmt: skip
    report = _report(working, str(shot.recording))

    refused = {Path(entry["path"]).name for entry in json.loads(said)["refused"]}
    assert refused == {"empty.m4a", "notes.txt", "gone.m4a"}
    assert (report["verdict"], report["segments"]) == ("continuous", 1)


def test_rubbish_named_as_media_is_kept_judged_unreadable_and_stops_nothing(working: Stand, film: Film) -> None:
    shot = _whole(film())
    rubbish = shot.folder / f"{shot.files[0].stem} (2).m4a"
    rubbish.write_bytes(b"\x00\xff" * 5000 + shot.source_id.encode())

    working.bring_in(shot, (*shot.files, rubbish), "2026-11-24")
    report = _report(working, str(shot.recording))

    assert (report["verdict"], report["segments"]) == ("interrupted", 2)
    assert "unreadable" in {finding["kind"] for finding in report["findings"]}


def test_poisoned_messages_are_quarantined_and_the_good_ones_behind_them_carried_on(working: Stand, film: Film) -> None:
    shot = _whole(film())
    source = shot.source_id.encode()
    poison = {
        "null value": (source, None, ()),
        "not json": (source, b"\xff{", ()),
        "unknown major": (source, b"{}", (("ce_type", b"unbroken.segment.landed.v9"),)),
        "deep": (source, b"[" * 100_000, ()),
    }

    asyncio.run(_produce(working, list(poison.values())))
    working.bring_in(shot, shot.files, "2026-11-24")
    report = _report(working, str(shot.recording))
    kept = asyncio.run(_quarantined(working, source))

    assert differences(shot.truths[0], report) == []
    assert {item["stage"] for item in kept} == {"probe", "deadline"}
    for stage in ("probe", "deadline"):
        values = [item["value_base64"] for item in kept if item["stage"] == stage]
        assert values == [
            None if value is None else base64.b64encode(value).decode() for _, value, _ in poison.values()
        ]
    assert all(item["reason"] and item["detail"] for item in kept)


def test_what_a_person_decides_about_a_quarantined_input_is_carried_out_and_kept(working: Stand) -> None:
    source = f"cam-{secrets.token_hex(4)}"
    asyncio.run(_produce(working, [(source.encode(), b"{ not json", (("x-trace", b"1"),))]))
    (first,) = _waiting(working, source, 1)

    working.call("quarantine", "release", first, "--because", "the parser was mended", "--by", "wang")
    (second,) = _waiting(working, source, 1, but=first)
    working.call("quarantine", "discard", second, "--because", "rubbish of a test", "--by", "wang")

    whole = json.loads(working.call("quarantine", "show", second))
    listed = {one["input"]: one for one in _listed(working, "--all")}
    assert (whole["text"], whole["headers"][0]["name"]) == ("{ not json", "x-trace")
    assert [listed[name]["decided"]["decision"] for name in (first, second)] == ["released", "discarded"]
    assert not {first, second} & {one["input"] for one in _listed(working)}


def _waiting(stand: Stand, source: str, count: int, but: str = "") -> list[str]:
    """Names of the probe's inputs of *source* that wait for a decision, once there are so many."""
    deadline = time.monotonic() + WAIT_S
    while True:
        kept = [item for item in asyncio.run(_quarantined(stand, source.encode())) if item["stage"] == "probe"]
        names = [f"probe/{item['topic']}/{item['partition']}/{item['offset']}" for item in kept]
        open_now = {one["input"] for one in _listed(stand)}
        found = [name for name in names if name in open_now and name != but]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"expected {count} inputs of {source} in quarantine, found {kept}"
        time.sleep(0.5)


def _listed(stand: Stand, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stand.call("quarantine", "list", "--json", *options, allowed=(0, 1)))
    return found


def test_a_camera_whose_clock_says_1970_is_judged_without_inventing_a_gap(working: Stand, film: Film) -> None:
    shot = _whole(film())
    old = shot.files[0].rename(shot.folder / "19700101T000003Z.m4a")

    working.bring_in(shot, (old,), "2026-11-24")
    report = _report(working, str(shot.recording))

    assert report["gaps"] == []
    assert report["segments"] == 1


async def _produce(stand: Stand, messages: Sequence[tuple[bytes, bytes | None, tuple[tuple[str, bytes], ...]]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stand.settings().kafka, acks="all")
    await producer.start()
    try:
        for key, value, headers in messages:
            await producer.send_and_wait(stand.settings().topic(topics.LANDED.name), value, key, headers=list(headers))
    finally:
        await producer.stop()


async def _quarantined(stand: Stand, key: bytes) -> list[dict[str, Any]]:
    """What the quarantine topic holds of one key, in order."""
    settings = stand.settings()
    records = await read_topic(settings.kafka, settings.topic(topics.QUARANTINE.name), settings.topic_partitions)
    return [json.loads(record.value) for record in records if record.key == key and record.value is not None]
