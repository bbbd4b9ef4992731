"""One isolated installation on the local stack for all end-to-end tests: own topics, buckets, journals, workers."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pipeline.adapters.signing import verify
from pipeline.demo.footage import Shot, shoot
from pipeline.demo.masters import encoded_masters
from pipeline.demo.stand import Stand
from pipeline.domain.canonical import canonical
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from tests.e2e.ceph import Quotas
from tests.wire.contract import validator

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"media": 19131, "ledger": 19132}

Film = Callable[[], tuple[Shot, ...]]


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Topics and buckets made, no worker started."""
    for line in (ROOT / "infra/local.env").read_text("utf-8").splitlines():
        name, found, value = line.partition("=")
        if found and not line.startswith("#"):
            os.environ.setdefault(name, value)
    made = Stand(folder=tmp_path_factory.mktemp("stand"), prefix=f"e2e{secrets.token_hex(3)}", ports=PORTS)
    made.prepare()
    yield made
    made.stop()
    asyncio.run(delete_topics(made))


@pytest.fixture
def working(stand: Stand) -> Stand:
    """The stand with both workers running, whatever the test before did to them."""
    for which in stand.ports:
        if which not in stand.workers:
            stand.start(which)
    for which in stand.ports:
        stand.ready(which)
    return stand


@pytest.fixture
def quotas() -> Iterator[Quotas]:
    """Buckets without room; they have it again afterwards, whatever happened."""
    made = Quotas()
    yield made
    made.lift_all()


@pytest.fixture(scope="session")
def masters() -> Path:
    return encoded_masters(Settings().state / "demo")


@pytest.fixture
def film(masters: Path, tmp_path: Path) -> Film:
    """Makes footage nobody has seen: new ids, new bytes."""

    def make() -> tuple[Shot, ...]:
        run = secrets.token_hex(3)
        return shoot(masters, tmp_path / run, WallMs(time.time_ns() // 1_000_000), run)

    return make


def signed_by_the_key_of(stand: Stand, made: Mapping[str, Any]) -> None:
    """Fail unless the report *made* is as its schema says, and signed with the stand's key."""
    assert [f"{error.json_path}: {error.message}" for error in validator("sla-report.v1").iter_errors(made)] == []
    unsigned = {name: value for name, value in made.items() if name != "signature"}
    key = load_pem_public_key((stand.folder / "receipt-key.pub.pem").read_bytes())
    public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert verify(public, canonical(unsigned), base64.b64decode(made["signature"]))


def shorten(stand: Stand, deadline_s: int) -> None:
    """Give *stand* so many seconds in place of article 9's day, and a sixth of them, as of a day, to be at risk in."""
    policy = stand.folder / "policy.toml"
    text = policy.read_text("utf-8")
    for name, value in {"deadline_s": deadline_s, "at_risk_before_s": deadline_s // 6}.items():
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
    policy.write_text(text, "utf-8")


async def delete_topics(stand: Stand) -> None:
    """Locked objects stay for their day; topics need not."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.settings().kafka)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(f"{stand.prefix}.")]
        await admin.delete_topics(mine)
    finally:
        await admin.close()
