"""The store in memory keeps the contract, and its faults show what the put protocol does with them."""

from __future__ import annotations

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.domain.errors import AccessRefused, NotLocked, ObjectMissing, StoreUnavailable
from pipeline.ports import Layers
from tests.adapters.objects_contract import ObjectsContract, sha, soon


@pytest.fixture
def store() -> MemoryObjects:
    memory = MemoryObjects(SystemClock())
    memory.make_bucket("originals", lock_days=1)
    memory.make_bucket("derived")
    return memory


class TestMemoryObjects(ObjectsContract):
    @pytest.fixture
    def locked(self) -> str:
        return "originals"

    @pytest.fixture
    def unlocked(self) -> str:
        return "derived"


def _put(store: MemoryObjects) -> str:
    return store.put_bytes("originals", "k", b"x", sha(b"x"), retain_until=soon(60)).version_id


def test_a_put_whose_answer_was_lost_is_found_by_looking_and_not_repeated(store: MemoryObjects) -> None:
    store.faults.append(Fault("send", StoreUnavailable("time-out"), after=True))

    version = _put(store)

    assert [version] == list(store.versions("originals", "k"))


def test_a_put_that_never_arrived_stays_unknown_to_the_caller(store: MemoryObjects) -> None:
    store.faults.append(Fault("send", StoreUnavailable("time-out")))

    with pytest.raises(StoreUnavailable):
        _put(store)

    assert list(store.versions("originals", "k")) == []


def test_a_store_that_cannot_be_asked_is_sent_nothing(store: MemoryObjects) -> None:
    store.faults.append(Fault("stat", StoreUnavailable("time-out")))

    with pytest.raises(StoreUnavailable):
        _put(store)

    assert store.sent_bytes == 0


def test_a_refusal_is_not_taken_for_an_unknown_outcome(store: MemoryObjects) -> None:
    store.faults.append(Fault("send", AccessRefused("read only"), after=True))

    with pytest.raises(AccessRefused):
        _put(store)


def test_an_object_the_store_left_unlocked_is_not_stored(store: MemoryObjects) -> None:
    store.put_bytes("derived", "k", b"x", sha(b"x"), retain_until=None)

    with pytest.raises(NotLocked, match="expected COMPLIANCE, found none"):
        store.put_bytes("derived", "k", b"x", sha(b"x"), retain_until=soon(60))


def test_an_extension_whose_answer_was_lost_is_made_good_by_repeating(store: MemoryObjects) -> None:
    _put(store)
    store.faults.append(Fault("extend", StoreUnavailable("time-out"), after=True))
    until = soon(600)

    with pytest.raises(StoreUnavailable):
        store.put_bytes("originals", "k", b"x", sha(b"x"), retain_until=until)
    again = store.put_bytes("originals", "k", b"x", sha(b"x"), retain_until=until)

    assert again.retain_until is not None
    assert again.retain_until >= until


def test_a_delete_marker_hides_a_key_and_is_told(store: MemoryObjects) -> None:
    stat = store.put_bytes("originals", "k", b"x", sha(b"x"), retain_until=soon(60))

    store.mark_deleted("originals", "k")

    assert list(store.list("originals", "")) == []
    with pytest.raises(ObjectMissing):
        store.stat("originals", "k")
    assert store.stat("originals", "k", stat.version_id) == stat
    assert list(store.layers("originals", "")) == [Layers(key="k", marked=True)]
