"""Each check tells all faults, with both sides, and never passes what it could not look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.chain import verify
from pipeline.domain.identity import RecordingId
from pipeline.domain.selection import Part, Selection
from pipeline.domain.time import WallMs
from pipeline.domain.verify import (
    Content,
    Item,
    Lock,
    Past,
    Revision,
    Seen,
    check_contents,
    check_extra,
    check_history,
    check_locks,
    check_rebuilt,
    check_revision,
    check_revisions,
    check_signature,
    coverage,
    past,
    place,
    signed_message,
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


def history(name: str, previous: str | None, *closes: str, announced: tuple[int, ...] = (), position: int = 0) -> Past:
    """A recording whose name, a letter, says when it began."""
    return Past(
        recording_id=RecordingId(name),
        position=position or ord(name[0]),
        previous=previous,
        closes=closes,
        announced=tuple(("folder", number) for number in announced),
    )


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


def test_a_recording_taken_out_of_the_middle_is_missed_by_the_next_one() -> None:
    day = [history("a", None, "A"), history("b", "A", "B", "B2"), history("c", "B2", "C")]

    assert results(check_history(SOURCE, day)) == [("pass", ""), ("pass", "")]
    assert results(check_history(SOURCE, [day[0], day[2]]))[0] == ("fail", "genesis of c")
    assert results(check_history(SOURCE, day[1:]))[0] == ("fail", "genesis of b")


def test_recordings_that_began_before_the_first_close_name_none() -> None:
    day = [history("a", None, "A"), history("b", None, "B"), history("c", "A", "C")]

    assert results(check_history(SOURCE, day))[0] == ("pass", "")


@pytest.mark.parametrize(
    ("second", "place"),
    [
        (history("c", None, "C"), "genesis of c"),
        (history("b", "A", "C"), "position 98"),
        (history("c", "C2", "C", "C2"), "genesis of c"),
        (history("A", "A", "C"), "genesis of A"),
    ],
    ids=["a second beginning", "the same place", "its own close", "a later one's close"],
)
def test_a_history_that_contradicts_itself_is_told(second: Past, place: str) -> None:
    day = [history("a", None, "A"), history("b", "A", "B"), second]

    assert ("fail", place) in results(check_history(SOURCE, day))


@pytest.mark.parametrize(
    ("announced", "result", "found"),
    [
        ((1, 2, 3), "pass", "folder 1..3"),
        ((2, 3), "not_covered", "folder: 1 in"),
        ((1, 5), "not_covered", "folder: 2..4 in"),
        ((1, 3, 10**15), "not_covered", "folder: 2, 4..999999999999999 in"),
    ],
)
def test_what_a_connector_counted_and_no_recording_holds_is_not_covered(
    announced: tuple[int, ...], result: str, found: str
) -> None:
    item = check_history(SOURCE, [history("a", None, "A", announced=announced)])[1]

    assert item.result == result
    assert item.found.startswith(found)


def test_the_past_of_a_chain_is_what_its_records_say() -> None:
    found = past(RECORDING, LINKS)

    named = (place(object_ref(f"{RECORDING}/0")), place(object_ref(f"{RECORDING}/1")))
    assert found == replace(history(RECORDING, None, LINKS[-1].hash, announced=(1, 2), position=1), originals=named)
    assert past(RECORDING, ()) is None
    assert past(RECORDING, (replace(LINKS[0], record="["),)) is None


def test_a_genesis_that_names_no_digest_names_nothing_that_is_there() -> None:
    record = LINKS[0].record.replace('"previous":null', '"previous":[1]')

    found = past(RECORDING, (replace(LINKS[0], record=record),))

    assert found is not None
    assert results(check_history(SOURCE, [found]))[0] == ("fail", f"genesis of {RECORDING}")


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
