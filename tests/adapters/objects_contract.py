"""What every object store must do, whatever stands behind it: one suite, a short caller for each store.

Locked objects cannot be removed, so objects here are small and their locks last seconds, except where a server locks by
its bucket's default.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.domain.errors import Misconfigured, NotLocked, ObjectDiffers, ObjectMissing, SourceFileChanged, StoreError
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStat, ObjectStore

PART = 16 << 20


def sha(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


def soon(seconds: float) -> WallMs:
    """A retain-until so near that the test's rubbish is free again soon."""
    return WallMs(SystemClock().now() + int(seconds * 1000))


def ref(stat: ObjectStat) -> ObjectRef:
    assert stat.sha256 is not None
    return ObjectRef(
        bucket=stat.bucket, key=stat.key, version_id=stat.version_id, sha256=stat.sha256, size_bytes=stat.size_bytes
    )


class ObjectsContract:
    """Inherit and give the fixtures ``store``, ``locked`` (an evidence bucket) and ``unlocked``."""

    @pytest.fixture
    def key(self) -> str:
        return f"sha256/aa/{secrets.token_hex(8)}.bin"

    @pytest.mark.parametrize("size", [0, 1, 100_000])
    def test_what_is_put_is_read_back_with_its_lock(self, store: ObjectStore, locked: str, key: str, size: int) -> None:
        data = secrets.token_bytes(size)
        until = soon(3)

        stat = store.put_bytes(locked, key, data, sha(data), retain_until=until)

        assert (size, sha(data), "COMPLIANCE") == (stat.size_bytes, stat.sha256, stat.lock_mode)
        assert stat.retain_until is not None
        assert until <= stat.retain_until < until + 1000
        assert stat.version_id
        assert store.stat(locked, key, stat.version_id) == store.stat(locked, key) == stat
        with store.open(ref(stat)) as body:
            assert body.read() == data

    def test_the_same_bytes_again_make_no_second_version(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"once", sha(b"once"), retain_until=soon(3))

        again = store.put_bytes(locked, key, b"once", sha(b"once"), retain_until=soon(1))

        assert first == again
        assert [first.version_id] == list(store.versions(locked, key))

    def test_the_same_bytes_with_a_longer_lock_extend_it(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"once", sha(b"once"), retain_until=soon(2))
        longer = soon(5)

        again = store.put_bytes(locked, key, b"once", sha(b"once"), retain_until=longer)

        assert first.version_id == again.version_id
        assert again.retain_until is not None
        assert again.retain_until >= longer

    def test_other_bytes_under_the_key_are_refused_and_nothing_is_overwritten(
        self, store: ObjectStore, locked: str, key: str
    ) -> None:
        first = store.put_bytes(locked, key, b"mine", sha(b"mine"), retain_until=soon(3))

        with pytest.raises(ObjectDiffers, match=sha(b"theirs")):
            store.put_bytes(locked, key, b"theirs", sha(b"theirs"), retain_until=soon(3))

        assert store.read(locked, key) == b"mine"
        assert [first.version_id] == list(store.versions(locked, key))

    def test_a_lock_is_extended_and_never_shortened(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"x", sha(b"x"), retain_until=soon(2))
        longer = soon(4)

        extended = store.extend_retention(locked, key, first.version_id, longer)
        kept = store.extend_retention(locked, key, first.version_id, soon(1))

        assert extended.retain_until is not None
        assert extended.retain_until >= longer
        assert extended == kept

    def test_a_legal_hold_is_set_and_taken_off_and_leaves_the_lock_alone(
        self, store: ObjectStore, locked: str, key: str
    ) -> None:
        first = store.put_bytes(locked, key, b"x", sha(b"x"), retain_until=soon(3))
        place = locked, key, first.version_id

        held = [store.set_hold(*place, True), store.set_hold(*place, True), store.stat(*place)]
        free = [store.set_hold(*place, False), store.set_hold(*place, False), store.stat(*place)]

        assert not first.legal_hold
        assert held == [replace(first, legal_hold=True)] * 3
        assert free == [first] * 3

    def test_a_lock_is_extended_under_a_legal_hold(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"x", sha(b"x"), retain_until=soon(2))
        store.set_hold(locked, key, first.version_id, True)
        longer = soon(4)

        extended = store.extend_retention(locked, key, first.version_id, longer)
        store.set_hold(locked, key, first.version_id, False)

        assert extended.legal_hold
        assert (extended.retain_until or 0) >= longer

    def test_a_hold_is_on_one_version_and_on_no_other(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"x", sha(b"x"), retain_until=soon(2))
        other = store.put_bytes(locked, f"{key}.2", b"x", sha(b"x"), retain_until=soon(2))

        store.set_hold(locked, key, first.version_id, True)
        untouched = store.stat(locked, other.key, other.version_id)
        store.set_hold(locked, key, first.version_id, False)

        assert untouched == other

    def test_what_is_not_there_cannot_be_held(self, store: ObjectStore, locked: str, key: str) -> None:
        with pytest.raises(ObjectMissing, match=key):
            store.set_hold(locked, key, "", True)

    def test_a_bucket_without_locks_holds_nothing(self, store: ObjectStore, unlocked: str, key: str) -> None:
        stat = store.put_bytes(unlocked, key, b"x", sha(b"x"), retain_until=None)

        with pytest.raises((NotLocked, Misconfigured, StoreError)):
            store.set_hold(unlocked, key, stat.version_id, True)

    def test_what_asks_for_a_lock_in_a_bucket_without_one_is_not_taken(
        self, store: ObjectStore, unlocked: str, key: str
    ) -> None:
        with pytest.raises((NotLocked, Misconfigured, StoreError)):
            store.put_bytes(unlocked, key, b"x", sha(b"x"), retain_until=soon(3))

    def test_an_unlocked_bucket_keeps_what_needs_no_lock(self, store: ObjectStore, unlocked: str, key: str) -> None:
        stat = store.put_bytes(unlocked, key, b"staged", sha(b"staged"), retain_until=None)

        assert (stat.lock_mode, stat.retain_until) == ("none", None)
        with store.open(ref(stat)) as body:
            assert body.read() == b"staged"

    def test_what_is_not_there_is_missing(self, store: ObjectStore, locked: str, key: str) -> None:
        absent = ObjectRef(bucket=locked, key=key, version_id="", sha256=sha(b""), size_bytes=0)

        for attempt in (
            lambda: store.stat(locked, key),
            lambda: store.read(locked, key),
            lambda: store.open(absent).__enter__(),
        ):
            with pytest.raises(ObjectMissing, match=key):
                attempt()
        assert list(store.versions(locked, key)) == []

    def test_a_bucket_that_was_never_made_is_named_with_the_remedy(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(Misconfigured, match="unbroken store apply"):
            store.put_bytes("never-made-bucket", key, b"x", sha(b"x"), retain_until=None)

    @pytest.mark.parametrize("size", [9, 10])
    def test_reading_within_the_limit(self, store: ObjectStore, unlocked: str, key: str, size: int) -> None:
        store.put_bytes(unlocked, key, b"x" * size, sha(b"x" * size), retain_until=None)

        assert len(store.read(unlocked, key, limit_bytes=10)) == size

    def test_reading_beyond_the_limit_is_refused(self, store: ObjectStore, unlocked: str, key: str) -> None:
        store.put_bytes(unlocked, key, b"x" * 11, sha(b"x" * 11), retain_until=None)

        with pytest.raises(ValueError, match="at most 10 bytes"):
            store.read(unlocked, key, limit_bytes=10)

    def test_what_is_there_once_has_no_layers(self, store: ObjectStore, locked: str, key: str) -> None:
        store.put_bytes(locked, key, b"once", sha(b"once"), retain_until=soon(2))

        assert list(store.layers(locked, key)) == []

    def test_objects_are_listed_in_key_order(self, store: ObjectStore, unlocked: str) -> None:
        prefix = f"list/{secrets.token_hex(4)}/"
        for name in ("b", "a/2", "a/1", "证据"):
            store.put_bytes(unlocked, prefix + name, b"x", sha(b"x"), retain_until=None)

        found = [(stat.key, stat.size_bytes) for stat in store.list(unlocked, prefix)]

        assert found == [(prefix + name, 1) for name in ("a/1", "a/2", "b", "证据")]

    @pytest.mark.parametrize("size", [PART - 1, PART, PART + 1])
    def test_a_file_around_the_size_of_a_part_is_stored_whole(
        self, store: ObjectStore, unlocked: str, key: str, tmp_path: Path, size: int
    ) -> None:
        path = tmp_path / "视频 1.ts"
        data = secrets.token_bytes(1 << 20) * 17
        path.write_bytes(data[:size])

        stat = store.put_file(unlocked, key, path, sha(data[:size]), retain_until=None)

        assert size == stat.size_bytes
        with store.open(ref(stat)) as body:
            assert sha(body.read()) == sha(data[:size])

    def test_a_large_file_is_locked_like_a_small_one(
        self, store: ObjectStore, locked: str, key: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "large.mp4"
        data = secrets.token_bytes(PART + 5)
        path.write_bytes(data)
        until = soon(3)

        stat = store.put_file(locked, key, path, sha(data), retain_until=until)
        again = store.put_file(locked, key, path, sha(data), retain_until=until)

        assert stat.lock_mode == "COMPLIANCE"
        assert stat.retain_until is not None
        assert stat.retain_until >= until
        assert stat == again
        assert [stat.version_id] == list(store.versions(locked, key))

    @pytest.mark.parametrize("size", [1000, PART + 1000])
    def test_a_file_that_is_not_what_was_hashed_never_becomes_an_object(
        self, store: ObjectStore, locked: str, key: str, tmp_path: Path, size: int
    ) -> None:
        path = tmp_path / "growing.ts"
        path.write_bytes(b"b" * size)

        with pytest.raises(SourceFileChanged, match=r"growing\.ts"):
            store.put_file(locked, key, path, sha(b"a" * size), retain_until=soon(3))

        with pytest.raises(ObjectMissing):
            store.stat(locked, key)

    def test_a_lock_that_is_over_can_be_renewed(self, store: ObjectStore, locked: str, key: str) -> None:
        first = store.put_bytes(locked, key, b"x", sha(b"x"), retain_until=soon(0.2))
        time.sleep(1.3)
        until = soon(3)

        renewed = store.extend_retention(locked, key, first.version_id, until)

        assert renewed.retain_until is not None
        assert renewed.retain_until >= until
