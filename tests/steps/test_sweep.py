"""A sweep tells every lock and hold that falls short, with both sides; it mends only what it is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.adapters.objects_memory import Fault
from pipeline.domain.errors import NotLocked, StoreUnavailable
from pipeline.domain.keeping import Shortfall, entry_key
from pipeline.domain.keys import published_key
from pipeline.domain.policy import RetentionClass
from pipeline.domain.time import WallMs
from pipeline.steps.keeping import Keeper
from pipeline.steps.sweep import AGAIN_S, Sweep, Swept, look
from tests.builders import SOURCE, T0, policy
from tests.builders_archive import DAY_MS, classified_as, held_for, keeper_of, released_from, signer
from tests.steps.archived import FIRST, OPEN, SECOND, Archive

YEAR_MS = 365 * DAY_MS


class At:
    """A clock that stands still."""

    def __init__(self, at: int = T0 + DAY_MS) -> None:
        self.at = at

    def now(self) -> WallMs:
        return WallMs(self.at)


def sweep(archive: Archive, at: int = T0 + DAY_MS, **rules: Any) -> Sweep:
    return Sweep(keeper=keeper(archive, **rules), clock=At(at))


def keeper(archive: Archive, **rules: Any) -> Keeper:
    return keeper_of(archive.store, policy(**rules))


def told(found: Sequence[Shortfall]) -> set[tuple[str, str]]:
    return {(one.about, one.kind) for one in found}


def tampered(archive: Archive, bucket: str, key: str, **changes: Any) -> None:
    """Somebody with the store in hand changes how the newest version lies, or (``gone``) takes all of them away."""
    versions = archive.store._buckets[bucket].versions
    if changes.pop("gone", False):
        del versions[key]
        return
    newest = versions[key][-1]
    versions[key][-1] = replace(newest, stat=replace(newest.stat, **changes))


def manifest(recording: str = FIRST) -> str:
    return f"recordings/{SOURCE}/{recording}/r1/manifest.json"


def test_an_archive_as_the_stages_left_it_falls_short_of_nothing() -> None:
    swept = sweep(Archive()).run()

    assert (swept.recordings, swept.found, swept.mended) == (3, [], 0)
    assert swept.objects == 2 * 5 + 3 + 2 * (5 + 1) + 1


@pytest.mark.parametrize(
    ("changes", "kind", "found"),
    [
        ({"retain_until": WallMs(T0 + DAY_MS)}, "retention", "COMPLIANCE until 2026-11-25T08:00:00.000Z"),
        ({"retain_until": None}, "retention", "COMPLIANCE until no date"),
        ({"lock_mode": "GOVERNANCE"}, "retention", "GOVERNANCE"),
        ({"lock_mode": "none"}, "retention", "none"),
        ({"gone": True}, "missing", "nothing"),
    ],
    ids=["earlier", "no date", "weaker mode", "no lock", "gone"],
)
def test_a_document_that_is_locked_for_less_is_told_with_both_sides(
    changes: dict[str, Any], kind: str, found: str
) -> None:
    archive = Archive()
    playlist = manifest().replace("manifest.json", "playlist.m3u8")
    tampered(archive, "records", playlist, **changes)

    (short,) = sweep(archive).run().found

    assert (short.about, short.kind) == (f"{SOURCE}/{FIRST}", kind)
    assert playlist in short.place
    assert short.expected.startswith("COMPLIANCE until 2027-11-24")
    assert short.found.startswith(found)


def test_an_original_that_is_gone_is_told_by_the_version_the_receipt_names() -> None:
    archive = Archive()
    original = keeper(archive).receipts(SOURCE, SECOND)[1].originals[0].object
    tampered(archive, "originals", original.key, gone=True)

    (short,) = sweep(archive).run().found

    assert (short.kind, short.place) == ("missing", f"originals/{original.key} {original.version_id}")


def test_a_hold_that_somebody_took_off_is_told_and_not_silently_set_again() -> None:
    archive = Archive()
    keeper(archive).add(held_for("court 7", recording_id=FIRST))
    keeper(archive).settle(SOURCE, FIRST)
    tampered(archive, "records", manifest(), legal_hold=False)

    first, second = sweep(archive).run(), sweep(archive).run()

    assert [(one.kind, one.expected, one.found) for one in first.found] == [("hold", "under legal hold", "not held")]
    assert second.found == first.found


def test_what_is_settled_meanwhile_is_no_shortfall() -> None:
    archive, asked = Archive(), list[int]()
    keeper(archive).add(held_for("court 7", recording_id=FIRST))
    of_first = sweep(archive).run(SOURCE, FIRST).objects // 2  # looked at twice, as all of it falls short

    def settle_meanwhile(count: int) -> None:
        asked.append(count)
        if len(asked) == of_first + 1:
            keeper(archive).settle(SOURCE, FIRST)

    looking = replace(sweep(archive), on_object=settle_meanwhile)
    tampered(archive, "records", manifest(SECOND), lock_mode="none")

    assert told(looking.run().found) == {(f"{SOURCE}/{SECOND}", "retention")}
    assert of_first == 15


def test_one_object_that_is_gone_does_not_keep_the_others_from_being_mended() -> None:
    archive = Archive()
    keeper(archive).add(held_for("court 7", recording_id=FIRST))
    tampered(archive, "records", manifest().replace("manifest.json", "playlist.m3u8"), gone=True)

    sweep(archive).run(repair=True)

    assert [one.kind for one in sweep(archive).run().found] == ["missing"]


def test_an_entry_whose_effect_was_interrupted_is_told_and_mended() -> None:
    archive = Archive()
    keeper(archive).add(held_for("court 7", recording_id=FIRST))

    swept = sweep(archive).run(repair=True)

    assert told(swept.found) == {
        (f"{SOURCE}/{FIRST}", "hold"),
        (f"{SOURCE}/{FIRST}", "retention"),
    }  # its own entry's, and of its seal
    assert swept.mended == len({one.place for one in swept.found}) == 15
    assert sweep(archive).run().found == []


def test_a_policy_that_was_lengthened_shows_what_lies_short_of_it() -> None:
    archive = Archive()

    swept = sweep(archive, provisional_retention_s=2 * YEAR_MS // 1000).run(repair=True)

    about = {f"{SOURCE}/hall-1-{name}" for name in "abc"} | {f"key {signer().key_id}"}
    assert told(swept.found) == {(name, "retention") for name in about}
    assert sweep(archive, provisional_retention_s=2 * YEAR_MS // 1000).run().found == []


def test_the_key_of_a_receipt_is_kept_as_long_as_the_longest_kept_recording() -> None:
    archive = Archive()
    keeper(archive).add(classified_as("10y", recording_id=FIRST))
    keeper(archive).settle(SOURCE, FIRST)
    key = published_key(signer().key_id)
    tampered(archive, "records", key, retain_until=WallMs(T0 + YEAR_MS))

    swept = sweep(archive).run(repair=True)

    assert told(swept.found) == {(f"key {signer().key_id}", "retention")}
    assert (archive.store.stat("records", key).retain_until or 0) > T0 + 10 * YEAR_MS


def test_what_is_kept_for_ever_is_renewed_when_half_its_time_has_gone() -> None:
    archive = Archive()
    rules = {"retention": {"ever": RetentionClass(keep_s=10 * YEAR_MS // 1000, hold=True)}}
    keeper(archive, **rules).add(classified_as("ever", recording_id=FIRST))
    keeper(archive, **rules).settle(SOURCE, FIRST)

    early = sweep(archive, T0 + 4 * YEAR_MS, **rules).run(recording=FIRST)
    late = sweep(archive, T0 + 6 * YEAR_MS, **rules).run(recording=FIRST, repair=True)

    assert (early.found, {one.kind for one in late.found}) == ([], {"retention"})
    assert sweep(archive, T0 + 6 * YEAR_MS, **rules).run(recording=FIRST).found == []


def test_a_released_hold_demands_nothing() -> None:
    archive = Archive()
    held = held_for("court 7", recording_id=FIRST)
    for entry in (held, released_from(held, recording_id=FIRST)):
        keeper(archive).add(entry)
    keeper(archive).settle(SOURCE, FIRST)

    assert sweep(archive).run().found == []


def test_a_class_the_policy_does_not_know_is_told() -> None:
    archive = Archive()
    keeper(archive).add(classified_as("forty years", recording_id=FIRST))
    keeper(archive).settle(SOURCE, FIRST)

    (short,) = sweep(archive).run(repair=True).found

    assert (short.kind, short.expected, short.found) == (
        "unknown_class",
        "one of permanent, 30y, 10y",
        "forty years",
    )


@pytest.mark.parametrize("what", ["manifest", "entry"])
def test_what_cannot_be_read_is_told_and_the_others_are_looked_at(what: str) -> None:
    archive = Archive()
    entry = classified_as("10y", recording_id=SECOND)
    keeper(archive).add(entry)
    key = manifest(SECOND) if what == "manifest" else entry_key(entry)
    newest = archive.store._buckets["records"].versions[key][-1]
    archive.store._buckets["records"].versions[key][-1] = replace(newest, data=b"{}")

    swept = sweep(archive).run(repair=True)

    assert told(swept.found) == {(f"{SOURCE}/{SECOND}", "unreadable")}
    assert swept.recordings == 3


def test_a_narrowed_sweep_looks_at_one_recording() -> None:
    archive = Archive()
    tampered(archive, "records", manifest(SECOND), lock_mode="none")

    swept = sweep(archive).run(SOURCE, FIRST)

    assert (swept.recordings, swept.found) == (1, [])


def test_every_object_is_asked_for_at_the_rate_that_was_given() -> None:
    asked: list[int] = []

    swept = replace(sweep(Archive()), on_object=asked.append).run()

    assert len(asked) == swept.objects


def test_a_store_that_is_away_ends_the_sweep_and_it_is_begun_anew_soon() -> None:
    archive, heard = Archive(), list[Swept | Exception]()
    archive.store.faults = [Fault("stat", StoreUnavailable("away"))]

    waits = [look(sweep(archive), 86_400, heard.append) for _ in (0, 1)]
    tampered(archive, "records", manifest(), lock_mode="none")
    waits.append(look(sweep(archive), 86_400, heard.append))

    assert waits == [AGAIN_S, 86_400, AGAIN_S]
    assert isinstance(heard[0], StoreUnavailable)


def test_a_store_that_does_not_mend_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive()
    keeper(archive).add(held_for("court 7", recording_id=FIRST))
    monkeypatch.setattr(type(archive.store), "set_hold", lambda *_: None)

    with pytest.raises(NotLocked):
        sweep(archive).run(repair=True)


@pytest.mark.parametrize(
    "folder",
    [
        f"checkpoints/{SOURCE}/{OPEN}/",
        f"seals/checkpoints/{SOURCE}/{OPEN}/",
        "deadlines/",
        "seals/deadlines/",
        "statements/",
    ],
)
def test_records_beside_the_recordings_that_are_locked_for_less_are_told_and_mended(folder: str) -> None:
    archive = Archive(checkpoints=True)
    sweep(archive).run(repair=True)
    key = next(stat.key for stat in archive.store.list("records", folder))
    tampered(archive, "records", key, retain_until=WallMs(T0 + DAY_MS))

    found = sweep(archive).run(repair=True).found

    assert [(one.about, one.kind, one.place) for one in found] == [
        (key.removeprefix("seals/"), "retention", f"records/{key}")
    ]
    assert sweep(archive).run().found == []


def test_checkpoints_of_what_is_archived_have_served() -> None:
    archive = Archive(checkpoints=True)
    sweep(archive).run(repair=True)
    key = next(stat.key for stat in archive.store.list("records", f"checkpoints/{SOURCE}/{FIRST}/"))
    tampered(archive, "records", key, retain_until=WallMs(T0))

    assert sweep(archive).run().found == []


def test_a_record_that_cannot_be_read_is_told_and_ends_nothing() -> None:
    archive = Archive(checkpoints=True)
    sweep(archive).run(repair=True)
    key = next(stat.key for stat in archive.store.list("records", "deadlines/"))
    versions = archive.store._buckets["records"].versions[key]
    versions[-1] = replace(versions[-1], data=b"[]")

    assert [(one.about, one.kind) for one in sweep(archive).run().found] == [(key, "unreadable")]
