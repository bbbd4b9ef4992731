"""Tampering with a copied archive: what somebody who holds a copy can change, and the item a verifier must name for it.

An archive is a mapping from names of files to bytes; a tampering makes another one. Three hands do it: one that edits
files; a stranger, who makes all digests fit and signs with a key of its own; an insider, who signs with ours.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import permutations
from random import Random
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.adapters.signing import Ed25519Signer
from pipeline.domain.archive import RecordingArchived, objects_digest, receipt_document, signed_message
from pipeline.domain.breach import breach_document, breach_key
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import genesis_hash, link_hash
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.keeping import entry_document, entry_key
from pipeline.domain.seal import unsigned_seal, with_signature
from pipeline.domain.sla import report_key
from pipeline.domain.source_statement import statement_document, statement_key
from pipeline.domain.verify import DOCUMENTS, Check, Result
from pipeline.wire import codec, topics
from tests.builders import SOURCE, window
from tests.builders_archive import classified_as, held_for, released_from, signer
from tests.domain.test_breach import MISSED
from tests.steps.archived import FIRST, OPEN, SECOND, THIRD, report_by

Files = Mapping[str, bytes]
Lines = list[dict[str, Any]]
STRANGER: Final = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
INSIDER: Final = signer()
SEALS: Final = "records/seals/"
NAMES: Final = (*DOCUMENTS, "receipt.json")


class Revision(NamedTuple):
    recording: RecordingId
    number: int

    @property
    def about(self) -> str:
        return f"{self.recording} r{self.number}"

    def file(self, name: str) -> str:
        return f"records/recordings/{SOURCE}/{self.recording}/r{self.number}/{name}"


REVISIONS: Final = (Revision(FIRST, 1), Revision(FIRST, 2), Revision(SECOND, 1), Revision(THIRD, 1))


class Named(NamedTuple):
    """An item that must be found: about this, by one of the checks, its place (or, of what is not covered, its words)
    holding this text."""

    about: str
    checks: tuple[Check, ...]
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Tampering:
    """``little``: whether the little verifier covers it too; what links a checkpoint holds it never does."""

    files: Files
    named: tuple[Named, ...]
    result: Result = "fail"
    little: bool = True


Made = Iterator[Tampering]


def all_of(files: Files, chance: Random) -> Iterator[tuple[str, Tampering]]:
    """Every tampering with the kind it is of."""
    kinds: Sequence[Callable[[Files, Random], Made]] = (
        flipped, cut_short, lengthened, dropped, swapped, of_another_revision, edited_lines, changed_records, changed_totals,
        changed_accounts, changed_statements, changed_timelines, changed_playlists, changed_receipts, signed_again, taken_out, renamed, foreign,
        checkpoints_dropped, checkpoints_changed, checkpoints_beside, seals_dropped, records_dropped, records_older, records_forged,
    )  # fmt: skip
    for kind in kinds:
        for made in kind(files, chance):
            yield kind.__name__, made


# -- one hand edits files ------------------------------------------------------------------------------------------------


def flipped(files: Files, chance: Random) -> Made:
    for name, data in files.items():
        for _ in range(7):
            changed = bytearray(data)
            changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            yield _edited(files, {name: bytes(changed)})


def cut_short(files: Files, chance: Random) -> Made:
    for name, data in files.items():
        for length in (0, chance.randrange(1, len(data)), len(data) - 1):
            yield _edited(files, {name: data[:length]})


def lengthened(files: Files, chance: Random) -> Made:
    for name, data in files.items():
        at = chance.randrange(len(data) + 1)
        yield _edited(files, {name: data[:at] + chance.choice((b" ", b"\n", b"0", b"\0")) + data[at:]})


def dropped(files: Files, chance: Random) -> Made:
    for name in _lasting(files):
        yield _edited(files, {name: None})
    for _ in range(20):
        yield _edited(files, dict.fromkeys(chance.sample(_one_revision_whole(files, chance), 3)))


def _one_revision_whole(files: Files, chance: Random) -> list[str]:
    """Files of which some can go without a revision losing all it has."""
    kept = chance.choice(NAMES)
    return [name for name in _lasting(files) if not name.endswith(kept)]


def _lasting(files: Files) -> list[str]:
    """Everything but seals, and reports, which carry their own: without its seal a record is only NOT COVERED."""
    return [name for name in files if not name.startswith((SEALS, "records/reports/"))]


def swapped(files: Files, chance: Random) -> Made:
    for _ in range(100):
        one, other = chance.sample(sorted(files), 2)
        yield _edited(files, {one: files[other], other: files[one]})


def of_another_revision(files: Files, chance: Random) -> Made:
    """A document replaced by the same document of another revision: an older valid one, or another recording's."""
    for (one, other), name in ((pair, name) for pair in permutations(REVISIONS, 2) for name in NAMES):
        if files[one.file(name)] != files[other.file(name)]:
            yield _edited(files, {one.file(name): files[other.file(name)]})


