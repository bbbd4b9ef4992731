"""A store that locks passes the probe; one that lies in any way the probe knows is found out, by the name of the lie."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.adapters.buckets import apply_buckets
from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.adapters.objects_s3 import open_store
from pipeline.adapters.worm_s3 import look_at_store
from pipeline.domain.archive import LockMode
from pipeline.domain.errors import Misconfigured, ObjectMissing, StoreUnavailable, StoreUntrusted
from pipeline.domain.time import WallMs
from pipeline.domain.worm import Left, Tried, WormReport, report_document
from pipeline.steps.worm import (
    AGAIN_S,
    DAY_MS,
    KEPT_S,
    LOST_AGAIN_S,
    KeptTrust,
    Locked,
    Refused,
    StoreTrust,
    find_left,
    keep_report,
    make_report,
    probe,
)
from tests.adapters.s3 import own_settings, short_policy
from tests.builders import T0

LIFECYCLE = "old version after a lifecycle rule expired it"


@dataclass(frozen=True)
class Version:
    data: bytes
    lock: Locked
    held: bool = False


@dataclass
class Bucket:
    """A bucket in memory that locks as S3 says, but for its *lies*, and its own clock."""

    lies: frozenset[str] = frozenset()
    at: int = T0
    kept: dict[tuple[str, str], Version] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    rule: str = ""

    def now(self) -> WallMs:
        return WallMs(self.at + (5000 if "clock" in self.lies else 0))

    def sleep(self, seconds: float) -> None:
        self.at += int(seconds * 1000)

    def put(self, key: str, data: bytes, until: WallMs | None, *, parts: bool = False, new: bool = False) -> str:
        self._no(new and any(name == key for name, _ in self.kept), "new")
        if "put" in self.lies:
            raise Refused("InvalidRequest")
        if parts and "parts" in self.lies:
            until = None
        default = until is None
        lock = Locked("COMPLIANCE", until or WallMs(self.at + DAY_MS))
        if "ignored" in self.lies or (default and ("default parts" if parts else "default put") in self.lies):
            lock = Locked("none", None)
        if "overwrites" in self.lies:
            self.kept = {place: version for place, version in self.kept.items() if place[0] != key}
        version = f"v{len(self.kept)}"
        self.kept[key, version] = Version(data, lock)
        return version

    def put_wrong(self, key: str, data: bytes, *, signed: bool) -> None:
        self._no(True, "signed" if signed else "checksum")
        self.put(key, data, None)

    def delete(self, key: str, version: str | None, *, bypass: bool = False, batch: bool = False) -> None:
        if version is None:
            if "marker" in self.lies:
                self.kept = {place: kept for place, kept in self.kept.items() if place[0] != key}
            return
        kept = self._version(key, version)
        until = kept.lock.until or 0
        self._no(kept.held, "hold")
        self._no(until > self.at, "bypass" if bypass else "batch" if batch else "delete")
        del self.kept[key, version]

    def retain(self, key: str, version: str, mode: LockMode, until: WallMs) -> None:
        kept = self._version(key, version)
        self._no(until < (kept.lock.until or 0), "shorten")
        self._no(mode != "COMPLIANCE", "weaken")
        if "extend" not in self.lies:
            self.kept[key, version] = replace(kept, lock=Locked(mode, until))

    def hold(self, key: str, version: str, on: bool) -> None:
        self._no("no hold" in self.lies)
        self.kept[key, version] = replace(self._version(key, version), held=on)

    def expire(self, prefix: str) -> None:
        self._no("no rules" in self.lies)
        self.rule = prefix

    def midnight(self) -> None:
        """The rule acts: a marker on each of its keys, versions below it taken away when nothing locks them."""
        expiring = {place: kept for place, kept in self.kept.items() if self.rule and place[0].startswith(self.rule)}
        self.marked |= {key for key, _ in expiring}
        for place, kept in expiring.items():
            if "lifecycle" in self.lies or (kept.lock.until or 0) <= self.at:
                del self.kept[place]

    def suspend_versions(self) -> None:
        self._no(True, "suspend")

    def delete_bucket(self) -> None:
        self._no(True, "bucket")
        self.kept.clear()

    def read(self, key: str, version: str | None) -> bytes:
        if version is None:
            if key in self.marked:
                raise ObjectMissing("NoSuchKey")
            version = max(found for name, found in self.kept if name == key)
        return self._version(key, version).data

    def locked(self, key: str, version: str) -> Locked:
        return self._version(key, version).lock

    def _version(self, key: str, version: str) -> Version:
        if (key, version) not in self.kept:
            raise ObjectMissing("NoSuchVersion")
        return self.kept[key, version]

    def _no(self, forbidden: bool, lie: str = "") -> None:
        if forbidden and lie not in self.lies:
            raise Refused("AccessDenied")


class Clock:
    """Our clock, which goes as the bucket's does unless that lies."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def now(self) -> WallMs:
        return WallMs(self._bucket.at)


