"""A source's recordings prove each other, and checkpoints prove them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.chain import ChainFault
from pipeline.domain.checkpoint import Assembled
from pipeline.domain.history import Past, check_checkpoints, check_history, not_compared, past
from pipeline.domain.identity import RecordingId
from pipeline.domain.verify import Fault, Item, place
from tests.builders import RECORDING, SOURCE, object_ref, probed
from tests.builders_archive import chained, ended

LINKS = chained([probed(0), probed(1)], ended())


def began(name: str, previous: str | None, *closes: str, announced: tuple[int, ...] = (), position: int = 0) -> Past:
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


def test_a_recording_taken_out_of_the_middle_is_missed_by_the_next_one() -> None:
    day = [began("a", None, "A"), began("b", "A", "B", "B2"), began("c", "B2", "C")]

    assert results(check_history(SOURCE, day)) == [("pass", ""), ("pass", "")]
    assert results(check_history(SOURCE, [day[0], day[2]]))[0] == ("fail", "genesis of c")
    assert results(check_history(SOURCE, day[1:]))[0] == ("fail", "genesis of b")


def test_recordings_that_began_before_the_first_close_name_none() -> None:
    day = [began("a", None, "A"), began("b", None, "B"), began("c", "A", "C")]

    assert results(check_history(SOURCE, day))[0] == ("pass", "")


@pytest.mark.parametrize(
    ("second", "place"),
    [
        (began("c", None, "C"), "genesis of c"),
        (began("b", "A", "C"), "position 98"),
        (began("c", "C2", "C", "C2"), "genesis of c"),
        (began("A", "A", "C"), "genesis of A"),
    ],
    ids=["a second beginning", "the same place", "its own close", "a later one's close"],
)
def test_a_history_that_contradicts_itself_is_told(second: Past, place: str) -> None:
    day = [began("a", None, "A"), began("b", "A", "B"), second]

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
    item = check_history(SOURCE, [began("a", None, "A", announced=announced)])[1]

    assert item.result == result
    assert item.found.startswith(found)


def test_the_past_of_a_chain_is_what_its_records_say() -> None:
    found = past(RECORDING, LINKS)

    named = (place(object_ref(f"{RECORDING}/0")), place(object_ref(f"{RECORDING}/1")))
    assert found == replace(began(RECORDING, None, LINKS[-1].hash, announced=(1, 2), position=1), originals=named)
    assert past(RECORDING, ()) is None
    assert past(RECORDING, (replace(LINKS[0], record="["),)) is None


def test_a_genesis_that_names_no_digest_names_nothing_that_is_there() -> None:
    record = LINKS[0].record.replace('"previous":null', '"previous":[1]')

    found = past(RECORDING, (replace(LINKS[0], record=record),))

    assert found is not None
    assert results(check_history(SOURCE, [found]))[0] == ("fail", f"genesis of {RECORDING}")


def test_what_is_not_compared_is_not_covered() -> None:
    assert [(item.check, item.result) for item in not_compared(SOURCE)] == [
        ("history", "not_covered"),
        ("announcements", "not_covered"),
    ]


def known(count: int, *faults: ChainFault) -> Assembled:
    return Assembled(links=LINKS[:count], faults=faults)


@pytest.mark.parametrize(
    ("archived", "count", "result", "found"),
    [
        (4, 4, "pass", "2 checkpoints, each link of them in the chain"),
        (0, 3, "not_covered", "3 links in checkpoints alone, still open"),
        (2, 4, "not_covered", "2 links in checkpoints alone, which close r1: not archived yet, or taken away"),
    ],
)
def test_links_that_only_checkpoints_hold_are_not_covered(archived: int, count: int, result: str, found: str) -> None:
    (item,) = check_checkpoints(RECORDING, 2, archived, known(count), ())

    assert (item.result, item.found) == (result, found)


def test_every_contradiction_and_every_unreadable_checkpoint_is_told() -> None:
    contradiction = ChainFault(check=2, seq=1, expected="one", found="another")
    unreadable = Fault(place="records/x", expected="a checkpoint", found="none")

    items = check_checkpoints(RECORDING, 2, 0, known(3, contradiction), [unreadable])

    assert results(items) == [("fail", "records/x"), ("fail", "link 1 (number)")]