def _edited(files: Files, changes: Mapping[str, bytes | None]) -> Tampering:
    """*files* with other bytes, or none, under some names; each of them must be named."""
    named = list[Named]()
    kept = [name for name, data in changes.items() if name.startswith("records/checkpoints/") and data is not None]
    named += [Named(name.split("/")[3], ("checkpoints",)) for name in kept]
    named += [Named("records", ("signature",), _record(name)) for name in changes if _is_signed(files, name)]
    for name in changes:
        for revision in REVISIONS:
            without_receipt = revision.file("receipt.json") in changes
            if name == revision.file("receipt.json"):
                named.append(Named(revision.about, ("receipt", "signature")))
            elif name.startswith(revision.file("")) and not without_receipt:
                named.append(Named(revision.about, ("documents",), name))
            elif name.startswith("originals/") and not without_receipt and _lists(files, revision, name):
                named.append(Named(revision.about, ("originals",), name))
    return Tampering(files=_with(files, changes), named=tuple(named))


def _is_signed(files: Files, name: str) -> bool:
    return name.startswith((SEALS, "records/reports/")) or f"{SEALS}{name.removeprefix('records/')}" in files


def _record(name: str) -> str:
    """The record that *name* or the seal of that name is, as both verifiers call it."""
    return name.removeprefix(SEALS).removeprefix("records/")


def _lists(files: Files, revision: Revision, original: str) -> bool:
    return original.removeprefix("originals/").encode() in files[revision.file("receipt.json")]


def _with(files: Files, changes: Mapping[str, bytes | None]) -> Files:
    return {name: data for name, data in {**files, **changes}.items() if data is not None}


# -- a stranger makes everything fit, an insider can sign it too ---------------------------------------------------------


def edited_lines(files: Files, chance: Random) -> Made:
    """Lines of the chain dropped, doubled, exchanged or cut off; no hash is made anew."""
    for revision in REVISIONS:
        lines = files[revision.file("chain.jsonl")].splitlines(keepends=True)
        numbers = range(len(lines))
        edits = [[*lines[:at], *lines[at + 1 :]] for at in numbers]
        edits += [[*lines[: at + 1], *lines[at:]] for at in numbers]
        edits += [[*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]] for at in numbers[:-1]]
        edits += [lines[:at] for at in numbers[1:-1] if b'"kind":"close"' not in lines[at - 1]]
        edits += [chance.sample(lines, len(lines)) for _ in range(4)]
        for edit in edits:
            if edit == lines:
                continue
            data = {"chain.jsonl": b"".join(edit)}
            yield _edited(files, {revision.file("chain.jsonl"): data["chain.jsonl"]})
            hand = chance.choice((STRANGER, INSIDER))
            yield Tampering(files=fitted(files, revision, data, hand), named=_named(revision, hand, "chain"))
    older, newer = REVISIONS[:2]
    cut = {"chain.jsonl": files[older.file("chain.jsonl")]}
    yield Tampering(files=fitted(files, newer, cut, INSIDER), named=_named(newer, INSIDER, "manifest"))


