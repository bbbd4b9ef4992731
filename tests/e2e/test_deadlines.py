"""Deadlines on real services: a miss is recorded once whatever happens to the trackers, the day is reported by them alone, and
a canary passes every stage."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.adapters.prometheus import CANARY_STAGES
from pipeline.connectors.announcer import announcing
from pipeline.demo.stand import CASE, Stand
from pipeline.domain.annotation import Annotation, Issue
from pipeline.domain.canary import beat_file
from pipeline.domain.identity import SourceId
from pipeline.domain.time import WallMs
from pipeline.wire import codec, topics
from tests.e2e.conftest import delete_topics, shorten, signed_by_the_key_of

pytestmark = pytest.mark.stack

DAY_S: Final = 30
"""The deadline, in place of 24 hours."""
DEVICES: Final = 24
MIDNIGHT_S: Final = 30
"""From the start of the trial to the end of its calendar day."""


@dataclass
class Hasty(Stand):
    """An installation whose deadline is half a minute and whose calendar day ends when the trial needs it to."""

    midnight: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        shorten(self, DAY_S)

    @property
    def variables(self) -> dict[str, str]:
        west = self.midnight % 86_400  # of Greenwich, as POSIX spells zones
        zone = f"TRIAL{west // 3600}:{west // 60 % 60:02}:{west % 60:02}"
        return {**super().variables, "TZ": zone, "UNBROKEN_ZONE": "", "UNBROKEN_DAILY_REPORT_S": "3"}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Hasty, Hasty]]:
    """Two places for ledger workers of one installation, and one for its media worker; none runs yet."""
    prefix = f"e2e{secrets.token_hex(3)}"
    one = Hasty(folder=tmp_path, prefix=prefix, ports={"ledger": 19142, "media": 19141})
    other = Hasty(folder=tmp_path, prefix=prefix, ports={"ledger": 19144})
    one.prepare()
    yield one, other
    for stand in (one, other):
        stand.stop()
    asyncio.run(delete_topics(one))


def until(found: Callable[[], Any], timeout_s: float) -> Any:
    """What *found* gives as soon as it gives something."""
    end = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < end, f"nothing after {timeout_s:.0f} s"
        time.sleep(0.5)
    return value


def breaches(stand: Stand, source: str = "") -> list[dict[str, Any]]:
    """The locked records of what *source*, or anything, missed."""
    settings = stand.settings()
    store = S3Objects(open_client(settings))
    keys = [listed.key for listed in store.list(settings.records, f"deadlines/{source and f'{source}/'}")]
    return [json.loads(store.read(settings.records, key)) for key in keys]


def test_misses_are_recorded_once_whoever_watches_and_the_day_is_reported_by_itself(pair: tuple[Hasty, Hasty]) -> None:
    one, other = pair
    for which in one.ports:
        one.start(which)
    for which in one.ports:
        one.ready(which)
    until(lambda: "unbroken_worm_probe_success 1.0" in metrics(one, "ledger"), 90)
    begun = time.time()
    for stand in pair:  # a worker learns its zone when it starts; those that report start later
        stand.midnight = int(begun) + MIDNIGHT_S
    _hand_out(one, begun)
    _bring_in(one)

    # Nobody watches when the first deadlines pass; then two begin to at once, and one of them leaves.
    _at(begun + 35)
    one.kill("ledger")
    _at(begun + 41)
    for stand in pair:
        stand.start("ledger")
    for stand in pair:
        stand.ready("ledger")
    _at(begun + 52)
    one.workers["ledger"].send_signal(signal.SIGTERM)
    store, records = S3Objects(open_client(one.settings())), one.settings().records
    until(lambda: [stat for stat in store.list(records, "reports/") if stat.key.endswith("/all.json")], 90)

    devices = {f"bwc-{number}" for number in range(DEVICES)}
    assert _misses(one) == dict.fromkeys(devices, 1)
    kept = breaches(one)
    assert Counter(told["source_id"] for told in kept) == dict.fromkeys(devices, 1)
    assert {(told["state"], told["cause"], told["progress"]) for told in kept} == {("missed", "not_docked", "expected")}
    locks = {store.stat(records, listed.key).lock_mode for listed in store.list(records, "deadlines/")}
    assert locks == {"COMPLIANCE"}
    reports = {stat.key.rpartition("/")[2]: stat.key for stat in store.list(records, "reports/")}
    assert set(reports) == {"all.json", "unit-inspection.json", "unit-patrol.json"}
    for key in reports.values():
        stat = store.stat(records, key)
        assert (stat.lock_mode, len(store.versions(records, key))) == ("COMPLIANCE", 1)
        signed_by_the_key_of(one, json.loads(store.read(records, key)))
    whole = json.loads(store.read(records, reports["all.json"]))
    planted = {("inspection", name): ("missed", "not_docked") for name in devices} | {("patrol", "vr-1"): ("met", None)}
    assert _said(whole) == planted
    assert _said(json.loads(store.read(records, reports["unit-patrol.json"]))) == {("patrol", "vr-1"): ("met", None)}
    day = reports["all.json"].split("/")[1]
    asked = json.loads(other.call("sla", "report", "--from", day, "--to", day, "--json", allowed=(1,)))
    assert [whole[part] for part in ("totals", "recordings", "gaps")] == [
        asked[part] for part in ("totals", "recordings", "gaps")
    ]
    assert whole["complete"]


def _hand_out(stand: Stand, begun: float) -> None:
    """Hand out devices that nobody will bring back; their deadlines follow one another for twenty seconds."""
    now = WallMs(int(begun * 1000))

    def said(number: int) -> Annotation:
        due_back = WallMs(now + 8_000 + number * 20_000 // DEVICES)
        issue = Issue(at=WallMs(now - 3_600_000), officer="0471", due_back=due_back, source_kind="body_camera")
        return Annotation(
            annotation_id=f"handed-out-{number}",
            kind="issued",
            source_id=SourceId(f"bwc-{number}"),
            made_at=now,
            made_by="a test",
            unit="inspection",
            issue=issue,
        )

    async def say() -> None:
        async with announcing(stand.settings()) as announcer:
            for number in range(DEVICES):
                await announcer.annotation(said(number))

    asyncio.run(say())


def _bring_in(stand: Stand) -> None:
    """A second of sound whose end is now, with its case."""
    made = stand.folder / "card" / "talk.wav"
    made.parent.mkdir()
    made.write_bytes(beat_file(WallMs(time.time_ns() // 1_000_000)))
    about = ("--source", "vr-1", "--unit", "patrol", "--kind", "voice_recorder", "--recording", "talk-1")
    stand.call("import", str(made.parent), *about, *CASE, "2026-11-24")


def _at(instant: float) -> None:
    time.sleep(max(0.0, instant - time.time()))


def _misses(stand: Stand) -> dict[str, int]:
    """How many different words each source's misses were told in. A worker that was killed may repeat its last ones."""
    settings = stand.settings()
    topic = settings.topic(topics.DEADLINE.name)
    found: dict[str, set[bytes]] = defaultdict(set)
    for record in asyncio.run(read_topic(settings.kafka, topic, settings.topic_partitions)):
        change = codec.decode(topics.DEADLINE.name, record.value)
        if change.state == "missed":
            found[change.source_id].add(record.value or b"")
    return {source: len(told) for source, told in found.items()}


def _said(report: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {(item["unit"], item["source_id"]): (item["outcome"], item["cause"]) for item in report["recordings"]}


def test_a_canary_passes_every_stage_and_is_not_listed(working: Stand) -> None:
    working.call("canary", "--once")

    until(lambda: all(seen(working, stage) for stage in CANARY_STAGES), 60)

    assert not [name for name in working.recordings() if name.startswith("canary-")]


def seen(stand: Stand, stage: str) -> bool:
    name = f'unbroken_canary_last_seen_timestamp_seconds{{stage="{stage}"}} '
    lines = [line for which in stand.ports for line in metrics(stand, which).splitlines() if line.startswith(name)]
    return any(float(line.rpartition(" ")[2]) > 0 for line in lines)


def metrics(stand: Stand, which: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{stand.ports[which]}/metrics", timeout=5) as answer:
        return str(answer.read().decode())
