"""A store that locks passes the probe; one that lies in any way the probe knows is found out, by the name of the lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.worm_s3 import open_probe_bucket
from pipeline.domain.archive import LockMode
from pipeline.domain.errors import ObjectMissing
from pipeline.domain.time import WallMs
from pipeline.steps.worm import DAY_MS, Locked, Refused, Tried, probe
from tests.adapters.s3 import own_settings
from tests.builders import T0


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

    def suspend_versions(self) -> None:
        self._no(True, "suspend")

    def delete_bucket(self) -> None:
        self._no(True, "bucket")
        self.kept.clear()

    def read(self, key: str, version: str) -> bytes:
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
    return list(probe(bucket, Clock(bucket), bucket.sleep))


def wrong(items: list[Tried], must: bool = True) -> list[str]:
    return [item.name for item in items if item.must is must and not item.ok]


def test_a_store_that_locks_passes_without_a_difference() -> None:
    items = tried()

    assert [item for item in items if not item.ok] == []
    assert len(items) == 21


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

    assert next(probe(bucket, Clock(bucket), bucket.sleep)).ok is ok


@pytest.mark.stack
def test_the_real_store_may_hold_evidence(tmp_path: Path) -> None:
    items = list(probe(open_probe_bucket(own_settings(tmp_path)), SystemClock()))

    assert wrong(items) == []
    assert len(items) == 21