def changed_records(files: Files, chance: Random) -> Made:
    """One statement of one link changed, and every hash after it made anew. An insider who does that is betrayed by what
    was written later: the next revision, the next recording's genesis."""
    betrayed = {
        REVISIONS[0]: Named(FIRST, ("revisions",), "r1 in the chain of r2"),
        REVISIONS[2]: Named(SOURCE, ("history",), f"genesis of {THIRD}"),
    }
    for _ in range(90):
        revision = chance.choice(REVISIONS)
        lines = _lines(files, revision)
        at = chance.randrange(len(lines))
        record = json.loads(lines[at]["record"])
        changed = _another(record, chance.choice([place for place in _leaves(record) if place != ("prev",)]))
        for hand in (STRANGER, INSIDER) if revision in betrayed else (STRANGER,):
            named = _named(revision, STRANGER) if hand is STRANGER else (betrayed[revision],)
            yield Tampering(files=_rechained(files, revision, at, changed, hand), named=named)


def changed_totals(files: Files, chance: Random) -> Made:
    for revision in REVISIONS:
        lines = _lines(files, revision)
        for name in ("count", "bytes", "links", "revision"):
            record = json.loads(lines[-1]["record"])
            changed = {**record, name: record[name] + chance.choice((-1, 1))}
            for hand in (STRANGER, INSIDER):
                made = _rechained(files, revision, len(lines) - 1, changed, hand)
                yield Tampering(files=made, named=_named(revision, hand, "chain", place=f"link {len(lines) - 2}"))


def changed_accounts(files: Files, chance: Random) -> Made:
    yield from _changed_documents(files, chance, "manifest.json", ("account",), "manifest")


def changed_statements(files: Files, chance: Random) -> Made:
    """What people said, and what is disclosed of a case: fields, names, salt."""
    for revision in REVISIONS:
        document = json.loads(files[revision.file("manifest.json")])
        for place in (place for place in _leaves(document) if place[0] == "statements"):
            data = {"manifest.json": canonical(_another(document, place))}
            for hand in (STRANGER, INSIDER):
                named = _named(
                    revision, hand, "chain" if "disclosed" in place and _is_case(document, place) else "manifest"
                )
                yield Tampering(files=fitted(files, revision, data, hand), named=named)


def _is_case(document: dict[str, Any], place: tuple[Any, ...]) -> bool:
    return bool(document["statements"][place[1]]["kind"] == "metadata")


def changed_timelines(files: Files, chance: Random) -> Made:
    for name in ("runs", "started_at", "ended_at"):
        yield from _changed_documents(files, chance, "timeline.json", (name,), "timeline", times=2)


def _changed_documents(
    files: Files, chance: Random, name: str, within: tuple[str, ...], check: Check, times: int = 8
) -> Made:
    """One value of a document changed, its digest made to fit in manifest and receipt."""
    for revision in REVISIONS:
        document = json.loads(files[revision.file(name)])
        places = [place for place in _leaves(document) if place[: len(within)] == within]
        for place in chance.sample(places, min(times, len(places))):
            data = {name: canonical(_another(document, place))}
            for hand in (STRANGER, INSIDER):
                yield Tampering(files=fitted(files, revision, data, hand), named=_named(revision, hand, check))


def changed_playlists(files: Files, chance: Random) -> Made:
    for revision in REVISIONS:
        data = files[revision.file("playlist.m3u8")].replace(b"EXT-X-VERSION:8", b"EXT-X-VERSION:9")
        yield Tampering(
            files=fitted(files, revision, {"playlist.m3u8": data}, STRANGER), named=_named(revision, STRANGER)
        )


def changed_receipts(files: Files, chance: Random) -> Made:
    for revision in REVISIONS:
        name = revision.file("receipt.json")
        receipt = json.loads(files[name])
        for place in chance.sample(list(_leaves(receipt)), 18):
            yield _edited(files, {name: canonical(_another(receipt, place))})


def signed_again(files: Files, chance: Random) -> Made:
    for revision in REVISIONS:
        for claimed in (STRANGER.key_id, INSIDER.key_id):
            made = _signed(_receipt(files, revision), STRANGER, key_id=claimed)
            yield Tampering(
                files={**files, revision.file("receipt.json"): made}, named=(Named(revision.about, ("signature",)),)
            )


