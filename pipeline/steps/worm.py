"""WORM probe: what a store's Object Lock really does, tried on a bucket of its own before evidence is trusted to it.

Servers accept locks and delete anyway; a header in an answer proves nothing. So everything a lock must refuse is
attempted, everything it must let live is read back, and the rest, in which good servers differ, is only told. Rules:

1. A refusal counts when the server says no *and* the version is there afterwards with its bytes and its lock.
2. What the put protocol rests on is a must. What it does without (locks on multi-part requests, conditional puts,
   checksum headers) is a difference.
3. Locks of the probe are short; what they leave behind is taken away by a later probe.
4. A lifecycle rule acts after days, so each report leaves a locked version under one, and a later report looks for it.
5. The probe needs the right to delete in its own bucket: where keys may not, their refusal would prove nothing of locks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from pipeline.domain.archive import LockMode
from pipeline.domain.errors import ObjectMissing, StoreError, StoreUntrusted
from pipeline.domain.identity import Sha256
from pipeline.domain.time import WallMs
from pipeline.domain.worm import PASS_INTERVALS, Left, Tried, WormReport, mistrust, report_document, report_key
from pipeline.ports import Clock, ObjectStore
from pipeline.wire import codec

LOCK_S: Final = 120
SOON_S: Final = 2
"""A lock that ends while the probe waits, to see that a hold outlasts it and that afterwards deletion works."""
CLOCK_MS: Final = 2000
"""The store's clock decides when a lock ends; HTTP tells it in whole seconds."""
DAY_MS: Final = 86_400_000
LONGER_MS: Final = 60_000
LEFT_PREFIX: Final = "expiring/"
"""Keys under it expire by lifecycle rule after a day, versions below another a day later."""
LEFT_DAYS: Final = range(4, 8)
"""How many days ago a version was left that is looked for: a rule of two days acts at midnight, or once a day. The lock
on it outlasts them."""
AGAIN_S: Final = 30
"""A store that failed or could not be asked is tried again so soon."""
LOST_AGAIN_S: Final = 300
"""A store that passed and has no room for the report: connectors go by reports, and wait for the next."""
KEPT_S: Final = 30
"""So long a connector believes a report before it looks for a newer one."""
_PUT: Final = "locked by the put itself"
_LEFT: Final = "old version after a lifecycle rule expired it"
_DATA: Final = b"kept under lock"


class Refused(StoreError):
    """The server understood and said no."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A version's lock as the server reports it."""

    mode: LockMode
    until: WallMs | None


class ProbeBucket(Protocol):
    """A bucket with Object Lock and a default retention of a day. Methods raise :class:`Refused` when the server says no,
    ``ObjectMissing``, and what the store raises while it does not answer."""

    def put(self, key: str, data: bytes, until: WallMs | None, *, parts: bool = False, new: bool = False) -> str:
        """Store a version and return its id. *parts*: as a multi-part upload; *new*: only if the key holds nothing."""
        ...

    def put_wrong(self, key: str, data: bytes, *, signed: bool) -> None:
        """Send bytes with another digest than theirs: in the signature, or else in the checksum header."""
        ...

    def delete(self, key: str, version: str | None, *, bypass: bool = False, batch: bool = False) -> None: ...
    def retain(self, key: str, version: str, mode: LockMode, until: WallMs) -> None: ...
    def hold(self, key: str, version: str, on: bool) -> None: ...
    def expire(self, prefix: str) -> None:
        """Lifecycle: a key under *prefix* expires after a day, a version below another a day later."""
        ...

    def suspend_versions(self) -> None: ...
    def delete_bucket(self) -> None: ...
    def read(self, key: str, version: str | None) -> bytes: ...
    def locked(self, key: str, version: str) -> Locked: ...
    def now(self) -> WallMs:
        """What the server's clock says."""
        ...


