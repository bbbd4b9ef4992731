"""Whatever breaks between us and the real store, at whichever request: what was acknowledged is there, whole and locked.

Each case puts an object through the real put protocol with one kind of fault at one kind of request, repeats as a connector
does, reads it back, and then asks the store directly, past the proxy. ``UNBROKEN_FAULT_SEEDS`` says how many cases a cell
has; ``make faults`` runs them all. A late request can make a second version, which nobody can prevent and nobody may
overlook: the listing of extra versions must name it.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from pipeline.adapters import objects_s3
from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.objects_s3 import S3Objects, open_client, open_store
from pipeline.adapters.store_http import open_pool
from pipeline.domain.errors import StoreUnavailable
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStat
from pipeline.settings import Settings
from tests.adapters.objects_contract import ref, sha, soon
from tests.adapters.s3 import own_settings, short_policy
from tests.faults.proxy import KINDS, LATE_S, OPERATIONS, Fault, Kind, Operation, Proxy
from tests.oracle.judge import wrong_version
from tests.oracle.look import held_versions

SEEDS = int(os.environ.get("UNBROKEN_FAULT_SEEDS", "2"))
ATTEMPTS = 6
PART = 5 << 20
"""The least a part may weigh; a case of two parts need not be larger."""
AT_ONCE = 4
T = TypeVar("T")


@dataclass(frozen=True)
class Site:
    proxy: Proxy
    through: Settings
    direct: S3Objects

    @property
    def originals(self) -> str:
        return self.through.originals


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    direct = own_settings(folder, short_policy(folder))
    apply_buckets(direct)
    url = urlsplit(direct.store_url)
    with (
        pytest.MonkeyPatch.context() as patch,
        Proxy((url.hostname or "", url.port or 80)).running() as proxy,
    ):
        patch.setattr(objects_s3, "PART_BYTES", PART)
        patch.setattr(objects_s3, "open_pool", partial(open_pool, read_timeout_s=1.0))
        yield Site(
            proxy,
            direct.model_copy(update={"store_url": f"http://127.0.0.1:{proxy.port}"}),
            S3Objects(open_client(direct)),
        )


@dataclass(frozen=True)
class Case:
    """What one case came to. ``faults`` is what must never be."""

    key: str
    fired: int
    repeated: int
    versions: int
    faults: tuple[str, ...]


def run(site: Site, folder: Path, operation: Operation, kind: Kind, seed: int) -> Case:
    chance = random.Random(f"{operation} {kind} {seed}")
    key = f"faults/{operation}-{kind}-{seed}-{secrets.token_hex(4)}"
    fault = Fault(key, operation, kind, chance, skip=_skip(operation, chance), times=chance.choice((1, 1, 2)))
    site.proxy.faults.append(fault)
    data = chance.randbytes(PART + 1000 if operation in ("part", "complete") else 1000 * (seed + 1))
    path = folder / key.replace("/", "-")
    path.write_bytes(data)
    store, attempts = open_store(site.through), list[str]()
    until = soon(4)
    if operation == "retention":
        _insist(attempts, lambda: store.put_file(site.originals, key, path, sha(data), retain_until=soon(2)))
    stat = _insist(attempts, lambda: store.put_file(site.originals, key, path, sha(data), retain_until=until))
    back = _insist(attempts, lambda: _read(store, stat))
    if kind == "late":
        time.sleep(2 * LATE_S)  # what is still under way is judged too
    return Case(
        key,
        fault.fired,
        len(attempts),
        len(site.direct.versions(site.originals, key)),
        tuple(_wrong(site, key, data, until, stat, back)),
    )


def _skip(operation: Operation, chance: random.Random) -> int:
    """Which of the requests is hit: the look before or after sending, the first or the second part."""
    return chance.randrange(2) if operation in ("head", "part") else 0


def _insist(attempts: list[str], ask: Callable[[], T]) -> T:
    """As connectors and the runner do: an unknown outcome is asked for again. A pause keeps attempts apart."""
    for _ in range(ATTEMPTS):
        try:
            return ask()
        except StoreUnavailable as exc:
            attempts.append(str(exc))
            time.sleep(0.05)
    raise AssertionError(f"no answer in {ATTEMPTS} attempts: {attempts}")


def _read(store: S3Objects, stat: ObjectStat) -> bytes:
    with store.open(ref(stat)) as body:
        return body.read()


def _wrong(site: Site, key: str, data: bytes, until: WallMs, acknowledged: ObjectStat, back: bytes) -> Iterator[str]:
    """What the store itself, asked directly, holds against the acknowledgement."""
    if back != data:
        yield f"read back {len(back)} other bytes"
    held = list(held_versions(site.direct, site.originals, lambda name: name == key, key))
    for version in held:
        promised = until if version.version_id == acknowledged.version_id else WallMs(1)
        yield from wrong_version(version, sha(data), promised)
    if acknowledged.version_id not in {version.version_id for version in held}:
        yield f"the acknowledged version {acknowledged.version_id} is not there"


@pytest.mark.stack
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_acknowledged_is_whole_and_locked(
    site: Site, tmp_path: Path, operation: Operation, kind: Kind
) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        cases = list(threads.map(lambda seed: run(site, tmp_path, operation, kind, seed), range(SEEDS)))

    extra = {case.key: case.versions for case in cases if case.versions > 1}
    repeated = sum(case.repeated for case in cases)
    print(f"{kind} at {operation}: {len(cases)} cases, {repeated} requests repeated, {len(extra)} extra versions")
    assert [fault for case in cases for fault in case.faults] == []
    assert all(case.fired for case in cases)
    assert not extra or kind == "late"
    told = {one.key: len(one.versions) for one in site.direct.layers(site.originals, "")}
    assert extra == {key: versions for key, versions in told.items() if key.startswith(f"faults/{operation}-{kind}-")}
