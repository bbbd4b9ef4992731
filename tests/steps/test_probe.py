"""Probe: what was sent is what is there, and what is there is told apart from what could not be found out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from pipeline.domain.chunks import leaf
from pipeline.domain.errors import ObjectDiffers, ObjectMissing, ProbeDied, StoreUnavailable, UnbrokenError
from pipeline.domain.facts import unreadable
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.ports import ObjectStore
from pipeline.steps.probe import ProbeStep
from tests import builders

DATA = b"media" * 1000


@dataclass
class Shelf:
    """A store that only reads."""

    data: bytes = DATA
    error: UnbrokenError | None = None

    @contextmanager
    def open(self, ref: ObjectRef) -> Iterator[BinaryIO]:
        if self.error is not None:
            raise self.error
        yield io.BytesIO(self.data)


@dataclass
class Reader:
    """A media probe that remembers what it was given."""

    version: str = "1/test"
    died: str | None = None
    seen: list[tuple[bytes, Tolerance]] = field(default_factory=list)

    async def facts(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        self.seen.append((content(path), tolerance))
        if self.died is not None:
            raise ProbeDied(self.died)
        return unreadable("for the test")


def content(path: Path) -> bytes:
    return path.read_bytes()


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def landed(data: bytes = DATA) -> SegmentLanded:
    ref = replace(builders.object_ref(), sha256=Sha256(hashlib.sha256(data).hexdigest()), size_bytes=len(data))
    return builders.landed(object=ref, source_kind="body_camera")


def step(shelf: Shelf, reader: Reader, folder: Path) -> ProbeStep:
    return ProbeStep(cast(ObjectStore, shelf), reader, builders.policy(), "unbroken 1", folder)


async def test_the_bytes_read_back_are_probed_and_their_digest_stands_beside_the_facts(tmp_path: Path) -> None:
    reader = Reader()

    made = await step(Shelf(), reader, tmp_path).step(landed())

    assert made.observed_sha256 == hashlib.sha256(DATA).hexdigest()
    assert made.landed == landed()
    assert made.probe_version == "unbroken 1 1/test"
    assert reader.seen == [(DATA, builders.policy().tolerance["body_camera"])]


async def test_the_same_pass_gives_the_root_of_the_chunks_and_sm3_where_the_policy_asks(tmp_path: Path) -> None:
    policy = builders.policy(sm3=True)
    asked = ProbeStep(cast(ObjectStore, Shelf()), Reader(), policy, "unbroken 1", tmp_path)

    plain, both = await step(Shelf(), Reader(), tmp_path).step(landed()), await asked.step(landed())

    assert (plain.observed_sm3, plain.chunk_root) == (None, leaf(DATA).hex())
    assert (both.observed_sm3, both.chunk_root) == (hashlib.new("sm3", DATA).hexdigest(), plain.chunk_root)


async def test_a_policy_without_the_tree_leaves_its_root_out_and_changes_nothing_else(tmp_path: Path) -> None:
    without = ProbeStep(cast(ObjectStore, Shelf()), Reader(), builders.policy(chunk_tree=False), "unbroken 1", tmp_path)

    made, plain = await without.step(landed()), await step(Shelf(), Reader(), tmp_path).step(landed())

    assert made == replace(plain, chunk_root=None)


async def test_a_segment_probed_twice_gives_the_same_event_and_leaves_nothing(tmp_path: Path) -> None:
    probe = step(Shelf(), Reader(), tmp_path)

    assert await probe.step(landed()) == await probe.step(landed())
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("stored", [b"other" * 1000, DATA[:-1], DATA + b"x", b""])
async def test_other_bytes_than_were_sent_stop_the_segment_naming_both_digests(tmp_path: Path, stored: bytes) -> None:
    reader = Reader()

    with pytest.raises(ObjectDiffers) as caught:
        await step(Shelf(stored), reader, tmp_path).step(landed())

    assert not caught.value.retryable
    assert hashlib.sha256(DATA).hexdigest() in str(caught.value)
    assert len(stored) > len(DATA) or hashlib.sha256(stored).hexdigest() in str(caught.value)
    assert reader.seen == []
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("error", [StoreUnavailable("no answer"), ObjectMissing("not there")])
async def test_what_the_store_says_is_passed_on(tmp_path: Path, error: UnbrokenError) -> None:
    with pytest.raises(type(error)):
        await step(Shelf(error=error), Reader(), tmp_path).step(landed())


@pytest.mark.parametrize("cause", ["took longer than 120 s", "ended by SIGSEGV", "ran out of memory"])
async def test_a_file_that_kills_its_reader_is_unreadable_and_carried_on(tmp_path: Path, cause: str) -> None:
    made = await step(Shelf(), Reader(died=cause), tmp_path).step(landed())

    (finding,) = made.facts.findings
    assert made.facts.media == "unreadable"
    assert (finding.kind, finding.found) == ("unreadable", f"the process that read it {cause}")
    assert left_in(tmp_path) == []
