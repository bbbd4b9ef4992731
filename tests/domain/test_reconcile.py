"""Three witnesses, and what each lacks of what the others know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import pytest

from pipeline.domain.reconcile import (
    DO,
    Announced,
    Archive,
    Claim,
    Item,
    Journals,
    Receipt,
    Statement,
    Topics,
    claim_of,
    claims_of,
    missing_receipts,
    missing_segments,
    missing_statements,
    ranges,
    reconcile,
)
from tests.builders import RECORDING, SOURCE, landed, probed, session_ended
from tests.steps.archived import links_of

W = TypeVar("W", Topics, Archive)
CONNECTOR = "folder-1"
END = Statement("end-1", SOURCE, RECORDING)
RECEIPT = Receipt(SOURCE, RECORDING, 1)


def claims(*numbers: int) -> dict[Announced, Claim]:
    return {Announced(CONNECTOR, SOURCE, n): Claim(RECORDING, f"sha256/{n}.ts", 1000) for n in numbers}


JOURNALS = Journals(connectors=frozenset({(CONNECTOR, SOURCE)}), claims=claims(1, 2, 3), statements=(END,))
TOPICS = Topics(
    landed=claims(1, 2, 3),
    linked=claims(1, 2, 3),
    statements=frozenset({"end-1"}),
    receipts=frozenset({RECEIPT}),
)
ARCHIVE = Archive(
    archived=claims(1, 2, 3),
    receipts=frozenset({RECEIPT}),
    originals={claim.key: claim.size_bytes for claim in claims(1, 2, 3).values()},
)


def with_claims(side: W, where: str, known: dict[Announced, Claim]) -> W:
    """*side* with *known* in its field *where*, if it has one of that name."""
    changes: dict[str, Any] = {where: known} if hasattr(side, where) else {}
    return replace(side, **changes)


def kinds(items: tuple[Item, ...]) -> list[tuple[str, str]]:
    return [(item.kind, item.numbers or item.found) for item in items]


def test_witnesses_that_agree_leave_nothing_to_say() -> None:
    assert reconcile(JOURNALS, TOPICS, ARCHIVE) == ()


def test_what_was_put_and_never_reached_the_topics_is_named() -> None:
    journals = replace(JOURNALS, claims=claims(1, 2, 3, 4, 5, 7))
    archive = replace(ARCHIVE, originals={claim.key: 1000 for claim in journals.claims.values()})

    found = reconcile(journals, TOPICS, archive)

    assert kinds(found) == [("not_announced", "4-5, 7")]
    assert found[0].level == "act"
    assert list(missing_segments(journals, TOPICS, archive)) == list(claims(4, 5, 7))


@pytest.mark.parametrize("where", ["landed", "linked", "begun", "archived"])
def test_what_one_of_topics_and_archive_knows_was_announced(where: str) -> None:
    topics = with_claims(Topics(), where, claims(1))
    archive = with_claims(Archive(), where, claims(1))

    assert missing_segments(replace(JOURNALS, claims=claims(1)), topics, archive) == {}


def test_how_far_the_rest_has_come_is_told_and_needs_only_time() -> None:
    topics = replace(TOPICS, linked=claims(1, 2))
    archive = replace(ARCHIVE, archived=claims(1))

    found = reconcile(JOURNALS, topics, archive)

    assert kinds(found) == [("landed", "3"), ("linked", "2")]
    assert {item.level for item in found} == {"waits"}


def test_links_that_only_a_checkpoint_holds_are_under_way_too() -> None:
    found = reconcile(JOURNALS, Topics(), replace(ARCHIVE, archived={}, begun=claims(1, 2, 3), receipts=frozenset()))

    assert ("linked", "1-3") in kinds(found)


def test_an_input_in_quarantine_waits_for_a_person_and_a_discarded_one_for_nobody() -> None:
    one = next(iter(claims(3)))
    topics = replace(TOPICS, linked=claims(1, 2), quarantined=frozenset({one}))
    archive = replace(ARCHIVE, archived=claims(1, 2))
    discarded = replace(topics, quarantined=frozenset(), discarded=frozenset({one}))

    assert kinds(reconcile(JOURNALS, topics, archive)) == [("in_quarantine", "3")]
    assert reconcile(JOURNALS, discarded, archive) == ()


@pytest.mark.parametrize("size_bytes", [None, 999])
def test_an_announced_original_that_the_store_does_not_hold_as_announced_is_missing(size_bytes: int | None) -> None:
    originals = {key: size for key, size in ARCHIVE.originals.items() if key != "sha256/2.ts"}
    held = originals if size_bytes is None else {**originals, "sha256/2.ts": size_bytes}

    assert kinds(reconcile(JOURNALS, TOPICS, replace(ARCHIVE, originals=held))) == [("original_missing", "2")]


@pytest.mark.parametrize("where", ["landed", "linked", "begun", "archived"])
def test_a_number_that_its_own_journal_does_not_know_means_an_older_journal(where: str) -> None:
    topics = with_claims(TOPICS, where, claims(1, 2, 3, 4))
    archive = with_claims(ARCHIVE, where, claims(1, 2, 3, 4))

    found = reconcile(JOURNALS, topics, archive)

    assert ("journal_older", "4") in kinds(found)


def test_a_connector_whose_journal_is_elsewhere_is_not_called_older() -> None:
    elsewhere = replace(JOURNALS, connectors=frozenset({("folder-2", SOURCE)}), claims={}, statements=())

    assert reconcile(elsewhere, TOPICS, ARCHIVE) == ()


def test_a_statement_the_topics_lack_is_said_again_unless_its_time_there_is_over() -> None:
    silent = replace(TOPICS, statements=frozenset())
    trimmed = replace(silent, whole=False)

    assert kinds(reconcile(JOURNALS, silent, ARCHIVE)) == [("not_stated", "end-1")]
    assert missing_statements(JOURNALS, trimmed, ARCHIVE) == ()
    assert missing_statements(JOURNALS, trimmed, replace(ARCHIVE, receipts=frozenset())) == (END,)


def test_a_receipt_the_topics_lack_is_said_again_unless_its_time_there_is_over() -> None:
    silent = replace(TOPICS, receipts=frozenset())

    assert kinds(reconcile(JOURNALS, silent, ARCHIVE)) == [("receipt_not_announced", "revision 1")]
    assert missing_receipts(replace(silent, whole=False), ARCHIVE) == ()


def test_an_original_nobody_names_is_noted_and_what_needs_action_comes_first() -> None:
    archive = replace(
        ARCHIVE,
        originals={**ARCHIVE.originals, "sha256/0.ts": 1},
        uploads=2,
        faulty={RECORDING: "link 3: expected a, found b"},
    )
    journals = replace(JOURNALS, begun=((SOURCE, "/card/long.mp4"),))

    found = reconcile(journals, TOPICS, archive)

    assert kinds(found) == [
        ("chain_faulty", "link 3: expected a, found b"),
        ("upload_broken_off", "/card/long.mp4"),
        ("uploads_unfinished", "2 in the bucket of originals"),
        ("orphan", "sha256/0.ts"),
    ]


@pytest.mark.parametrize(
    ("away", "said", "unsaid"),
    [
        ({"journals": None}, {"landed"}, {"not_announced", "orphan", "journal_older"}),
        ({"topics": None}, {"original_missing"}, {"not_announced", "orphan", "landed", "linked"}),
        ({"archive": None}, {"journal_older"}, {"not_announced", "orphan", "original_missing", "landed"}),
    ],
)
def test_while_a_witness_is_away_nothing_is_said_that_needs_it(
    away: dict[str, None], said: set[str], unsaid: set[str]
) -> None:
    sides: dict[str, Any] = {
        "journals": replace(JOURNALS, claims=claims(1, 3, 5)),
        "topics": replace(TOPICS, landed=claims(1, 2, 3, 4), linked=claims(1)),
        "archive": replace(ARCHIVE, archived=claims(1)),
    }

    found = {item.kind for item in reconcile(**{**sides, **away})}

    assert said <= found
    assert not unsaid & found
    assert "not_covered" in found
    assert "not_announced" in {item.kind for item in reconcile(**sides)}


def test_every_kind_that_needs_action_says_which() -> None:
    assert all(words for kind, words in DO.items() if kind != "not_covered")


def test_claims_are_the_same_whether_an_announcement_or_its_link_is_asked() -> None:
    segments = [probed(0), probed(1)]

    found = dict(claims_of(links_of([*segments, session_ended()])))

    assert found == dict(claim_of(landed(number)) for number in (0, 1))


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([1, 2, 3], "1-3"), ([1, 2, 4, 6, 7], "1-2, 4, 6-7")]
)
def test_numbers_are_told_as_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text
