"""Rolling verification on a whole archive: every part in its turn, over restarts; what differs is found and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from pipeline.adapters import signing
from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.domain.errors import StoreUnavailable, StoreUntrusted
from pipeline.domain.rolling import Standing, Verified, verified_document, verified_key
from pipeline.domain.time import WallMs
from pipeline.steps.rolling import Rolling, watch
from pipeline.steps.seal import Sealer
from pipeline.steps.verify import Verification
from tests.builders import T0
from tests.builders_archive import DAY_MS, Trusting, signer
from tests.steps.archived import Archive

PARTS = 4
TURN_S = 3600


@dataclass
class Clock:
    """An hour passes with each turn."""

    at: int = T0 + DAY_MS

    def now(self) -> WallMs:
        return WallMs(self.at)


@dataclass
class Site:
    store: MemoryObjects
    clock: Clock
    trust: Trusting

    def worker(self) -> Rolling:
        """A worker as it starts: it knows nothing but what the store holds."""
        return Rolling(
            verification=Verification(
                store=self.store,
                records="records",
                originals="originals",
                locks=True,
                keys={signer().key_id: signer().public},
                signed=signing.verify,
            ),
            store=self.store,
            trust=self.trust,
            clock=self.clock,
            sealer=Sealer(store=self.store, signer=signer(), records="records"),
            software="test",
            within_s=PARTS * TURN_S,
            turn_s=TURN_S,
            retention_s=86_400,
        )

    def turn(self, worker: Rolling) -> tuple[Verified, Standing]:
        found = worker.run()
        self.clock.at += TURN_S * 1000
        return found


@pytest.fixture
def site() -> Site:
    return Site(Archive().store, Clock(), Trusting())


def test_every_part_has_its_turn_and_each_turn_is_kept_under_lock(site: Site) -> None:
    worker = site.worker()

    turns = [site.turn(worker) for _ in range(PARTS)]

    assert [record.part for record, _ in turns] == [1, 2, 3, 4]
    assert sum(record.failures for record, _ in turns) == 0
    assert sum(record.items for record, _ in turns) > 20
    assert (turns[-1][1].verified, turns[-1][1].of) == (4, 4)
    for record, _ in turns:
        assert site.store.read("records", verified_key(record)) == verified_document(record)
        assert site.store.stat("records", verified_key(record)).lock_mode == "COMPLIANCE"


def test_a_worker_that_starts_anew_goes_on_where_the_records_end(site: Site) -> None:
    site.turn(site.worker())
    site.turn(site.worker())

    record, standing = site.turn(site.worker())

    assert (record.part, standing.verified) == (3, 3)


def test_what_differs_is_named_in_the_record_and_counted_until_it_is_whole_again(site: Site) -> None:
    worker = site.worker()
    key, versions = next(iter(site.store._buckets["originals"].versions.items()))
    whole = versions[-1]

    versions[-1] = replace(whole, data=whole.data[:-1] + b"!")
    bad = [site.turn(worker) for _ in range(PARTS)]
    versions[-1] = whole
    mended = [site.turn(worker) for _ in range(PARTS)][-1][1]

    (record,) = [record for record, _ in bad if record.failures]
    kept = json.loads(site.store.read("records", verified_key(record)))
    assert f"originals/{key}" in {item["place"] for item in kept["failed"]}
    assert (bad[-1][1].failures, mended.failures) == (record.failures, 0)


def test_a_store_that_is_not_trusted_gets_no_record(site: Site) -> None:
    site.trust.why = "not tried yet"

    with pytest.raises(StoreUntrusted):
        site.worker().run()

    assert list(site.store.list("records", "verified/")) == []


class Enough(Exception):
    pass


def test_a_turn_the_store_cut_off_is_heard_and_made_again_sooner(site: Site) -> None:
    heard: list[object] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            site.store.faults.clear()
        if len(pauses) == 3:
            raise Enough
        if len(pauses) == 1:
            site.store.faults += [Fault("read", StoreUnavailable("away"))] * 50

    with pytest.raises(Enough):
        watch(site.worker(), heard.append, sleep)

    assert [type(item) for item in heard] == [tuple, StoreUnavailable, tuple]
    assert pauses[1] < 301
    assert pauses[2] > 3500
