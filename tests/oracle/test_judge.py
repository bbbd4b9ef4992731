"""The oracle itself: it is quiet about a whole archive, and names each promise that is broken. A judge that cannot convict
is no judge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.wire import codec, topics
from tests.builders import SOURCE, T0
from tests.builders_archive import DAY_MS
from tests.oracle.judge import Held, Journalled, World, broken
from tests.steps.archived import FIRST, SECOND, THIRD, Archive, links_of


@cache
def whole() -> World:
    """Three recordings of a source, as the stages archive them."""
    archive = Archive()
    day = archive._day()
    landed = tuple(event.landed for event in day if isinstance(event, SegmentProbed))
    held = []
    for bucket in ("originals", "records"):
        for found in archive.store.list(bucket, ""):
            data, stat = archive.store.read(bucket, found.key), archive.store.stat(bucket, found.key)
            digest = Sha256(hashlib.sha256(data).hexdigest())
            held.append(
                Held(
                    bucket=bucket,
                    key=found.key,
                    version_id=stat.version_id,
                    size_bytes=len(data),
                    sha256=digest,
                    lock_mode=stat.lock_mode,
                    retain_until=stat.retain_until,
                )
            )
    receipts = {
        item.key: codec.decode(topics.ARCHIVED.name, archive.store.read("records", item.key))
        for item in held
        if item.key.endswith("/receipt.json")
    }
    return World(
        truths=(),
        reports={name: {} for name in (FIRST, SECOND, THIRD)},
        journals=(Journalled(connector=landed[0].connector, announced=landed),),
        landed=landed,
        links=tuple(links_of(day)),
        archived=tuple(receipts.values()),
        deadlines=(),
        receipts=receipts,
        held=tuple(held),
        records="records",
        retention_ms=DAY_MS,
        misses_counted=0,
    )


def missed(at: int) -> DeadlineChanged:
    return DeadlineChanged(
        source_id=SOURCE,
        source_kind="cctv",
        unit="hall",
        recording_id=FIRST,
        at=WallMs(at),
        state="missed",
        changed_at=WallMs(at),
    )


def other(held: Held, **changes: object) -> Callable[[World], World]:
    return lambda world: replace(
        world,
        held=tuple(replace(one, **changes) if one == held else one for one in world.held),  # type: ignore[arg-type]
    )


def twice(held: Held, told: bool) -> Callable[[World], World]:
    again = replace(held, version_id="another")
    return lambda world: replace(
        world, held=(*world.held, again), extras=frozenset({held.place}) if told else frozenset()
    )


def original(number: int = 0) -> Held:
    return [held for held in whole().held if held.bucket == "originals"][number]


def test_a_whole_archive_breaks_no_promise() -> None:
    assert broken(whole()) == []


def test_repeated_records_and_a_further_version_that_is_told_break_none() -> None:
    world = twice(original(), told=True)(whole())

    assert broken(replace(world, links=world.links * 2, landed=world.landed * 2)) == []


_STRAY = replace(original(), key=f"sha256/{original().sha256}/stray")
_LAST = whole().landed[-1]


@pytest.mark.parametrize(
    ("promise", "change"),
    [
        ("I1", lambda world: replace(world, reports={})),
        ("I2", twice(original(), told=False)),
        ("I2", lambda world: other(original(), sha256=Sha256("0" * 64))(twice(original(), told=True)(world))),
        ("I3", other(original(), sha256=Sha256("0" * 64))),
        ("I4", other(original(), lock_mode="GOVERNANCE")),
        ("I4", other(original(), retain_until=WallMs(T0))),
        ("I6", lambda world: replace(world, held=tuple(one for one in world.held if one != original()))),
        ("I6", lambda world: replace(world, held=(*world.held, _STRAY))),
        ("I6", lambda world: replace(world, archived=(replace(world.archived[0], key_id="00" * 8),))),
        ("I7", lambda world: replace(world, misses_counted=1)),
        ("I7", lambda world: replace(world, deadlines=(missed(1), missed(2)))),
        ("I8", lambda world: replace(world, links=())),
        ("I8", lambda world: replace(world, landed=world.landed[:-1])),
        ("I8", lambda world: replace(world, landed=(*world.landed, replace(_LAST, original_name="x")))),
        ("I8", lambda world: replace(world, journals=(replace(world.journals[0], undelivered=1),))),
        ("I8", lambda world: replace(world, journals=(replace(world.journals[0], announced=world.landed[1:]),))),
        ("I8", lambda world: replace(world, links=tuple(_moved(link, THIRD) for link in world.links))),
        ("I8", lambda world: replace(world, links=(*world.links, replace(world.links[0], hash=Sha256("1" * 64))))),
    ],
)
def test_each_broken_promise_is_named(promise: str, change: Callable[[World], World]) -> None:
    found = broken(change(whole()))

    assert promise in {line[:2] for line in found}


def _moved(link: object, recording: RecordingId) -> object:
    return replace(link, recording_id=recording)  # type: ignore[type-var]
