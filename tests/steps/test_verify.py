"""What the stages archived verifies; whatever is changed afterwards is found and named."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters import signing
from pipeline.adapters.objects_folder import FolderObjects
from pipeline.adapters.objects_memory import Fault, MemoryObjects
from pipeline.adapters.signing import Ed25519Signer
from pipeline.domain.archive import LockMode, RecordingArchived, objects_digest, receipt_document, signed_message
from pipeline.domain.canonical import canonical
from pipeline.domain.errors import StoreUnavailable
from pipeline.domain.identity import Sha256
from pipeline.domain.keeping import entry_document, entry_key
from pipeline.domain.keys import key_id, pem_of, published_key
from pipeline.domain.selection import Part, Selection
from pipeline.domain.time import WallMs
from pipeline.domain.verify import Item
from pipeline.steps.shelf import ReadableStore
from pipeline.steps.verify import Verification
from pipeline.wire import codec, topics
from tests.builders import SOURCE, T0, mp4, session_ended, sha
from tests.builders_archive import YEAR_MS, held_for, signer
from tests.steps.archived import FIRST, OPEN, SECOND, THIRD, Archive, Stages, link_copy, links_of, put
from tests.steps.tampering import Revision, fitted

KEYS = {signer().key_id: signer().public}
ABOUT_A, ABOUT_B = f"{FIRST} r2", f"{SECOND} r1"
PUBLISHED = f"records/{published_key(signer().key_id)}"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc")
    Archive().copy(folder)
    return folder


@pytest.fixture
def disc(copied: Path, tmp_path: Path) -> Path:
    """A copy of its own for each test that changes it."""
    link_copy(copied, tmp_path / "disc")
    return tmp_path / "disc"


def reader(store: ReadableStore, **changes: Any) -> Verification:
    made = Verification(
        store=store, records="records", originals="originals", locks=True, keys=KEYS, signed=signing.verify
    )
    return replace(made, **changes)


def look(folder: Path, keys: dict[str, bytes] = KEYS, **only: Any) -> list[Item]:
    return list(reader(FolderObjects(folder), locks=False, keys=keys).items(Selection(**only)))


def ask(store: MemoryObjects, **only: Any) -> list[Item]:
    return list(reader(store).items(Selection(**only)))


def faults(items: Sequence[Item]) -> list[tuple[str, str, str]]:
    return [(item.about, item.check, item.place) for item in items if item.result == "fail"]


def of(recording: str, name: str, revision: int = 1) -> Path:
    return Path("records", "recordings", SOURCE, recording, f"r{revision}", name)


def test_what_the_stages_archived_passes_in_every_check() -> None:
    items = ask(Archive().store)

    assert {item.result for item in items} == {"pass"}
    checks = ["chain", "manifest", "timeline", "receipt", "signature", "documents", "originals", "locks"]
    assert [item.check for item in items if item.about == ABOUT_A] == checks
    assert [item.check for item in items if item.about == SOURCE] == ["history", "announcements"]
    assert [(item.about, item.check) for item in items[-3:]] == [
        ("records", "extra"),
        ("originals", "extra"),
        ("archive", "coverage"),
    ]
    assert [item.check for item in items if item.about == PUBLISHED] == ["signature"]
    assert len(items) == 4 * len(checks) + 3 + 2 + 1 + 2 + 3


def test_a_copy_passes_but_for_the_locks_that_nobody_can_be_asked_about(copied: Path) -> None:
    items = look(copied)

    assert {item.check for item in items if item.result == "not_covered"} == {"locks"}
    assert faults(items) == []


def test_a_signature_by_the_key_in_the_archive_itself_is_not_covered_and_why_is_said(copied: Path) -> None:
    items = look(copied, keys={})

    signatures = [item for item in items if item.check == "signature" and item.about != PUBLISHED]
    assert {item.result for item in signatures} == {"not_covered"}
    assert {"comes from the archive itself" in item.found for item in signatures} == {True}
    assert faults(items) == []


def test_without_any_public_key_the_signature_is_not_covered(disc: Path) -> None:
    (disc / PUBLISHED).unlink()

    items = look(disc, keys={})

    assert {item.found for item in items if item.check == "signature"} == {
        f"no public key was given (the receipt names key {signer().key_id})"
    }


def test_a_receipt_the_archive_s_own_key_did_not_sign_is_a_fault_even_without_a_key_from_outside(disc: Path) -> None:
    path = disc / of(SECOND, "receipt.json")
    other = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    put(path, _edited(codec.decode(topics.ARCHIVED.name, path.read_bytes()), other))

    assert faults(look(disc, keys={})) == [(ABOUT_B, "signature", "signature")]


def test_after_a_rotation_each_receipt_is_checked_with_the_key_it_names(disc: Path) -> None:
    path = disc / of(SECOND, "receipt.json")
    later = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    receipt = codec.decode(topics.ARCHIVED.name, path.read_bytes())
    put(path, _edited(receipt, later, key_id=later.key_id))

    both = look(disc, keys={**KEYS, later.key_id: later.public})

    assert faults(both) == []


@pytest.mark.parametrize("data", [b"", pem_of(bytes(32)), pem_of(signer().public) + b" "])
def test_another_key_at_a_key_s_place_is_found(disc: Path, data: bytes) -> None:
    put(disc / PUBLISHED, data)

    assert faults(look(disc)) == [(PUBLISHED, "signature", PUBLISHED.removeprefix("records/"))]


def test_an_entry_of_a_register_has_the_digest_its_place_names(disc: Path) -> None:
    entry = held_for("court 7")
    place = disc / "records" / entry_key(entry)
    place.parent.mkdir(parents=True)
    place.write_bytes(entry_document(entry))
    good = look(disc)
    place.write_bytes(entry_document(entry).replace(b"court 7", b"court 8"))

    assert [item.result for item in good if item.about.endswith(place.name)] == ["pass"]
    assert faults(good) == []
    assert faults(look(disc)) == [(f"records/{entry_key(entry)}", "documents", entry_key(entry))]


def test_a_published_key_that_nobody_outside_knows_is_told(disc: Path) -> None:
    foreign = disc / "records" / published_key(key_id(bytes(32)))
    foreign.write_bytes(pem_of(bytes(32)))

    told = [item for item in look(disc) if item.about.endswith(foreign.name)]

    assert [(item.result, item.found) for item in told] == [
        ("not_covered", f"public key {foreign.stem} is not among those given")
    ]


def test_one_recording_alone_says_nothing_of_the_history(copied: Path) -> None:
    items = look(copied, recording=SECOND)

    assert {item.about for item in items[:-3]} == {ABOUT_B, SECOND, SOURCE, PUBLISHED}
    assert {item.check for item in items if item.about == SOURCE} == {"history", "announcements"}
    assert {item.result for item in items if item.about == SOURCE} == {"not_covered"}
    assert items[-1].found == "1 of 1 recordings: only recording hall-1-b"
    assert look(copied, recording="no-such") == look(copied, source="no-such") == []


def test_the_parts_together_give_every_answer_once(copied: Path) -> None:
    whole = look(copied)

    parts = [look(copied, part=Part(number, 3)) for number in (1, 2, 3)]

    given = Counter(
        answer
        for items in parts
        for item in items[:-1]
        for answer in [(item.about, item.check, item.result)]
        if item.result == "pass" or item.check == "locks"
    )
    assert set(given) == {(item.about, item.check, item.result) for item in whole[:-1]}
    assert {answer for answer, times in given.items() if times > 1} == {
        ("records", "extra", "pass"),
        (PUBLISHED, "signature", "pass"),
    }
    assert [items[-1].result for items in parts] == ["not_covered"] * 3


def test_a_date_leaves_out_what_was_archived_before_and_still_compares_the_history(disc: Path) -> None:
    path = disc / of(FIRST, "receipt.json", 2)
    receipt = codec.decode(topics.ARCHIVED.name, path.read_bytes())
    put(path, _edited(receipt, signer(), archived_at=WallMs(receipt.archived_at + 1)))

    items = look(disc, since=receipt.archived_at + 1)

    assert {item.about for item in items if item.check == "chain"} == {f"{FIRST} r1", f"{FIRST} r2"}
    assert {item.result for item in items if item.about == SOURCE} == {"pass"}
    assert items[-1].found == "1 of 3 recordings: only what was archived since 2026-11-25T08:00:00.001Z"


def test_a_date_never_leaves_out_a_recording_whose_receipt_cannot_be_read(disc: Path) -> None:
    (disc / of(SECOND, "receipt.json")).unlink()

    items = look(disc, since=WallMs(T0 + 10 * YEAR_MS))

    assert (ABOUT_B, "receipt", "receipt.json") in faults(items)


def test_without_a_receipt_what_it_would_say_is_not_covered(disc: Path) -> None:
    (disc / of(SECOND, "receipt.json")).unlink()

    told = [item.check for item in look(disc) if item.about == ABOUT_B and item.result == "not_covered"]

    assert told == ["signature", "documents", "originals", "locks"]


def test_what_a_recording_that_was_taken_away_left_behind_is_told(disc: Path) -> None:
    shutil.rmtree((disc / of(THIRD, "")).parent)

    left = next(item for item in look(disc) if (item.about, item.check) == ("originals", "extra"))

    assert left.result == "not_covered"
    assert left.found.startswith("1 objects that no recording names: originals/sha256/")


@pytest.mark.parametrize(
    ("name", "told"),
    [("2026-11-24T08-00-00.000Z.json", "pass"), ("notes.json", "not_covered"), ("more/2026.json", "not_covered")],
)
def test_reports_on_the_store_s_locks_lie_beside_the_recordings(disc: Path, name: str, told: str) -> None:
    path = disc / "records" / "worm" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")

    assert [item.result for item in look(disc) if (item.about, item.check) == ("records", "extra")] == [told]


def test_every_byte_that_was_read_is_counted(copied: Path) -> None:
    read: list[int] = []

    list(reader(FolderObjects(copied), locks=False, on_read=read.append).items())

    # The original of two revisions is read once.
    assert sum(read) == sum(
        path.stat().st_size for path in copied.rglob("*") if path.parent != copied and path.is_file()
    )


def test_made_anew_from_their_chains_documents_are_the_same_bytes(copied: Path) -> None:
    items = list(reader(FolderObjects(copied), rebuilt_by="unbroken 0.1.0").items())

    assert [item.result for item in items if item.check == "rebuilt"] == ["pass"] * 4


def test_a_document_that_says_more_than_its_chain_is_found_even_if_our_own_key_signed_it(disc: Path) -> None:
    files = {path.relative_to(disc).as_posix(): path.read_bytes() for path in disc.rglob("*") if path.is_file()}
    revision = Revision(SECOND, 1)
    playlist = files[revision.file("playlist.m3u8")] + b"# nothing is missing\n"
    for name, data in fitted(files, revision, {"playlist.m3u8": playlist}, signer()).items():
        if files[name] != data:
            put(disc / name, data)

    assert faults(look(disc)) == []
    found = faults(list(reader(FolderObjects(disc), locks=False, rebuilt_by="unbroken 0.1.0").items()))
    assert found == [(ABOUT_B, "rebuilt", "playlist.m3u8"), (ABOUT_B, "rebuilt", "manifest.json")]


def test_documents_of_other_software_are_not_made_anew(copied: Path) -> None:
    items = list(reader(FolderObjects(copied), rebuilt_by="unbroken 9").items())

    assert {item.result for item in items if item.check == "rebuilt"} == {"not_covered"}


def test_a_chain_with_faults_is_not_made_into_documents(disc: Path) -> None:
    _lines(CHAIN, lambda lines: lines[:-1])(disc)

    items = list(reader(FolderObjects(disc), rebuilt_by="unbroken 0.1.0").items())

    assert [item.result for item in items if item.check == "rebuilt" and item.about == ABOUT_A] == ["not_covered"]


def flipped(data: bytes, at: int | None = None) -> bytes:
    changed = bytearray(data)
    changed[len(data) // 2 if at is None else at] ^= 1
    return bytes(changed)


def _flip(path: Path) -> Callable[[Path], None]:
    return lambda disc: put(disc / path, flipped((disc / path).read_bytes()))


def _original(disc: Path) -> Path:
    manifest = json.loads((disc / of(SECOND, "manifest.json")).read_bytes())
    return disc.joinpath("originals", manifest["originals"][0]["key"])


def _lines(path: Path, cut: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    return lambda disc: put(disc / path, b"".join(cut((disc / path).read_bytes().splitlines(keepends=True))))


def _json(path: Path, **changes: Any) -> Callable[[Path], None]:
    return lambda disc: put(disc / path, canonical({**json.loads((disc / path).read_bytes()), **changes}))


CHAIN = of(FIRST, "chain.jsonl", 2)


@pytest.mark.parametrize(
    ("tamper", "about", "check", "place"),
    [
        pytest.param(lambda disc: put(_original(disc), b"other"), ABOUT_B, "originals", "originals/sha256/", id="swapped"),
        pytest.param(lambda disc: _original(disc).unlink(), ABOUT_B, "originals", "originals/sha256/", id="no original"),
        pytest.param(_flip(of(SECOND, "playlist.m3u8")), ABOUT_B, "documents", "records/", id="playlist"),
        pytest.param(_json(of(SECOND, "timeline.json"), runs=[]), ABOUT_B, "timeline", "runs", id="timeline"),
        pytest.param(lambda disc: (disc / of(SECOND, "timeline.json")).unlink(), ABOUT_B, "timeline", "timeline.json", id="no timeline"),
        pytest.param(_lines(CHAIN, lambda lines: lines[:2] + lines[3:]), ABOUT_A, "chain", "link 2 (number)", id="drop"),
        pytest.param(_lines(CHAIN, lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]), ABOUT_A, "chain", "link 0 (link before)", id="swap"),
        pytest.param(_lines(CHAIN, lambda lines: lines[:-1]), ABOUT_A, "chain", "link 5 (end of chain)", id="truncated"),
        pytest.param(_lines(CHAIN, lambda lines: [*lines[:-1], lines[-1][:200]]), ABOUT_A, "chain", "chain.jsonl", id="cut"),
        pytest.param(_lines(CHAIN, lambda lines: lines[:5]), ABOUT_A, "receipt", "close_hash", id="earlier close"),
        pytest.param(_lines(CHAIN, lambda _: []), ABOUT_A, "chain", "link -1 (genesis)", id="empty"),
        pytest.param(_json(of(SECOND, "manifest.json"), software="x"), ABOUT_B, "documents", "records/", id="manifest"),
        pytest.param(_json(of(SECOND, "manifest.json"), account={}), ABOUT_B, "manifest", "account", id="account"),
        pytest.param(_lines(CHAIN, lambda lines: [lines[0], lines[1].replace(b'"packets":250', b'"packets":99999999999999999999'), *lines[2:]]), ABOUT_A, "chain", "line 2", id="a number too large"),
        pytest.param(_lines(of(SECOND, "manifest.json"), lambda lines: [lines[0] + b" "]), ABOUT_B, "manifest", "manifest.json", id="spelling"),
        pytest.param(_json(of(SECOND, "manifest.json"), originals=7), ABOUT_B, "manifest", "manifest.json", id="shape"),
        pytest.param(_json(of(SECOND, "receipt.json"), unit="x"), ABOUT_B, "receipt", "device", id="receipt"),
        pytest.param(_json(of(SECOND, "receipt.json"), extra=1), ABOUT_B, "receipt", "form", id="receipt's form"),
        pytest.param(_json(of(SECOND, "receipt.json"), signature="AAAA"), ABOUT_B, "signature", "signature", id="signature"),
        pytest.param(_json(of(SECOND, "receipt.json"), archived_at="2026-11-24T09:00:00.000Z"), ABOUT_B, "signature", "signature", id="date"),
        pytest.param(_json(of(SECOND, "receipt.json"), originals=[]), ABOUT_B, "receipt", "originals", id="lists"),
        pytest.param(lambda disc: (disc / of(SECOND, "receipt.json")).unlink(), ABOUT_B, "receipt", "receipt.json", id="no receipt"),
        pytest.param(lambda disc: shutil.rmtree((disc / of(FIRST, "")).parent / "r1"), FIRST, "revisions", "revisions", id="no r1"),
        pytest.param(lambda disc: shutil.rmtree((disc / of(SECOND, "")).parent), SOURCE, "history", f"genesis of {THIRD}", id="no recording"),
    ],
)  # fmt: skip
def test_what_was_changed_is_found_and_named(
    disc: Path, tamper: Callable[[Path], object], about: str, check: str, place: str
) -> None:
    tamper(disc)

    found = faults(look(disc))
    assert any(item[:2] == (about, check) and item[2].startswith(place) for item in found), found


def _edited(receipt: RecordingArchived, key: Ed25519Signer, **changes: Any) -> bytes:
    """A receipt made to fit: digest of its list and signature anew."""
    made = replace(receipt, **changes)
    made = replace(made, objects_sha256=objects_digest(made.originals, made.records))
    return receipt_document(replace(made, signature=base64.b64encode(key.sign(signed_message(made))).decode()))


@pytest.mark.parametrize("named", ["its own", "ours"])
def test_a_receipt_signed_again_with_another_key_is_found(disc: Path, named: str) -> None:
    other = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    path = disc / of(SECOND, "receipt.json")
    receipt = codec.decode(topics.ARCHIVED.name, path.read_bytes())
    claimed = other.key_id if named == "its own" else receipt.key_id

    put(path, _edited(receipt, other, key_id=claimed))

    assert faults(look(disc)) == [(ABOUT_B, "signature", "key_id" if named == "its own" else "signature")]


def test_the_newest_revision_taken_away_with_nothing_after_it_leaves_no_trace_in_a_copy(disc: Path) -> None:
    shutil.rmtree(disc / of(FIRST, "", 2))

    items = look(disc)

    # Its file was the last one handed in and no later recording names its close: only the store's lock keeps it.
    assert faults(items) == []
    assert next(item.result for item in items if item.check == "announcements") == "pass"


def test_a_recording_nothing_else_names_leaves_a_hole_in_what_its_connector_counted(disc: Path) -> None:
    shutil.rmtree((disc / of(THIRD, "")).parent)

    item = next(item for item in look(disc) if item.check == "announcements")

    assert (item.result, item.found[:9]) == ("not_covered", "folder: 4")


class WithWrongDigest(Stages):
    """A recording whose probe stated another digest of its file than SHA-256 wrongly: everything else fits."""

    def __init__(self, **wrong: Any) -> None:
        super().__init__()
        film = mp4(0, object=self.original(0, ".mp4"), recording_id=FIRST)
        self.archive(list(links_of([replace(film, **wrong), session_ended(recording_id=FIRST)])))


@pytest.mark.parametrize(
    ("wrong", "deep", "found"),
    [
        ({"chunk_root": sha("another")}, True, ["chunk_root"]),
        ({"chunk_root": sha("another")}, False, []),
        ({"observed_sm3": sha("another")}, False, ["sm3"]),
        ({}, True, []),
    ],
)
def test_the_other_digests_of_a_link_are_computed_anew_the_dear_one_only_with_deep(
    wrong: dict[str, Any], deep: bool, found: list[str]
) -> None:
    items = list(reader(WithWrongDigest(**wrong).store, rebuilt_by="unbroken 0.1.0" if deep else None).items())

    assert [(check, place.rpartition(" ")[2]) for _, check, place in faults(items)] == [("originals", x) for x in found]


def test_checkpoints_are_told_and_only_what_nothing_else_holds_is_not_covered() -> None:
    items = ask(Archive(checkpoints=True).store)

    told = {item.about: (item.result, item.found) for item in items if item.check == "checkpoints"}
    assert told == {
        FIRST: ("pass", "2 checkpoints, each link of them in the chain"),
        SECOND: ("pass", "1 checkpoints, each link of them in the chain"),
        OPEN: ("not_covered", "4 links in checkpoints alone, still open"),
    }
    assert {item.result for item in items if item.about in ("records", "originals", SOURCE)} == {"pass"}


def test_an_open_recording_proves_that_the_close_before_it_was_taken_away(tmp_path: Path) -> None:
    Archive(checkpoints=True).copy(tmp_path)
    shutil.rmtree(tmp_path / of(FIRST, "", 2))

    assert (SOURCE, "history", f"genesis of {OPEN}") in faults(look(tmp_path))


def test_a_revision_that_a_checkpoint_closes_and_nothing_archives_is_told(tmp_path: Path) -> None:
    archive = Archive()
    archive.keep(archive.links[FIRST])
    archive.copy(tmp_path)
    shutil.rmtree(tmp_path / of(FIRST, "", 2))

    item = next(item for item in look(tmp_path) if item.check == "checkpoints")

    assert (item.result, item.found) == (
        "not_covered",
        "2 links in checkpoints alone, which close r2: not archived yet, or taken away",
    )


def test_one_recording_or_source_alone_is_looked_at_with_its_own_checkpoints() -> None:
    store = Archive(checkpoints=True).store

    assert [item.about for item in ask(store, recording=SECOND) if item.check == "checkpoints"] == [SECOND]
    assert [item.about for item in ask(store, source=SOURCE) if item.check == "checkpoints"] == [FIRST, SECOND, OPEN]


def test_a_byte_flipped_anywhere_in_any_document_or_original_is_found_where_it_is(copied: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    files = [path for path in copied.rglob("*") if path.is_file() and path.parent != copied]

    for turn in range(40):
        path = chance.choice(files)
        disc = tmp_path / str(turn)
        link_copy(copied, disc)
        data = path.read_bytes()
        put(disc / path.relative_to(copied), flipped(data, chance.randrange(len(data))))

        found = faults(look(disc))

        original = "originals" in path.parts
        about = path.stem if original else f"{path.parents[1].name} {path.parent.name}"
        assert any(about in (item[2] if original else item[0]) for item in found) or path.stem in str(found), path
        shutil.rmtree(disc)


def _newer(store: MemoryObjects, key: str) -> None:
    """A newer version over an archived one, as any writer of the bucket can put it there."""
    data = b"forged"
    before = store._buckets["records"].versions.pop(key)
    store.put_bytes("records", key, data, Sha256(hashlib.sha256(data).hexdigest()), retain_until=None)
    store._buckets["records"].versions[key][:0] = before


def test_a_version_put_over_an_archived_document_is_told_and_the_archived_one_is_read() -> None:
    store = Archive().store
    key = of(SECOND, "manifest.json").relative_to("records").as_posix()

    _newer(store, key)

    assert faults(ask(store)) == [(about, "locks", f"records/{key}") for about in (ABOUT_B, "records")]


@pytest.mark.parametrize(("mode", "until"), [("none", None), ("GOVERNANCE", 2 * T0), ("COMPLIANCE", T0)])
def test_a_lock_the_store_no_longer_reports_is_found(mode: Any, until: int | None) -> None:
    store = Archive().store
    key = next(stat.key for stat in store.list("originals", ""))
    kept = store._buckets["originals"].versions[key]
    stat = replace(kept[-1].stat, lock_mode=mode, retain_until=None if until is None else WallMs(until))

    kept[-1] = replace(kept[-1], stat=stat)

    found = faults(ask(store))
    assert {(check, place) for _, check, place in found} == {("locks", f"originals/{key}")}


def test_a_store_that_does_not_answer_is_not_called_tampered_with() -> None:
    store = Archive().store
    store.faults.append(Fault("read", StoreUnavailable("no answer")))

    with pytest.raises(StoreUnavailable):
        ask(store)


def test_a_name_in_a_copy_that_leads_out_of_it_is_not_followed(disc: Path) -> None:
    path = disc / of(SECOND, "receipt.json")
    receipt = codec.decode(topics.ARCHIVED.name, path.read_bytes())
    (disc.parent / "secret").write_bytes(b"")
    out = replace(receipt.originals[0].object, key="../../secret", sha256=sha(""), size_bytes=0)

    put(path, _edited(receipt, signer(), originals=(replace(receipt.originals[0], object=out),)))

    assert (ABOUT_B, "originals", "originals/../../secret") in faults(look(disc))


def hidden(archive: Archive, prefix: str) -> list[str]:
    """Somebody with the right to delete lays delete markers over everything under *prefix*; no lock prevents that."""
    keys = [stat.key for stat in archive.store.list("records", prefix)]
    for key in keys:
        archive.store.mark_deleted("records", key)
    return [f"records/{key}" for key in keys]


@pytest.mark.parametrize(
    "prefix",
    [
        f"recordings/{SOURCE}/{THIRD}/",
        f"recordings/{SOURCE}/{FIRST}/r2/",
        f"checkpoints/{SOURCE}/{OPEN}/",
        f"seals/checkpoints/{SOURCE}/{OPEN}/",
        f"keeping/{SOURCE}/{FIRST}/",
        f"deadlines/{SOURCE}/{THIRD}/",
        "reports/",
    ],
)
def test_what_a_delete_marker_hides_is_named_where_nothing_else_misses_it(prefix: str) -> None:
    archive = Archive(checkpoints=True)
    keys = hidden(archive, prefix)

    told = {item.place for item in ask(archive.store) if (item.check, item.result) == ("locks", "fail")}

    assert keys
    assert set(keys) <= told


@pytest.mark.parametrize("only", [{"source": SOURCE}, {"source": SOURCE, "recording": FIRST}])
def test_a_run_that_is_narrowed_asks_for_what_lies_over_its_own_records(only: dict[str, str]) -> None:
    archive = Archive(checkpoints=True)
    (receipt,) = hidden(archive, f"recordings/{SOURCE}/{FIRST}/r2/receipt.json")

    told = {item.place for item in ask(archive.store, **only) if (item.check, item.result) == ("locks", "fail")}

    assert receipt in told


@pytest.mark.parametrize(("data", "result"), [(b"other bytes", "fail"), (None, "pass")], ids=["other", "the same"])
def test_another_version_over_a_record_is_named_unless_it_has_the_same_bytes(data: bytes | None, result: str) -> None:
    archive = Archive(checkpoints=True)
    key = next(stat.key for stat in archive.store.list("records", f"deadlines/{SOURCE}/"))
    versions = archive.store._buckets["records"].versions[key]
    versions.append(
        replace(versions[-1], stat=replace(versions[-1].stat, version_id="later"), data=data or versions[-1].data)
    )

    found = [item for item in ask(archive.store) if (item.about, item.check) == ("records", "locks")]

    assert {item.result for item in found if item.place in ("", f"records/{key}")} >= {result}
    assert (f"records/{key}" in {item.place for item in found}) is (result == "fail")


MODES: list[LockMode] = ["none", "GOVERNANCE"]


def test_locks_of_records_beside_the_recordings_are_asked_for() -> None:
    archive = Archive(checkpoints=True)
    keys = [
        stat.key for folder in ("checkpoints", "keeping", "seals") for stat in archive.store.list("records", folder)
    ]
    for key, mode in zip(keys, MODES * len(keys), strict=False):
        versions = archive.store._buckets["records"].versions[key]
        versions[-1] = replace(versions[-1], stat=replace(versions[-1].stat, lock_mode=mode))

    told = {item.place for item in ask(archive.store) if (item.check, item.result) == ("locks", "fail")}

    assert {f"records/{key}" for key in keys} <= told
