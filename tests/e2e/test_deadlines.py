"""Deadlines on real services: a miss is recorded whatever happens to the tracker, and a canary passes every stage."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.adapters.prometheus import CANARY_STAGES
from pipeline.demo.stand import Stand
from tests.e2e.conftest import _delete_topics

pytestmark = pytest.mark.stack

DEADLINE_S = 15


@pytest.fixture
def hasty(stand: Stand, tmp_path: Path) -> Iterator[Stand]:
    """An installation of its own whose day is a quarter of a minute; only its ledger worker runs."""
    made = Stand(folder=tmp_path, prefix=f"e2e{secrets.token_hex(3)}", ports={"ledger": 19142})
    policy = tmp_path / "policy.toml"
    text = policy.read_text("utf-8")
    policy.write_text(
        text.replace("deadline_s = 86400", f"deadline_s = {DEADLINE_S}").replace(
            "at_risk_before_s = 14400", "at_risk_before_s = 5"
        ),
        "utf-8",
    )
    made.prepare()
    made.start("ledger")
    made.ready("ledger")
    yield made
    made.stop()
    asyncio.run(_delete_topics(made))


def until(found: Callable[[], Any], timeout_s: float) -> Any:
    """What *found* gives as soon as it gives something."""
    end = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < end, f"nothing after {timeout_s:.0f} s"
        time.sleep(0.5)
    return value


def in_s(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def breaches(stand: Stand, source: str) -> list[dict[str, Any]]:
    """The locked records of what *source* missed."""
    settings = stand.settings()
    store = S3Objects(open_client(settings))
    keys = [listed.key for listed in store.list(settings.records, f"deadlines/{source}/")]
    return [json.loads(store.read(settings.records, key)) for key in keys]


def test_a_tracker_killed_over_the_deadline_still_records_the_miss(hasty: Stand) -> None:
    when = ("--at", in_s(-3600), "--due-back", in_s(20))
    hasty.call("issue", "bwc-1", "--unit", "inspection", "--officer", "0471", *when)
    until(lambda: 'unit="inspection"' in metrics(hasty, "ledger"), 30)

    hasty.kill("ledger")
    time.sleep(20 + DEADLINE_S)
    hasty.start("ledger")
    hasty.ready("ledger")
    (missed,) = until(lambda: breaches(hasty, "bwc-1"), 60)

    assert (missed["state"], missed["cause"], missed["progress"]) == ("missed", "not_docked", "expected")
    settings = hasty.settings()
    (listed,) = S3Objects(open_client(settings)).list(settings.records, "deadlines/bwc-1/")
    assert S3Objects(open_client(settings)).stat(settings.records, listed.key).lock_mode == "COMPLIANCE"


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