def tried(*lies: str) -> list[Tried]:
    bucket = Bucket(frozenset(lies))
    return list(probe(bucket, Clock(bucket), None, bucket.sleep))


def wrong(items: Iterable[Tried], must: bool = True) -> list[str]:
    return [item.name for item in items if item.must is must and item.ok is False]


def report(bucket: Bucket, earlier: Left | None = None) -> WormReport:
    clock = Clock(bucket)
    return make_report(bucket, clock, store="memory", software="test", earlier=earlier, sleep=bucket.sleep)


def after_lifecycle(bucket: Bucket, *, acts: bool = True) -> Tried:
    """What a report says of a version that one of four days ago left behind."""
    left = report(bucket).left
    bucket.at += 4 * DAY_MS
    if acts:
        bucket.midnight()
    return next(item for item in report(bucket, left).tried if item.name == LIFECYCLE)


def test_a_store_that_locks_passes_without_a_difference() -> None:
    items = tried()

    assert [item.name for item in items if not item.ok] == [LIFECYCLE]
    assert len(items) == 22


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        ("clock", "clock"),
        ("put", "locked by the put itself"),
        ("ignored", "locked by the put itself"),
        ("delete", "delete of a locked version"),
        ("bypass", "the same with the bypass header"),
        ("batch", "the same in a batch"),
        ("shorten", "a shorter lock"),
        ("weaken", "a weaker lock (GOVERNANCE)"),
        ("suspend", "versioning suspended"),
        ("bucket", "delete of the bucket, forced"),
        ("signed", "bytes other than the signed digest"),
        ("overwrites", "old version after another is put over it"),
        ("marker", "old version after a plain delete"),
        ("extend", "lock made longer"),
        ("default put", "default retention on a put"),
        ("default parts", "default retention on a multi-part upload"),
        ("hold", "delete under legal hold, its lock expired"),
        ("no hold", "delete under legal hold, its lock expired"),
    ],
)
def test_a_store_that_lies_is_found_out(lie: str, named: str) -> None:
    assert named in wrong(tried(lie))


@pytest.mark.parametrize(
    ("lie", "named"),
    [
        ("parts", "lock given with a multi-part upload"),
        ("new", "put only if absent, on a key in use"),
        ("checksum", "bytes other than the checksum header"),
    ],
)
def test_what_good_stores_differ_in_is_told_and_does_not_fail(lie: str, named: str) -> None:
    items = tried(lie)

    assert wrong(items) == []
    assert wrong(items, must=False) == [named]


@pytest.mark.parametrize(("skew_ms", "ok"), [(2000, True), (-2000, True), (2001, False), (-2001, False)])
def test_the_store_s_clock_may_be_two_seconds_off(skew_ms: int, ok: bool) -> None:
    class Off(Bucket):
        def now(self) -> WallMs:
            return WallMs(self.at + skew_ms)

    bucket = Off()

    assert next(probe(bucket, Clock(bucket), None, bucket.sleep)).ok is ok


def test_a_locked_version_under_a_lifecycle_rule_is_looked_for_days_later() -> None:
    assert (after_lifecycle(Bucket()).ok, after_lifecycle(Bucket(frozenset({"lifecycle"}))).ok) == (True, False)


def test_a_lifecycle_rule_that_did_not_act_proves_nothing() -> None:
    assert after_lifecycle(Bucket(), acts=False).ok is None


def test_a_server_without_lifecycle_rules_is_not_blamed_for_it() -> None:
    found = report(Bucket(frozenset({"no rules"})))

    assert (found.left, found.wrong) == (None, ())


