"""How long a recording is kept follows from its files and from what was said of it, in whatever order."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest

from pipeline.domain.annotation import Metadata
from pipeline.domain.canonical import canonical
from pipeline.domain.identity import Sha256
from pipeline.domain.keeping import (
    MAX_REASON,
    Demand,
    class_of,
    classified,
    contradicts,
    demanded,
    entry_at,
    entry_digest,
    entry_document,
    entry_key,
    is_held,
    standing,
    unknown_classes,
)
from pipeline.domain.policy import RetentionClass
from pipeline.domain.time import WallMs
from tests.builders import RECORDING, SOURCE, T0, metadata, policy, sha
from tests.builders_archive import classified_as, held_for, register, released_from

S = 1000
RULES = policy(
    provisional_retention_s=100,
    retention={
        "short": RetentionClass(keep_s=1000, hold=False),
        "long": RetentionClass(keep_s=3000, hold=False),
        "ever": RetentionClass(keep_s=2000, hold=True),
    },
)


def at(second: int) -> WallMs:
    return WallMs(T0 + second * S)


def test_without_a_word_a_recording_is_kept_provisionally_from_its_last_file() -> None:
    assert demanded(at(5), {}, RULES) == Demand(at(105), False)


def test_a_recording_of_which_nothing_is_known_has_no_date() -> None:
    with pytest.raises(ValueError):
        demanded(None, {}, RULES)


@pytest.mark.parametrize(("stated_s", "until_s"), [(0, 1005), (5, 1005), (6, 1006)])
def test_a_class_counts_from_its_statement_or_the_last_file_whichever_is_later(stated_s: int, until_s: int) -> None:
    said = register(classified_as("short", made_at=at(stated_s)))

    assert demanded(at(5), said, RULES) == Demand(at(until_s), False)


def test_the_longest_class_counts_whatever_was_said_last() -> None:
    entries = classified_as("long"), classified_as("short", made_at=at(9)), classified_as("no such class")

    demands = {demanded(at(5), register(*order), RULES) for order in permutations(entries)}

    assert demands == {Demand(at(3005), False)}


def test_a_class_the_policy_does_not_know_leaves_the_recording_provisional_and_is_told() -> None:
    said = register(classified_as("no such class"), classified_as("short"))

    assert unknown_classes(said, RULES.retention) == ("no such class",)
    assert demanded(at(5), register(classified_as("no such class")), RULES) == Demand(at(105), False)


def test_what_was_said_last_keeps_a_recording_provisionally_from_then() -> None:
    hold = held_for("court", made_at=at(500))

    assert demanded(at(5), register(hold), RULES) == Demand(at(600), True)
    assert demanded(at(5), register(hold, released_from(hold, made_at=at(700))), RULES) == Demand(at(800), False)


@pytest.mark.parametrize(
    ("now_s", "until_s"), [(0, 2005), (1005, 2005), (1006, 3005), (2005, 3005), (2006, 4005), (9005, 10005)]
)
def test_what_is_kept_for_ever_always_has_half_its_time_ahead(now_s: int, until_s: int) -> None:
    said = register(classified_as("ever"))

    assert demanded(at(5), said, RULES, at(now_s)) == Demand(at(until_s), True)


def test_without_a_date_of_today_nothing_is_renewed() -> None:
    assert demanded(at(5), register(classified_as("ever")), RULES) == Demand(at(2005), True)


def test_a_hold_stands_until_an_entry_releases_just_that_one() -> None:
    first, second = held_for("court 1"), held_for("court 2")
    release = released_from(first)

    for order in permutations((first, second, release)):
        assert tuple(standing(register(*order))) == (entry_digest(second),)
    assert is_held(register(first, second, release), RULES)
    assert not is_held(register(first, release), RULES)


def test_a_hold_set_again_after_its_release_stands() -> None:
    hold, again = held_for("court 1"), held_for("court 1", made_at=at(9))

    assert tuple(standing(register(hold, released_from(hold), again))) == (entry_digest(again),)


def test_a_release_of_something_else_releases_nothing() -> None:
    hold = held_for("court 1")

    assert is_held(register(hold, replace(released_from(hold), releases=sha("other"))), RULES)


def test_a_class_kept_for_ever_holds_although_every_order_is_released() -> None:
    hold = held_for("court 1")

    assert is_held(register(classified_as("ever"), hold, released_from(hold)), RULES)


@pytest.mark.parametrize("second", ["Li Wei", "li  wei", " LI WEI "])
def test_one_person_does_not_release_a_hold_alone(second: str) -> None:
    with pytest.raises(ValueError, match="two people"):
        released_from(held_for("court 1"), made_by="Li Wei", second=second)


@pytest.mark.parametrize(("length", "possible"), [(0, False), (1, True), (MAX_REASON, True), (MAX_REASON + 1, False)])
def test_a_statement_has_a_reason(length: int, possible: bool) -> None:
    if possible:
        assert held_for("court 1", reason="x" * length).reason
        return
    with pytest.raises(ValueError, match="a reason has"):
        held_for("court 1", reason="x" * length)


@pytest.mark.parametrize("changes", [{"hold": None}, {"retention_class": "10y"}, {"second": "Wang"}, {"made_by": ""}])
def test_an_entry_says_what_its_kind_needs_and_nothing_else(changes: dict[str, str | None]) -> None:
    with pytest.raises(ValueError):
        held_for("court 1", **changes)


def test_an_entry_stands_at_a_place_made_of_its_own_digest() -> None:
    entry = held_for("court 1")

    document = json.loads(entry_document(entry))

    assert canonical(document) == entry_document(entry)
    assert document["format"] == "unbroken.keeping.v1"
    assert entry_at(entry_key(entry)) == (SOURCE, RECORDING, "held", entry_digest(entry))


@pytest.mark.parametrize(
    "key", [f"keeping/a/b/held-{'0' * 63}.json", f"keeping/a/held-{'0' * 64}.json", "recordings/a/b/r1/x"]
)
def test_another_place_is_no_entry_s(key: str) -> None:
    assert entry_at(key) is None


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ((), None),
        ((("retention_class", "10y"),), "10y"),
        ((("badge", "7"), ("retention_class", " 永久 ")), "永久"),
        ((("retention_class", " "),), None),
    ],
)
def test_the_class_is_a_field_of_the_case_data(extra: tuple[tuple[str, str], ...], named: str | None) -> None:
    assert class_of(Metadata(case_name="x", extra=extra)) == named
    assert class_of(None) is None


def test_the_same_annotation_gives_the_same_entry() -> None:
    said = metadata(metadata=Metadata(extra=(("retention_class", "10y"),)))

    entry = classified(said)

    assert entry is not None
    assert (entry.retention_class, entry.made_at, entry.made_by) == ("10y", said.made_at, said.made_by)
    assert classified(said) == entry
    assert classified(metadata()) is None


def test_a_digest_is_not_taken_from_the_statement() -> None:
    with pytest.raises(ValueError, match="hex digits"):
        replace(released_from(held_for("court 1")), releases=Sha256("abc"))


def test_another_class_from_the_same_statement_contradicts_it_and_nothing_else_does() -> None:
    first = classified_as("10y", reason="annotation a")
    stands = register(first, held_for("annotation a", reason="annotation a"))

    again, other, later = (
        replace(first, made_at=at(9)), replace(first, retention_class="30y"), classified_as("30y", reason="annotation b"),
    )  # fmt: skip

    assert [contradicts(entry, stands) for entry in (first, again, other, later)] == [False, False, True, False]