def fitted(files: Files, revision: Revision, documents: Mapping[str, bytes], hand: Ed25519Signer) -> Files:
    """*documents* in the place of a revision's own; manifest and receipt say their digests, and *hand* signs."""
    manifest = json.loads(documents.get("manifest.json", files[revision.file("manifest.json")]))
    for item in manifest["documents"]:
        data = documents.get(item["name"])
        if data is not None:
            item.update(sha256=sha256(data).hexdigest(), size_bytes=len(data))
    made = {**documents, "manifest.json": canonical(manifest)}
    receipt = _receipt(files, revision)
    records = tuple(
        replace(item, object=replace(item.object, sha256=Sha256(sha256(data).hexdigest()), size_bytes=len(data)))
        for item in receipt.records
        for data in [made.get(item.object.key.rpartition("/")[2], files[f"records/{item.object.key}"])]
    )
    close = json.loads((made.get("chain.jsonl") or files[revision.file("chain.jsonl")]).splitlines()[-1])["hash"]
    made["receipt.json"] = _signed(receipt, hand, records=records, close_hash=close)
    return {**files, **{revision.file(name): data for name, data in made.items()}}


def _named(revision: Revision, hand: Ed25519Signer, *checks: Check, place: str = "") -> tuple[Named, ...]:
    """What of a revision must be named by these checks; what a stranger signed, also by its signature."""
    signature = (Named(revision.about, ("signature",)),) if hand is STRANGER else ()
    return (*(Named(revision.about, (check,), place) for check in checks), *signature)


def _rechained(files: Files, revision: Revision, at: int, record: dict[str, Any], hand: Ed25519Signer) -> Files:
    """The chain with another *record* at *at* and everything after it hashed anew, wherever a hash is repeated."""
    lines, again = _lines(files, revision), dict[bytes, bytes]()
    lines[at]["record"] = canonical(record).decode()
    for index in range(at, len(lines)):
        made = json.loads(lines[index]["record"])
        if index > max(at, 0):
            made["prev"] = lines[index - 1]["hash"]
        found = link_hash(made) if index else genesis_hash(made)
        again[lines[index]["hash"].encode()] = found.encode()
        lines[index] |= {"record": canonical(made).decode(), "hash": found}
    manifest = files[revision.file("manifest.json")]
    for old, new in again.items():
        manifest = manifest.replace(old, new)
    chain = b"".join(canonical(line) + b"\n" for line in lines)
    return fitted(files, revision, {"chain.jsonl": chain, "manifest.json": manifest}, hand)


def _lines(files: Files, revision: Revision) -> Lines:
    return [json.loads(line) for line in files[revision.file("chain.jsonl")].splitlines()]


def _receipt(files: Files, revision: Revision) -> RecordingArchived:
    receipt: RecordingArchived = codec.decode(topics.ARCHIVED.name, files[revision.file("receipt.json")])
    return receipt


def _signed(receipt: RecordingArchived, hand: Ed25519Signer, **changes: Any) -> bytes:
    made = replace(receipt, **{"key_id": hand.key_id, **changes})
    made = replace(made, objects_sha256=objects_digest(made.originals, made.records))
    return receipt_document(replace(made, signature=base64.b64encode(hand.sign(signed_message(made))).decode()))


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        yield place
    for name, member in inner:
        yield from _leaves(member, (*place, name))


def _another(value: Any, place: tuple[Any, ...]) -> Any:
    """*value* with another plausible thing at *place*."""
    if place:
        changed = value.copy()
        changed[place[0]] = _another(value[place[0]], place[1:])
        return changed
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case _:
            return "x"


# -- whole recordings, whole revisions, files of others ------------------------------------------------------------------


def taken_out(files: Files, chance: Random) -> Made:
    for recording, next_one in ((FIRST, SECOND), (SECOND, THIRD)):
        yield Tampering(
            files={name: data for name, data in files.items() if f"/{recording}/" not in name},
            named=(Named(SOURCE, ("history",), f"genesis of {next_one}"),),
        )
    yield Tampering(
        files={name: data for name, data in files.items() if not name.startswith(REVISIONS[0].file(""))},
        named=(Named(FIRST, ("revisions",)),),
    )