class TestTrust:
    """The archive waits until this process has seen the store keep its locks."""

    @pytest.fixture
    def bucket(self) -> Bucket:
        return Bucket()

    @pytest.fixture
    def heard(self) -> list[WormReport | Exception]:
        return []

    @pytest.fixture
    def trust(self, bucket: Bucket, heard: list[WormReport | Exception]) -> StoreTrust:
        def look() -> tuple[WormReport, bool]:
            if "silent" in bucket.lies:
                raise StoreUnavailable("no answer")
            if "defect" in bucket.lies:
                raise TypeError("a defect")
            return report(bucket), "full" not in bucket.lies

        return StoreTrust(look, Clock(bucket), 3600, heard.append)

    def test_nothing_is_trusted_before_the_first_try(self, trust: StoreTrust) -> None:
        with pytest.raises(StoreUntrusted, match="not tried yet; nothing is archived until `unbroken doctor worm`"):
            trust.require()

    def test_a_pass_opens_the_archive_until_the_next_try(self, trust: StoreTrust) -> None:
        assert trust.look() == 3600
        trust.require()

    def test_a_fault_closes_it_and_is_looked_at_again_soon(self, trust: StoreTrust, bucket: Bucket) -> None:
        trust.look()
        bucket.lies = frozenset({"shorten"})

        assert trust.look() == AGAIN_S
        with pytest.raises(StoreUntrusted, match="a shorter lock: accepted"):
            trust.require()

    def test_a_pass_whose_report_found_no_room_counts_here_and_is_made_again_soon_for_the_connectors(
        self, trust: StoreTrust, bucket: Bucket
    ) -> None:
        bucket.lies = frozenset({"full"})

        assert trust.look() == LOST_AGAIN_S
        trust.require()

    def test_a_store_that_mended_its_ways_is_trusted_again(self, trust: StoreTrust, bucket: Bucket) -> None:
        bucket.lies = frozenset({"shorten"})
        trust.look()
        bucket.lies = frozenset()

        trust.look()

        trust.require()

    @pytest.mark.parametrize("lie", ["silent", "defect"])
    def test_a_try_that_could_not_be_made_is_no_verdict_and_the_last_pass_wears_off(
        self, trust: StoreTrust, bucket: Bucket, heard: list[WormReport | Exception], lie: str
    ) -> None:
        trust.look()
        bucket.lies = frozenset({lie})

        assert trust.look() == AGAIN_S
        trust.require()
        bucket.at += 3 * 3600 * 1000

        with pytest.raises(StoreUntrusted, match="too long ago"):
            trust.require()
        assert [type(item) for item in heard][1] in (StoreUnavailable, TypeError)


def test_reports_are_kept_under_lock_and_what_they_left_is_found_again() -> None:
    bucket = Bucket()
    clock = Clock(bucket)
    store = MemoryObjects(clock)
    store.make_bucket("records", lock_days=1)
    first, second = report(bucket), report(bucket)
    keys = [keep_report(store, "records", made, 86_400) for made in (first, second)]

    found = [find_left(store, "records", WallMs(T0 + days * DAY_MS)) for days in (3, 4, 7, 8)]

    assert found == [None, first.left, first.left, None]
    assert store.read("records", keys[0]) == report_document(first)
    assert store.stat("records", keys[1]).retain_until == WallMs(second.tried_at + DAY_MS)


class TestKeptTrust:
    """A connector, whose key may not try locks, goes by the newest report kept."""

    @pytest.fixture
    def bucket(self) -> Bucket:
        return Bucket()

    @pytest.fixture
    def store(self, bucket: Bucket) -> MemoryObjects:
        made = MemoryObjects(Clock(bucket))
        made.make_bucket("records", lock_days=1)
        return made

    @pytest.fixture
    def trust(self, bucket: Bucket, store: MemoryObjects) -> KeptTrust:
        return KeptTrust(store, "records", Clock(bucket), 3600)

    def keep(self, bucket: Bucket, store: MemoryObjects, *lies: str) -> None:
        bucket.lies = frozenset(lies)
        keep_report(store, "records", report(bucket), 86_400)

    def test_nothing_is_taken_in_before_a_report_is_kept(
        self, bucket: Bucket, store: MemoryObjects, trust: KeptTrust
    ) -> None:
        with pytest.raises(StoreUntrusted, match="not tried yet; nothing is taken in until"):
            trust.require()
        self.keep(bucket, store)
        bucket.sleep(1)

        trust.require()

    def test_a_fault_counts_within_half_a_minute_and_so_does_its_mending(
        self, bucket: Bucket, store: MemoryObjects, trust: KeptTrust
    ) -> None:
        self.keep(bucket, store)
        trust.require()
        self.keep(bucket, store, "shorten")
        bucket.sleep(KEPT_S)

        with pytest.raises(StoreUntrusted, match="a shorter lock: accepted"):
            trust.require()
        self.keep(bucket, store)
        trust.require()

    @pytest.mark.parametrize(("hours", "trusted"), [(1, True), (2, True), (3, False)])
    def test_a_pass_wears_off_over_midnight_too(
        self, bucket: Bucket, store: MemoryObjects, trust: KeptTrust, hours: int, trusted: bool
    ) -> None:
        bucket.at = T0 // DAY_MS * DAY_MS - 1_800_000
        self.keep(bucket, store)
        bucket.at = T0 // DAY_MS * DAY_MS - 1_800_000 + hours * 3_600_000

        with nullcontext() if trusted else pytest.raises(StoreUntrusted, match="too long ago"):
            trust.require()


@pytest.mark.stack
def test_the_real_store_may_hold_evidence_and_the_report_is_kept(tmp_path: Path) -> None:
    settings = own_settings(tmp_path, short_policy(tmp_path))
    apply_buckets(settings)

    found, key = look_at_store(settings)

    assert wrong(found.tried) == []
    assert len(found.tried) == 22
    assert open_store(settings).read(settings.records, str(key)) == report_document(found)


@pytest.mark.stack
def test_a_store_without_our_buckets_can_be_tried(tmp_path: Path) -> None:
    found, kept = look_at_store(own_settings(tmp_path))

    assert found.wrong == ()
    assert isinstance(kept, Misconfigured)
