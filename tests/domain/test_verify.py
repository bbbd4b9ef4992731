"""Each check tells all faults, with both sides, and never passes what it could not look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.archive import signed_message
from pipeline.domain.chain import verify
from pipeline.domain.selection import Part, Selection
from pipeline.domain.time import WallMs
from pipeline.domain.verify import (
    Content,
    Item,
    Lock,
    Revision,
    Seen,
    check_contents,
    check_extra,
    check_locks,
    check_rebuilt,
    check_revision,
    check_revisions,
    check_signature,
    coverage,
    place,
)
from tests.builders import RECORDING, SOURCE, T0, object_ref, probed, sha
from tests.builders_archive import archived, chained, ended

LINKS = chained([probed(0), probed(1)], ended())


def revision(number: int = 1, **changes: Any) -> Revision:
    """A revision of which nothing but its chain was read."""
    made = Revision(
        source_id=SOURCE,
        recording_id=RECORDING,
        number=number,
        bucket="records",
        links=LINKS,
        contents={},
        unreadable={},
    )
    return replace(made, **changes)


def seen(name: str = "segment", **changes: Any) -> Seen:
    ref = object_ref(name)
    made = Seen(ref=ref, content=Content(sha256=ref.sha256, size_bytes=ref.size_bytes), lock=None)
    return replace(made, **changes)


def results(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.result, item.place) for item in items]


def test_a_chain_that_agrees_is_one_pass() -> None:
    assert verify(LINKS) == ()

    items = [item for item in check_revision(revision()) if item.check == "chain"]

    assert results(items) == [("pass", "")]
    assert items[0].found == f"{len(LINKS)} links"


def test_every_fault_of_a_chain_is_told_with_both_sides() -> None:
    broken = (LINKS[0], replace(LINKS[1], hash=sha("x")), *LINKS[2:])

    items = [item for item in check_revision(revision(links=broken)) if item.check == "chain"]

    assert [item.place for item in items] == ["link 0 (hash)", "link 1 (link before)"]
    assert (items[1].expected, items[1].found) == (sha("x"), LINKS[1].hash)


def test_documents_that_were_not_read_fail_and_do_not_stop_the_other_checks() -> None:
    items = check_revision(revision(links=()))

    assert {item.check for item in items if item.result == "fail"} == {"chain", "manifest", "timeline", "receipt"}


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        (Lock(mode="COMPLIANCE", retain_until=WallMs(T0)), []),
        (Lock(mode="COMPLIANCE", retain_until=WallMs(T0 + 1)), []),
        (Lock(mode="COMPLIANCE", retain_until=WallMs(T0 - 1)), ["COMPLIANCE until 2026-11-24T07:59:59.999Z"]),
        (Lock(mode="GOVERNANCE", retain_until=WallMs(T0)), ["GOVERNANCE until 2026-11-24T08:00:00.000Z"]),
        (Lock(mode="none", retain_until=None), ["none until no date"]),
        (Lock(mode="COMPLIANCE", retain_until=WallMs(T0), over="a delete marker"), ["a delete marker"]),
    ],
    ids=["exactly", "longer", "shorter", "weaker", "none", "hidden"],
)
def test_a_lock_holds_at_least_until_the_date_of_the_receipt(lock: Lock, told: list[str]) -> None:
    item = seen(lock=lock)

    items = check_locks("r1", [item], {place(item.ref): T0})

    assert [item.found for item in items if item.result == "fail"] == told


def test_locks_nobody_can_be_asked_about_are_not_covered() -> None:
    assert results(check_locks("r1", [seen()], {})) == [("not_covered", "")]


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "nothing"), (Content(sha256=sha("other"), size_bytes=1000), f"1000 bytes of sha256 {sha('other')}")],
)
def test_bytes_that_are_not_the_stated_ones_are_told_by_their_place(content: Content | None, found: str) -> None:
    items = check_contents("r1", "originals", [seen("a"), seen("b", content=content), seen("c")])

    assert [(item.result, item.place, item.found) for item in items] == [("fail", place(object_ref("b")), found)]


@pytest.mark.parametrize(
    ("keys", "genuine", "result"),
    [
        ((), None, "not_covered"),
        ((), True, "not_covered"),
        ((), False, "fail"),
        (("ab" * 8,), None, "fail"),
        (("00" * 8,), False, "fail"),
        (("00" * 8,), True, "pass"),
    ],
    ids=["no key", "the archive's own key", "not signed by that", "another key", "not signed", "signed"],
)
def test_a_signature_passes_only_under_a_key_from_outside_that_it_names(
    keys: tuple[str, ...], genuine: bool | None, result: str
) -> None:
    assert check_signature("r1", archived(), keys, genuine).result == result


def test_the_signed_message_rests_on_the_list_and_not_on_the_digest_beside_it() -> None:
    receipt = archived(2)

    assert signed_message(replace(receipt, objects_sha256=sha("x"))) == signed_message(receipt)
    assert signed_message(replace(receipt, originals=receipt.originals[:1])) != signed_message(receipt)


def test_a_later_revision_begins_with_the_whole_chain_of_the_one_before() -> None:
    longer = chained([probed(0), probed(1), probed(2)], ended(), ended(revision=2), late=1)
    other = chained([probed(3)], ended())

    assert results(check_revisions("x", [revision(), revision(2, links=longer)])) == [("pass", "")]
    assert results(check_revisions("x", [revision(links=other), revision(2, links=longer)])) == [
        ("fail", "r1 in the chain of r2")
    ]
    assert results(check_revisions("x", [revision(2, links=longer)])) == [("fail", "revisions")]


@pytest.mark.parametrize(("count", "told"), [(1, "x/0"), (20, "x/18, x/19"), (21, "x/19 and 1 more")])
def test_what_nothing_names_is_told_by_name_up_to_twenty(count: int, told: str) -> None:
    item = check_extra("x", [f"x/{number}" for number in range(count)])

    assert (item.result, item.found.endswith(told)) == ("not_covered", True)
    assert item.found.startswith(f"{count} objects")


def test_a_bucket_with_nothing_beside_the_recordings_passes() -> None:
    assert check_extra("originals", []).result == "pass"


def test_a_narrowed_run_never_passes_as_one_over_everything() -> None:
    assert coverage(Selection(), 3, 3).result == "pass"
    assert coverage(Selection(part=Part(1, 1)), 3, 3).result == "not_covered"


def test_documents_of_another_version_are_not_held_to_this_one_s_words() -> None:
    items = check_rebuilt(revision(manifest={"software": "unbroken 0"}), "unbroken 1")

    assert results(items) == [("not_covered", "")]


def test_documents_that_differ_from_those_made_anew_are_told_each() -> None:
    items = check_rebuilt(revision(manifest={"software": "unbroken 1"}), "unbroken 1")

    assert results(items) == [
        ("fail", name) for name in ("chain.jsonl", "timeline.json", "playlist.m3u8", "manifest.json")
    ]
    assert {item.found for item in items} == {"nothing"}