class StoreTrust:
    """:class:`pipeline.ports.StoreTrust` by trying: *look* makes a report and says whether it could be kept; *heard* gets
    each one, and each error in its place."""

    def __init__(
        self,
        look: Callable[[], tuple[WormReport, bool]],
        clock: Clock,
        interval_s: int,
        heard: Callable[[WormReport | Exception], None],
    ) -> None:
        self._look = look
        self._clock = clock
        self._interval_s = interval_s
        self._heard = heard
        self._last: WormReport | None = None

    def require(self) -> None:
        if why := mistrust(self._last, self._clock.now(), self._interval_s):
            raise StoreUntrusted(f"{why}; nothing is archived until `unbroken doctor worm` passes")

    def look(self) -> float:
        """Try the store now; returns how long to wait before the next time. Raises nothing."""
        try:
            self._last, kept = self._look()
        except Exception as exc:  # what is not ours is a defect: it is heard, and the last pass wears off
            self._heard(exc)
            return min(AGAIN_S, self._interval_s)
        self._heard(self._last)
        soon_s = AGAIN_S if self._last.wrong else self._interval_s if kept else LOST_AGAIN_S
        return min(soon_s, self._interval_s)

    def watch(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Try the store for ever; for a thread of its own."""
        while True:
            sleep(self.look())


class KeptTrust:
    """:class:`pipeline.ports.StoreTrust` by the newest report that was kept: for connectors, whose keys may not try locks.

    Asked by several threads; the store is asked once in :data:`KEPT_S`, or sooner while it is not trusted.
    """

    def __init__(self, store: ObjectStore, records: str, clock: Clock, interval_s: int) -> None:
        self._store, self._records = store, records
        self._clock, self._interval_s = clock, interval_s
        self._mutex = threading.Lock()
        self._last: WormReport | None = None
        self._again_at = WallMs(0)

    def require(self) -> None:
        with self._mutex:
            now = self._clock.now()
            if now >= self._again_at:
                self._last = newest_report(self._store, self._records, now, self._interval_s)
                soon = mistrust(self._last, now, self._interval_s) is not None
                self._again_at = WallMs(now + (1 if soon else KEPT_S) * 1000)
            why = mistrust(self._last, now, self._interval_s)
        if why:
            raise StoreUntrusted(
                f"{why}; nothing is taken in until a ledger worker, or `unbroken doctor worm`, sees the store keep its locks"
            )


def newest_report(store: ObjectStore, records: str, now: WallMs, interval_s: int) -> WormReport | None:
    """The newest report kept that could still count, by its time; ``None`` if there is none."""
    for days in range(PASS_INTERVALS * interval_s // (DAY_MS // 1000) + 2):
        day = report_key(WallMs(now - days * DAY_MS)).partition("T")[0]
        if keys := [found.key for found in store.list(records, day)]:
            fields = json.loads(store.read(records, max(keys)))
            return codec.load_state(WormReport, fields)
    return None


def make_report(
    bucket: ProbeBucket,
    clock: Clock,
    *,
    store: str,
    software: str,
    earlier: Left | None,
    sleep: Callable[[float], None] = time.sleep,
) -> WormReport:
    """Try everything and leave something for a later report. Raises what the store raises while it does not answer."""
    tried_at = clock.now()
    tried = tuple(probe(bucket, clock, earlier, sleep))
    return WormReport(tried_at=tried_at, store=store, software=software, tried=tried, left=_leave(bucket, clock))


def keep_report(store: ObjectStore, records: str, report: WormReport, retention_s: int) -> str:
    """Lock *report* in the bucket *records*, as long as a recording at first; returns its key."""
    data, key = report_document(report), report_key(report.tried_at)
    until = WallMs(report.tried_at + retention_s * 1000)
    store.put_bytes(records, key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=until)
    return key


def find_left(store: ObjectStore, records: str, now: WallMs) -> Left | None:
    """What a report of some days ago left behind, the latest of those old enough; ``None`` if there is none."""
    for days in LEFT_DAYS:
        day = report_key(WallMs(now - days * DAY_MS)).partition("T")[0]
        for found in store.list(records, day):
            left = json.loads(store.read(records, found.key))["left"]
            if left is not None:
                return Left(**left)
    return None


def probe(
    bucket: ProbeBucket, clock: Clock, earlier: Left | None = None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Tried]:
    """Try everything, in order; takes a few seconds. *earlier*: what a report of some days ago left behind. Raises what
    the store raises while it does not answer."""
    key, data = f"probe-{secrets.token_hex(6)}", _DATA
    skew_ms = bucket.now() - clock.now()
    yield Tried(name="clock", must=True, ok=abs(skew_ms) <= CLOCK_MS, found=f"{skew_ms / 1000:+.1f} s from ours")
    until = WallMs((clock.now() // 1000 + LOCK_S) * 1000)
    try:
        version = bucket.put(key, data, until)
    except Refused as exc:
        yield Tried(name=_PUT, must=True, ok=False, found=f"refused: {exc}")
        return
    yield _lock(_PUT, bucket, key, lambda: version, until)
    yield from _refusals(bucket, key, version, clock)
    yield _alive(
        "old version after another is put over it", bucket, key, version, data, lambda: bucket.put(key, b"", until)
    )
    yield _alive("old version after a plain delete", bucket, key, version, data, lambda: bucket.delete(key, None))
    yield _lock("lock after all that", bucket, key, lambda: version, until)
    yield _lock(
        "lock made longer", bucket, key, lambda: _longer(bucket, key, version, until), WallMs(until + LONGER_MS)
    )
    yield from _defaults(bucket, key, clock)
    yield from _hold(bucket, f"{key}-hold", clock, sleep)
    yield _expired(bucket, earlier)
    yield from _differences(bucket, key, until)


def _longer(bucket: ProbeBucket, key: str, version: str, until: WallMs) -> str:
    bucket.retain(key, version, "COMPLIANCE", WallMs(until + LONGER_MS))
    return version


def _refusals(bucket: ProbeBucket, key: str, version: str, clock: Clock) -> Iterator[Tried]:
    shorter = WallMs(clock.now() + LOCK_S * 500)
    later = WallMs(clock.now() + LOCK_S * 2000)
    yield _refused("delete of a locked version", lambda: bucket.delete(key, version))
    yield _refused("the same with the bypass header", lambda: bucket.delete(key, version, bypass=True))
    yield _refused("the same in a batch", lambda: bucket.delete(key, version, batch=True))
    yield _refused("a shorter lock", lambda: bucket.retain(key, version, "COMPLIANCE", shorter))
    yield _refused("a weaker lock (GOVERNANCE)", lambda: bucket.retain(key, version, "GOVERNANCE", later))
    yield _refused("versioning suspended", bucket.suspend_versions)
    yield _refused("delete of the bucket, forced", bucket.delete_bucket)
    yield _refused("bytes other than the signed digest", lambda: bucket.put_wrong(f"{key}-wrong", b"x", signed=True))


def _defaults(bucket: ProbeBucket, key: str, clock: Clock) -> Iterator[Tried]:
    """The bucket's own retention is what locks a multi-part upload everywhere."""
    least = WallMs(clock.now() + DAY_MS - 60_000)
    one, other = f"{key}-default", f"{key}-default-parts"
    yield _lock("default retention on a put", bucket, one, lambda: bucket.put(one, b"x", None), least)
    yield _lock(
        "default retention on a multi-part upload",
        bucket,
        other,
        lambda: bucket.put(other, b"x", None, parts=True),
        least,
    )


def _hold(bucket: ProbeBucket, key: str, clock: Clock, sleep: Callable[[float], None]) -> Iterator[Tried]:
    name = "delete under legal hold, its lock expired"
    try:
        version = bucket.put(key, b"held", WallMs((clock.now() // 1000 + SOON_S) * 1000))
        bucket.hold(key, version, True)
    except (Refused, ObjectMissing) as exc:
        yield Tried(name=name, must=True, ok=False, found=f"no hold: {exc}")
        return
    sleep(SOON_S + 1)
    yield _refused(name, lambda: bucket.delete(key, version))
    try:
        bucket.hold(key, version, False)
        bucket.delete(key, version)
        yield Tried(name="delete after lock and hold", must=False, ok=True, found="works")
    except (Refused, ObjectMissing) as exc:
        yield Tried(name="delete after lock and hold", must=False, ok=False, found=str(exc))


def _leave(bucket: ProbeBucket, clock: Clock) -> Left | None:
    key = f"{LEFT_PREFIX}{secrets.token_hex(6)}"
    try:
        bucket.expire(LEFT_PREFIX)
        return Left(key=key, version_id=bucket.put(key, _DATA, WallMs(clock.now() + LEFT_DAYS.stop * DAY_MS)))
    except Refused:
        return None  # no lifecycle here, or no locks, which is told elsewhere


def _expired(bucket: ProbeBucket, earlier: Left | None) -> Tried:
    """The version left behind is still there. A rule that was not seen to act has proved nothing."""
    if earlier is None:
        return Tried(name=_LEFT, must=True, ok=None, found=f"none is {LEFT_DAYS.start} days old")
    there = _alive(_LEFT, bucket, earlier.key, earlier.version_id, _DATA, lambda: None)
    if not there.ok:
        return there
    try:
        bucket.read(earlier.key, None)
    except (ObjectMissing, Refused):
        return Tried(name=_LEFT, must=True, ok=True, found="its bytes, under the rule's marker")
    return Tried(name=_LEFT, must=True, ok=None, found="its bytes; the rule has not acted")


def _differences(bucket: ProbeBucket, key: str, until: WallMs) -> Iterator[Tried]:
    name = f"{key}-parts"
    yield _lock(
        "lock given with a multi-part upload",
        bucket,
        name,
        lambda: bucket.put(name, b"x", until, parts=True),
        until,
        exact=True,
    )
    yield _refused("put only if absent, on a key in use", lambda: bucket.put(name, b"y", until, new=True), must=False)
    yield _refused(
        "bytes other than the checksum header", lambda: bucket.put_wrong(f"{key}-sum", b"x", signed=False), must=False
    )


def _refused(name: str, attempt: Callable[[], object], *, must: bool = True) -> Tried:
    try:
        attempt()
    except Refused as exc:
        return Tried(name=name, must=must, ok=True, found=f"refused: {exc}")
    except ObjectMissing as exc:
        return Tried(name=name, must=must, ok=False, found=f"nothing left to refuse it: {exc}")
    return Tried(name=name, must=must, ok=False, found="accepted")


def _alive(name: str, bucket: ProbeBucket, key: str, version: str, data: bytes, after: Callable[[], object]) -> Tried:
    """*version* still has its bytes *after* something that must not touch it, whether that was refused or not."""
    with suppress(Refused, ObjectMissing):
        after()
    try:
        same = bucket.read(key, version) == data
    except (ObjectMissing, Refused) as exc:
        return Tried(name=name, must=True, ok=False, found=str(exc))
    return Tried(name=name, must=True, ok=same, found="its bytes" if same else "other bytes")


def _lock(
    name: str, bucket: ProbeBucket, key: str, make: Callable[[], str], until: WallMs, *, exact: bool = False
) -> Tried:
    """The version that *make* makes is locked in COMPLIANCE until *until* at least. *exact*: a difference and no must;
    the bucket's default in its place is one."""
    try:
        lock = bucket.locked(key, make())
    except (ObjectMissing, Refused) as exc:
        return Tried(name=name, must=not exact, ok=False, found=str(exc))
    if lock.until is None:
        return Tried(name=name, must=not exact, ok=False, found=f"{lock.mode}, no date")
    more_s = (lock.until - until) // 1000
    ok = lock.mode == "COMPLIANCE" and (more_s == 0 if exact else more_s >= 0)
    return Tried(name=name, must=not exact, ok=ok, found=f"{lock.mode}, {more_s:+d} s to what was asked")
