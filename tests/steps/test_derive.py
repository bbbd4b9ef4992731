"""A derivative is made once, of the very bytes its document names, and never shown when it is something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.domain.derivative import Copied, CopiedStream, Derivative, derivative_document, derived_key, document_key
from pipeline.domain.errors import MediaUnreadable, ObjectDiffers
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.steps.derive import DeriveStep, Proof
from tests.domain.test_derivative import MADE

ORIGINAL = b"original"
CHANGED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("derived", lambda data: data + b"."),
    ("document", lambda data: data.replace(b"derivative.v1", b"derivative.v9")),
    ("document", lambda data: data.replace(sha(ORIGINAL).encode(), sha(b"another").encode())),
    ("document", lambda _data: b"no document"),
]


def payloads(path: Path) -> tuple[CopiedStream, ...]:
    """What the copier says it copied; of other bytes something else."""
    if path.read_bytes() in (ORIGINAL, b"copy of " + ORIGINAL):
        return MADE.copied.streams
    raise MediaUnreadable("its payload cannot be read: for the test")


def sha(data: bytes) -> Sha256:
    return Sha256(hashlib.sha256(data).hexdigest())


@dataclass
class Copier:
    """Writes what it was told to and counts."""

    why: str = ""
    seen: list[bytes] = field(default_factory=list)

    async def copy(self, path: Path, target: Path) -> Copied:
        return self._copy(path, target)

    def _copy(self, path: Path, target: Path) -> Copied:
        self.seen.append(path.read_bytes())
        if self.why:
            raise MediaUnreadable(self.why)
        target.write_bytes(b"copy of " + path.read_bytes())
        return MADE.copied


class Stage:
    """A store with one original."""

    def __init__(self, folder: Path) -> None:
        self.store, self.copier = MemoryObjects(SystemClock()), Copier()
        self.store.make_bucket("originals", 1)
        self.store.make_bucket("derived")
        stat = self.store.put_bytes("originals", "film", ORIGINAL, sha(ORIGINAL), retain_until=None)
        self.original = ObjectRef(
            bucket="originals",
            key="film",
            version_id=stat.version_id,
            sha256=sha(ORIGINAL),
            size_bytes=len(ORIGINAL),
        )
        self.step = DeriveStep(store=self.store, copier=self.copier, derived="derived", folder=folder)

    def damage(self, key: str, data: bytes) -> None:
        """Put other bytes over those under *key*, as anybody may where nothing is locked."""
        held = self.store._buckets["derived"].versions
        del held[key]
        self.store.put_bytes("derived", key, data, sha(data), retain_until=None)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_it_is_made_once_and_names_its_original(stage: Stage, tmp_path: Path) -> None:
    first = await stage.step.derive(stage.original)
    again = await stage.step.derive(stage.original)

    assert first == again
    assert stage.copier.seen == [ORIGINAL]
    assert first.original == stage.original
    assert stage.store.read("derived", first.derived.key) == b"copy of original"
    assert first.derived.sha256 == sha(b"copy of original")
    assert not any(tmp_path.glob("*"))  # noqa: ASYNC240  # a test may wait


async def test_an_original_that_is_not_what_its_digest_says_is_not_copied(stage: Stage) -> None:
    lie = ObjectRef(bucket="originals", key="film", version_id="", sha256=sha(b"other"), size_bytes=len(ORIGINAL))

    with pytest.raises(ObjectDiffers):
        await stage.step.derive(lie)

    assert stage.copier.seen == []


async def test_why_there_is_none_is_told_and_nothing_is_kept(stage: Stage) -> None:
    stage.copier.why = "it cannot be copied"

    with pytest.raises(MediaUnreadable, match="it cannot be copied"):
        await stage.step.derive(stage.original)

    assert list(stage.store.list("derived", "")) == []


@pytest.mark.parametrize(("which", "change"), CHANGED)
async def test_what_was_changed_since_is_not_shown_and_named(
    stage: Stage, which: str, change: Callable[[bytes], bytes]
) -> None:
    made = await stage.step.derive(stage.original)
    key = made.derived.key if which == "derived" else document_key(stage.original.sha256)
    stage.damage(key, change(stage.store.read("derived", key)))

    with pytest.raises(ObjectDiffers, match=key):
        await stage.step.derive(stage.original)


async def test_a_kept_copy_is_proven_from_both_files(stage: Stage) -> None:
    proof = Proof(store=stage.store, derived="derived", payloads=payloads)

    assert proof(stage.original) is None
    await stage.step.derive(stage.original)
    assert proof(stage.original) == []


def _as_if_encoded_anew(made: Derivative) -> bytes:
    stream = made.copied.streams[0]
    other = replace(stream, payload=replace(stream.payload, sha256=sha(b"other units")))
    return derivative_document(replace(made, copied=replace(made.copied, streams=(other,))))


async def test_a_document_that_states_another_payload_is_a_fault_of_both_files(stage: Stage) -> None:
    made = await stage.step.derive(stage.original)
    stage.damage(document_key(stage.original.sha256), _as_if_encoded_anew(made))

    faults = Proof(store=stage.store, derived="derived", payloads=payloads)(stage.original)

    assert [fault.place for fault in faults or ()] == ["originals/film", f"derived/{made.derived.key}"]


async def test_a_copy_of_something_else_with_a_document_that_fits_it_is_a_fault_of_the_original(stage: Stage) -> None:
    made, other = await stage.step.derive(stage.original), b"copy of another film"
    stream = made.copied.streams[0]
    theirs = (replace(stream, payload=replace(stream.payload, sha256=sha(b"other units"))),)
    key = derived_key(sha(other))
    stage.store.put_bytes("derived", key, other, sha(other), retain_until=None)
    swapped = ObjectRef(bucket="derived", key=key, version_id="", sha256=sha(other), size_bytes=len(other))
    fitting = replace(made, derived=swapped, copied=replace(made.copied, streams=theirs))
    stage.damage(document_key(stage.original.sha256), derivative_document(fitting))

    def read(path: Path) -> tuple[CopiedStream, ...]:
        return theirs if path.read_bytes() == other else payloads(path)

    faults = Proof(store=stage.store, derived="derived", payloads=read)(stage.original)

    assert [fault.place for fault in faults or ()] == ["originals/film"]


@pytest.mark.parametrize(("which", "change"), CHANGED)
async def test_a_copy_or_a_document_that_was_changed_is_a_fault(
    stage: Stage, which: str, change: Callable[[bytes], bytes]
) -> None:
    made = await stage.step.derive(stage.original)
    key = made.derived.key if which == "derived" else document_key(stage.original.sha256)
    stage.damage(key, change(stage.store.read("derived", key)))

    faults = Proof(store=stage.store, derived="derived", payloads=payloads)(stage.original)

    assert [fault.place for fault in faults or ()] == [f"derived/{key}"]
