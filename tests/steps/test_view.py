"""No record, no page: a viewing is locked before anything can be read, of the revision that was archived and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.canonical import digest
from pipeline.domain.derivative import Derivative
from pipeline.domain.errors import MediaUnreadable, ObjectDiffers, StoreUnavailable
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.playlist import Loaded
from pipeline.domain.stitch import documents
from pipeline.domain.time import WallMs
from pipeline.steps.derive import DeriveStep
from pipeline.steps.view import ViewStep, Wish, archived_of
from tests.builders import T0, explanation, mp4, object_ref, photo, policy, probed
from tests.builders_archive import YEAR_MS, archived, chained, ended, gap
from tests.domain.test_derivative import MADE

GAP = gap(20_000, 30_000, state="explained", reason="R4", explained_by="why-1")
WISH = Wish("review of the visit", "officer 7", 3600)


def of(manifest: dict[str, Any]) -> RecordingArchived:
    """The receipt that locked *manifest*."""
    ref = replace(
        object_ref(), bucket="records", key="recordings/a/b/r1/manifest.json", sha256=Sha256(digest(manifest))
    )
    return archived(records=(LockedObject(object=ref, lock_mode="COMPLIANCE", retain_until=WallMs(T0 + YEAR_MS)),))


def manifest() -> dict[str, Any]:
    links = chained([probed(0), probed(1), mp4(3), photo(4)], ended(gaps=(GAP,)), said=[explanation(20_000, 30_000)])
    found: dict[str, Any] = json.loads(dict(documents(links, "unbroken test"))["manifest.json"])
    return found


class Deriving(DeriveStep):
    """Makes every copy without looking, or none."""

    async def derive(self, original: ObjectRef) -> Derivative:
        if self.derived == "none":
            raise MediaUnreadable("it cannot be copied: for the test")
        return replace(MADE, original=original)


class Stage:
    def __init__(self, derived: str = "derived") -> None:
        self.store, self.signed = MemoryObjects(SystemClock()), list[str]()
        self.store.make_bucket("records", 1)
        copier: Any = None
        self.step = ViewStep(
            store=self.store,
            derive=Deriving(store=self.store, copier=copier, derived=derived),
            sign=self.sign,
            clock=SystemClock(),
            policy=policy(),
            records="records",
        )

    def sign(self, ref: ObjectRef, seconds: int, media_type: str) -> str:
        assert list(self.store.list("records", "views/")), "an address before the record"
        self.signed.append(ref.sha256)
        return f"https://store/{ref.sha256}?{seconds}"


async def test_the_record_is_locked_before_any_address_is_signed() -> None:
    stage, given = Stage(), manifest()

    paged = await stage.step.view(archived_of(of(given), given), WISH)

    (stat,) = stage.store.list("records", "views/")
    record = json.loads(stage.store.read("records", stat.key))
    assert stat.key == paged.record
    assert stage.store.stat("records", stat.key).lock_mode == "COMPLIANCE"
    assert (record["purpose"], record["by"], record["manifest_sha256"]) == (*WISH[:2], digest(given))
    assert [item["way"] for item in record["shown"]] == ["in_place", "in_place", "derived", "none"]
    assert len(stage.signed) == 3


async def test_what_is_loaded_is_signed_and_what_is_not_says_why() -> None:
    stage, given = Stage(), manifest()

    paged = await stage.step.view(archived_of(of(given), given), WISH)

    loaded = [slot.loaded for slot in paged.slots if slot.loaded != ""]
    assert [item.uri.startswith("https://store/") for item in loaded if isinstance(item, Loaded)] == [True] * 3
    assert loaded[2] == Loaded(
        uri=f"https://store/{MADE.derived.sha256}?3600",
        size_bytes=MADE.derived.size_bytes,
        init_bytes=800,
        derived=True,
        pieces=MADE.copied.pieces,
        streams=("h264",),
    )
    assert loaded[3] == "photo: not timed media"
    assert paged.archived.explanations["why-1"].made_by == "officer-1"


async def test_a_file_of_which_there_is_no_copy_is_named_with_the_reason() -> None:
    stage, given = Stage("none"), manifest()

    paged = await stage.step.view(archived_of(of(given), given), WISH)

    assert (paged.view.shown[2].way, paged.view.shown[2].derived_sha256) == ("none", None)
    assert paged.view.shown[2].why == "container mp4; it cannot be copied: for the test"


def test_a_manifest_that_is_not_the_locked_one_is_not_shown() -> None:
    receipt, given = of(manifest()), manifest()
    given["unit"] = "another"

    with pytest.raises(ObjectDiffers, match="the manifest is not the one that was locked"):
        archived_of(receipt, given)


async def test_no_record_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, given = Stage(), manifest()

    def away(*_arguments: object, **_more: object) -> None:
        raise StoreUnavailable("the store did not answer")

    monkeypatch.setattr(stage.store, "put_bytes", away)

    with pytest.raises(StoreUnavailable):
        await stage.step.view(archived_of(of(given), given), WISH)

    assert stage.signed == []