def renamed(files: Files, chance: Random) -> Made:
    """A revision or recording copied or moved to where it does not belong."""
    for revision in REVISIONS:
        for target in (
            Revision(revision.recording, 7),
            Revision(RecordingId(f"{revision.recording}-x"), revision.number),
        ):
            copied = {target.file(name): files[revision.file(name)] for name in NAMES}
            away = dict.fromkeys(map(revision.file, NAMES))
            for made in ({**files, **copied}, _with({**files, **copied}, away)):
                yield Tampering(files=made, named=(Named(target.about, ("receipt",)),))


def foreign(files: Files, chance: Random) -> Made:
    """Files that belong to nothing are no fault; they are told."""
    places = [
        *(revision.file(name) for revision in REVISIONS for name in ("notes.txt", "chain.jsonl.bak", "more/chain.jsonl")),
        *(f"records/recordings/{SOURCE}/{FIRST}/{name}" for name in ("r0/chain.jsonl", "r01/receipt.json", "receipt.json")),
        *(f"records/{name}" for name in ("x", "recordings/x", "recordings/y/z/chain.jsonl")),
        *(f"originals/{name}" for name in ("x", "sha256/x", "sha256/00/" + "0" * 64 + ".mp4")),
    ]  # fmt: skip
    for place in places:
        data = chance.randbytes(chance.randrange(1, 100))
        bucket = place.partition("/")[0]
        yield Tampering(
            files={**files, place: data}, named=(Named(bucket, ("extra",), place),), result="not_covered", little=False
        )


# -- checkpoints ---------------------------------------------------------------------------------------------------------


def _checkpoints(files: Files, recording: RecordingId) -> list[str]:
    return sorted(name for name in files if name.startswith(f"records/checkpoints/{SOURCE}/{recording}/"))


def checkpoints_dropped(files: Files, chance: Random) -> Made:
    """Of an open recording, with their seals, any but the last one: nothing tells of what came last, but the lock."""
    for gone in (*([name] for name in _checkpoints(files, OPEN)[:-1]), _checkpoints(files, OPEN)[:-1]):
        changes = dict.fromkeys([*gone, *(f"{SEALS}{_record(name)}" for name in gone)])
        yield Tampering(files=_with(files, changes), named=(Named(OPEN, ("checkpoints",)),))


def checkpoints_changed(files: Files, chance: Random) -> Made:
    """A link of one that has served says something else, its hash and those after it made anew."""
    for recording in (FIRST, SECOND):
        for name in _checkpoints(files, recording):
            for at in range(len(json.loads(files[name])["links"])):
                place, data = _another_link(files[name], at, chance)
                yield Tampering(
                    files=_with(files, {name: None, place: data}),
                    named=(
                        Named(recording, ("checkpoints",)),
                        Named("records", ("signature",), _record(name)),
                    ),
                )


def checkpoints_beside(files: Files, chance: Random) -> Made:
    """Another history of an open recording, beside the one that was locked."""
    for name in _checkpoints(files, OPEN):
        for at in range(len(json.loads(files[name])["links"])):
            place, data = _another_link(files[name], at, chance)
            yield Tampering(files={**files, place: data}, named=(Named(OPEN, ("checkpoints",)),))


def _another_link(data: bytes, at: int, chance: Random) -> tuple[str, bytes]:
    """A checkpoint with another thing said in its link *at*, where it belongs."""
    kept = json.loads(data)
    links = kept["links"]
    for index, link in enumerate(links[at:], start=at):
        record = json.loads(link["record"])
        if index == at:
            said = [place for place in _leaves(record) if place[0] not in ("prev", "recording_id", "seq", "kind")]
            record = _another(record, chance.choice(said))
        else:
            record["prev"] = links[index - 1]["hash"]
        found = link_hash(record) if link["seq"] >= 0 else genesis_hash(record)
        link |= {"record": canonical(record).decode(), "hash": found}
    folder = f"records/checkpoints/{kept['source_id']}/{kept['recording_id']}"
    place = f"{folder}/{kept['first_seq']:08d}-{kept['last_seq']:08d}-{links[-1]['hash'][:16]}.json"
    return place, canonical(kept)


# -- records beside the recordings ---------------------------------------------------------------------------------------


