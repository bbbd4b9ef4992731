"""What case data and holds say of a recording, the store holds of it: all of it, for long enough, and never less."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.adapters.signing import Ed25519Signer
from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.canonical import canonical
from pipeline.domain.errors import Malformed, NotLocked, StatementDiffers, StoreUnavailable, StoreUntrusted
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.keeping import (
    Demand,
    Entry,
    demanded,
    entry_digest,
    entry_document,
    entry_key,
    register_folder,
)
from pipeline.domain.seal import seal_key, unsigned_seal, with_signature
from pipeline.domain.source_statement import statement_document, statement_key
from pipeline.domain.time import WallMs
from pipeline.ports import ObjectStat
from pipeline.steps.keeping import AHEAD_MS, Keeper, KeepingStep
from pipeline.steps.recall import source_statements
from tests.builders import SOURCE, T0, metadata, policy, window
from tests.builders_archive import DAY_MS, Trusting, classified_as, held_for, keeper_of, released_from, signer
from tests.steps.archived import FIRST, SECOND, THIRD, Archive, Noon

TEN_YEARS_MS = policy().retention["10y"].keep_s * 1000
YEAR_MS = policy().provisional_retention_s * 1000


@dataclass(frozen=True)
class Received:
    event: Annotation


def keeper(archive: Archive) -> Keeper:
    return keeper_of(archive.store, policy())


def note(archive: Archive, said: Annotation, trust: Trusting | None = None) -> None:
    """The stage hears *said*."""
    made = KeepingStep(keeper=keeper(archive), trust=trust or Trusting(), clock=Noon())
    asyncio.run(made.step(None, Received(said)))


def filed(named: str = "10y", recording: RecordingId = FIRST, **changes: Any) -> Annotation:
    """The case is filed a day after T0, under this class."""
    body = Metadata(case_name="案 1", extra=(("retention_class", named),))
    said = metadata(recording_id=recording, made_at=WallMs(T0 + DAY_MS), metadata=body)
    return replace(said, **changes)


def about(archive: Archive, recording: RecordingId) -> list[ObjectStat]:
    """Everything the store holds of a recording: documents and register in all revisions, seals, and its originals."""
    register = register_folder(SOURCE, recording)
    stats = [
        archive.store.stat("records", item.key)
        for prefix in (f"recordings/{SOURCE}/{recording}/", register, seal_key(register))
        for item in archive.store.list("records", prefix)
    ]
    receipts = keeper(archive).receipts(SOURCE, recording)
    newest = receipts[max(receipts)].originals if receipts else ()
    return stats + [archive.store.stat(item.object.bucket, item.object.key) for item in newest]


def least(stats: Sequence[ObjectStat]) -> int:
    assert {stat.lock_mode for stat in stats} == {"COMPLIANCE"}
    return min(stat.retain_until or 0 for stat in stats)


def test_when_the_case_is_filed_everything_archived_of_the_recording_is_kept_as_long_as_the_file() -> None:
    archive = Archive()

    note(archive, filed())

    stats = about(archive, FIRST)
    assert len(stats) == 2 * 5 + 2 + 3
    assert least(stats) >= T0 + DAY_MS + TEN_YEARS_MS
    (key,) = archive.store.list("records", "keys/")
    assert (archive.store.stat("records", key.key).retain_until or 0) >= T0 + DAY_MS + TEN_YEARS_MS


def test_another_recording_stays_provisional() -> None:
    archive = Archive()
    before = about(archive, SECOND)

    note(archive, filed())

    assert about(archive, SECOND) == before


def test_the_statement_is_kept_as_a_record_once() -> None:
    archive = Archive()

    for _ in range(3):
        note(archive, filed())

    (entry,) = keeper(archive).register(SOURCE, FIRST).values()
    assert (entry.kind, entry.retention_class, entry.made_by) == ("classified", "10y", filed().made_by)
    assert len(archive.store.versions("records", entry_key(entry))) == 1


def test_a_shorter_class_said_later_shortens_nothing() -> None:
    archive = Archive()
    note(archive, filed("30y"))
    before = {stat.key: stat.retain_until for stat in about(archive, FIRST)}

    note(archive, filed("10y", annotation_id="case-2"))

    after = {stat.key: stat.retain_until for stat in about(archive, FIRST)}
    assert before.items() <= after.items()


def test_a_class_nobody_knows_is_kept_as_said_and_changes_no_lock_beyond_the_provisional_one() -> None:
    archive = Archive()

    note(archive, filed("forty years"))

    (entry,) = keeper(archive).register(SOURCE, FIRST).values()
    assert entry.retention_class == "forty years"
    assert least(about(archive, FIRST)) == T0 + DAY_MS + YEAR_MS


def test_case_data_without_a_class_touch_nothing() -> None:
    archive = Archive()
    trust = Trusting()
    trust.why = "not asked"

    note(archive, metadata(recording_id=FIRST), trust)

    assert list(archive.store.list("records", "keeping/")) == []


def test_what_is_said_of_a_source_is_kept_under_lock_once() -> None:
    archive = Archive()
    said = window(0, 600_000)

    note(archive, said)
    note(archive, said)

    (kept,) = archive.store.list("records", "statements/")
    assert list(source_statements(archive.store, "records")) == [said]
    assert kept.key == statement_key(said)
    assert len(archive.store.versions("records", kept.key)) == 1
    assert archive.store.stat("records", kept.key).retain_until == said.made_at + YEAR_MS


def test_a_statement_that_is_none_or_lies_elsewhere_is_named() -> None:
    for data in (b"{}", b"not JSON", statement_document(window(0, 1))):
        archive = Archive()
        key = statement_key(window(0, 600_000))
        archive.store.put_bytes("records", key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=None)

        with pytest.raises(Malformed, match=key):
            list(source_statements(archive.store, "records"))


def test_a_recording_filed_before_it_is_archived_is_archived_with_its_class() -> None:
    archive = Archive()
    early = RecordingId("hall-1-z")
    note(archive, filed(recording=early))
    links = [replace(link, recording_id=early) for link in archive.links[SECOND]]

    archive.archive(links)

    receipt = keeper(archive).receipts(SOURCE, early)[1]
    assert min(item.retain_until for item in (*receipt.originals, *receipt.records)) >= T0 + DAY_MS + TEN_YEARS_MS
    assert least(about(archive, early)) >= T0 + DAY_MS + TEN_YEARS_MS


@pytest.mark.parametrize(("ahead_ms", "possible"), [(AHEAD_MS - 1, True), (AHEAD_MS, True), (AHEAD_MS + 1, False)])
def test_a_class_dated_ahead_locks_nothing_for_longer_than_anybody_meant(ahead_ms: int, possible: bool) -> None:
    archive = Archive()
    said = filed(made_at=WallMs(Noon().now() + ahead_ms))

    if possible:
        note(archive, said)
    else:
        with pytest.raises(Malformed, match="dated ahead"):
            note(archive, said)

    assert bool(list(archive.store.list("records", "keeping/"))) is possible


def test_a_class_that_is_no_label_is_refused() -> None:
    with pytest.raises(Malformed, match="no retention class"):
        note(Archive(), filed("x" * 201))


def test_a_store_that_is_not_trusted_gets_nothing_until_it_is() -> None:
    archive, trust = Archive(), Trusting()
    trust.why = "a shorter lock: accepted"

    with pytest.raises(StoreUntrusted):
        note(archive, filed(), trust)

    assert list(archive.store.list("records", "keeping/")) == []


def test_a_store_that_fails_in_between_is_brought_to_the_same_end_by_a_repeat() -> None:
    undisturbed = Archive()
    note(undisturbed, filed("permanent"))
    expected = {(stat.key, stat.retain_until, stat.legal_hold) for stat in about(undisturbed, FIRST)}
    for operation in ("send", "extend", "hold", "stat"):
        for after in (False, True):
            archive = Archive()
            archive.store.faults = [Fault(operation, StoreUnavailable("away"), after)]
            with suppress(StoreUnavailable):
                note(archive, filed("permanent"))
            assert archive.store.faults == []

            note(archive, filed("permanent"))

            assert {(stat.key, stat.retain_until, stat.legal_hold) for stat in about(archive, FIRST)} == expected


def test_a_store_that_says_it_extends_and_does_not_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive()
    monkeypatch.setattr(MemoryObjects, "extend_retention", lambda *_: None)

    with pytest.raises(NotLocked, match="does not lie as it must"):
        note(archive, filed())


def hold(archive: Archive, recording: RecordingId = FIRST) -> Entry:
    entry = held_for("court 7", recording_id=recording)
    keeper(archive).add(entry)
    keeper(archive).settle(SOURCE, recording)
    return entry


def test_a_hold_is_on_every_version_of_documents_originals_and_register() -> None:
    archive = Archive()
    original = keeper(archive).receipts(SOURCE, FIRST)[2].originals[0].object
    kept = archive.store._buckets["originals"].versions[original.key]
    kept.append(replace(kept[0], stat=replace(kept[0].stat, version_id="sent twice")))

    hold(archive)

    assert {stat.legal_hold for stat in about(archive, FIRST)} == {True}
    assert [version.stat.legal_hold for version in kept] == [True, True]
    assert not any(stat.legal_hold for stat in about(archive, SECOND))


def test_a_revision_archived_under_a_hold_is_held_too() -> None:
    archive = Archive()
    entry = held_for("court 7", recording_id=THIRD)
    keeper(archive).add(entry)

    archive.archive(archive.links[THIRD])

    assert {stat.legal_hold for stat in about(archive, THIRD)} == {True}


def test_a_later_revision_brings_the_documents_of_the_earlier_ones_to_its_date() -> None:
    archive = Archive()

    newest = keeper(archive).received_at(SOURCE, FIRST, 2)

    assert least(about(archive, FIRST)) >= newest + YEAR_MS


def test_an_object_that_is_no_entry_stops_what_would_be_decided_without_it() -> None:
    archive = Archive()
    entry = hold(archive)
    archive.store._buckets["records"].versions[entry_key(entry)][-1] = replace(
        archive.store._buckets["records"].versions[entry_key(entry)][-1], data=b"{}"
    )

    with pytest.raises(Malformed, match=entry_digest(entry)):
        keeper(archive).settle(SOURCE, FIRST)


def test_what_is_demanded_is_what_the_register_says() -> None:
    archive = Archive()
    said = classified_as("10y", recording_id=FIRST)
    keeper(archive).add(said)

    demand, changed = keeper(archive).settle(SOURCE, FIRST)

    received_at = keeper(archive).received_at(SOURCE, FIRST, 2)
    assert demand == demanded(received_at, {entry_digest(said): said}, policy()) == Demand(demand.until, False)
    assert changed == len(about(archive, FIRST)) + 1
    assert keeper(archive).settle(SOURCE, FIRST) == (demand, 0)
    assert list(keeper(archive).registered()) == [(SOURCE, FIRST)]
    assert list(keeper(archive).registered("held")) == []


def release(archive: Archive, held: Entry) -> tuple[bool, int]:
    keeper(archive).add(released_from(held, recording_id=held.recording_id))
    return keeper(archive).free(SOURCE, held.recording_id)


@pytest.mark.parametrize("hand", ["nobody", "a stranger", "our name, another key", "the seal of another release"])
def test_a_release_that_our_key_did_not_seal_releases_nothing(hand: str) -> None:
    archive = Archive()
    held = hold(archive)
    forged = released_from(held, recording_id=FIRST)
    stranger = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    put(archive, entry_key(forged), entry_document(forged))
    if hand == "the seal of another release":
        other = released_from(held_for("court 8", recording_id=SECOND), recording_id=SECOND)
        keeper(archive).add(other)
        put(archive, seal_key(entry_key(forged)), archive.store.read("records", seal_key(entry_key(other))))
    elif hand != "nobody":
        name = stranger.key_id if hand == "a stranger" else signer().key_id
        unsigned = unsigned_seal(entry_key(forged), entry_digest(forged), name)
        seal = with_signature(unsigned, stranger.sign(canonical(unsigned)))
        put(archive, seal_key(entry_key(forged)), seal)

    still_held, freed = keeper(archive).free(SOURCE, FIRST)

    assert (still_held, freed) == (True, 0)
    assert all(stat.legal_hold for stat in about(archive, FIRST) if "released" not in stat.key)


def put(archive: Archive, key: str, data: bytes) -> None:
    """Somebody who may write to the store does."""
    until = WallMs(T0 + 2 * DAY_MS)
    archive.store.put_bytes("records", key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=until)


def test_a_released_hold_is_taken_off_everything_and_the_locks_stay() -> None:
    archive = Archive()
    held = hold(archive)
    before = {stat.key: stat.retain_until for stat in about(archive, FIRST)}

    still_held, freed = release(archive, held)

    stats = about(archive, FIRST)
    assert (still_held, freed) == (False, len(before))
    assert not any(stat.legal_hold for stat in stats)
    assert before.items() <= {stat.key: stat.retain_until for stat in stats}.items()
    assert keeper(archive).free(SOURCE, FIRST) == (False, 0)


def test_of_two_holds_the_second_keeps_what_the_first_released() -> None:
    archive = Archive()
    first = hold(archive)
    keeper(archive).add(held_for("court 8", recording_id=FIRST))

    assert release(archive, first) == (True, 0)

    assert {stat.legal_hold for stat in about(archive, FIRST)} == {True}


def test_a_class_kept_for_ever_outlasts_the_release_of_every_order() -> None:
    archive = Archive()
    note(archive, filed("permanent"))
    held = hold(archive)

    assert release(archive, held) == (True, 0)

    assert {stat.legal_hold for stat in about(archive, FIRST)} == {True}


def test_an_original_two_recordings_share_is_freed_only_with_the_last_hold() -> None:
    archive = Archive()
    other = RecordingId("hall-1-z")
    archive.archive([replace(link, recording_id=other) for link in archive.links[SECOND]])
    holds = hold(archive, SECOND), hold(archive, other)
    (original,) = keeper(archive).receipts(SOURCE, SECOND)[1].originals
    place = original.object.bucket, original.object.key

    release(archive, holds[0])
    between = archive.store.stat(*place).legal_hold, {stat.legal_hold for stat in about(archive, SECOND)}
    release(archive, holds[1])

    assert between == (True, {True, False})
    assert not archive.store.stat(*place).legal_hold


def test_a_release_that_was_interrupted_is_finished_by_a_repeat() -> None:
    archive = Archive()
    held = hold(archive)
    archive.store.faults = [Fault("hold", StoreUnavailable("away"))]
    with pytest.raises(StoreUnavailable):
        release(archive, held)

    still_held, _ = keeper(archive).free(SOURCE, FIRST)

    assert not still_held
    assert not any(stat.legal_hold for stat in about(archive, FIRST))


def test_another_class_under_a_used_id_lengthens_nothing_and_the_first_stays() -> None:
    archive = Archive()
    note(archive, filed("10y"))
    before = about(archive, FIRST)

    with pytest.raises(StatementDiffers, match="30y, annotation case-1"):
        note(archive, filed("30y", made_at=WallMs(T0 + 2 * DAY_MS)))

    assert about(archive, FIRST) == before
    note(archive, filed("30y", annotation_id="case-2"))
    assert about(archive, FIRST) != before