def seals_dropped(files: Files, chance: Random) -> Made:
    """Nobody answers for the record any more, and that is told."""
    for name in (name for name in files if name.startswith(SEALS)):
        yield Tampering(
            files=_with(files, {name: None}),
            named=(Named("records", ("signature",), _record(name)),),
            result="not_covered",
            little=False,
        )


def records_dropped(files: Files, chance: Random) -> Made:
    """The last checkpoint of an open recording included: its seal still says that it was there."""
    sealed = [f"records/{_record(name)}" for name in files if name.startswith(SEALS)]
    for name in sealed:
        yield _edited(files, {name: None})
    for _ in range(5):
        yield _edited(files, dict.fromkeys(chance.sample(sealed, 3)))


def records_older(files: Files, chance: Random) -> Made:
    """A record replaced by another that our key sealed, with its own seal or with the other's."""
    sealed = [f"records/{_record(name)}" for name in files if name.startswith(SEALS)]
    for one, other in chance.sample(list(permutations(sealed, 2)), 50):
        seal, others = (f"{SEALS}{_record(name)}" for name in (one, other))
        for changes in ({one: files[other]}, {one: files[other], seal: files[others]}):
            named = Named("records", ("signature",), _record(one))
            yield Tampering(files={**files, **changes}, named=(named,))


def records_forged(files: Files, chance: Random) -> Made:
    """A record of the stranger's own, right in form: sealed by nobody, with his key, with his key under our name, or with
    the seal of another one."""
    some_seal = next(data for name, data in files.items() if name.startswith(SEALS))
    for place, data in _forgeries(files):
        record = {f"records/{place}": data}
        named = (Named("records", ("signature",), place),)
        yield Tampering(files={**files, **record}, named=named, result="not_covered", little=False)
        digest = Sha256(sha256(data).hexdigest())
        for key_name in (STRANGER.key_id, INSIDER.key_id):
            unsigned = unsigned_seal(place, digest, key_name)
            seal = with_signature(unsigned, STRANGER.sign(canonical(unsigned)))
            yield Tampering(files={**files, **record, f"{SEALS}{place}": seal}, named=named)
        yield Tampering(files={**files, **record, f"{SEALS}{place}": some_seal}, named=named)
    for key_name in (STRANGER.key_id, INSIDER.key_id):
        for day in (24, 25):
            place = report_key(f"2026-11-{day}", None)
            report = report_by(STRANGER, day, key_name)
            named = (Named("records", ("signature",), place),)
            yield Tampering(files={**files, f"records/{place}": report}, named=named)
    for place in (report_key("2026-11-25", None), report_key("2026-11-23", None), report_key("2026-11-24", "Team 1")):
        report = files[f"records/{report_key('2026-11-24', None)}"]
        named = (Named("records", ("signature",), place),)
        yield Tampering(files={**files, f"records/{place}": report}, named=named, little=False)


def _forgeries(files: Files) -> Iterator[tuple[str, bytes]]:
    """The links that an open recording's chain might go on with, holds set and released, classes, misses, camera hours."""
    last = json.loads(files[_checkpoints(files, OPEN)[-1]])
    link = last["links"][-1]
    record = {**json.loads(link["record"]), "prev": link["hash"], "seq": link["seq"] + 1}
    link |= {"record": canonical(record).decode(), "hash": link_hash(record), "seq": record["seq"]}
    last |= {"first_seq": record["seq"], "last_seq": record["seq"], "links": [link]}
    number = f"{record['seq']:08d}"
    yield f"checkpoints/{SOURCE}/{OPEN}/{number}-{number}-{link['hash'][:16]}.json", canonical(last)
    held = held_for("court 8", recording_id=THIRD)
    standing = held_for("court 7", recording_id=FIRST)
    for entry in (
        held,
        released_from(held, recording_id=THIRD),
        released_from(standing, recording_id=FIRST, made_by="Zhao Lei"),
        classified_as("30y", recording_id=FIRST),
    ):
        yield entry_key(entry), entry_document(entry)
    for recording in (FIRST, OPEN):
        miss = replace(MISSED, recording_id=recording)
        yield breach_key(miss), breach_document(miss)
    hours = window(0, 90_000)
    yield statement_key(hours), statement_document(hours)
