from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.review import Review, is_uninterrupted, opinions, review_of
from pipeline.domain.statement import described
from pipeline.domain.time import WallMs
from tests.builders import explanation, metadata, policy
from tests.builders_archive import gap

WHY = explanation(10_000, 20_000, "why-1", made_by="Li", made_at=WallMs(1))


def review(result: str, by: str = "Wu", at: int = 2, about: str = "why-1") -> Annotation:
    pairs = (("reviewed_explanation", about), ("review_result", result), ("review_note", f"says {by}"))
    return metadata(f"review-{at}", metadata=Metadata(extra=pairs), made_by=by, made_at=WallMs(at))


def explained(reason: str = "R4"):  # type: ignore[no-untyped-def]  # the builder's own type
    return replace(gap(10_000, 20_000), state="explained", reason=reason, explained_by="why-1")


@pytest.mark.parametrize(
    ("reason", "uninterrupted", "stands"),
    [("R4", False, "not_needed"), ("R9", False, "waiting"), ("R4", True, "waiting"), ("R9", True, "waiting")],
)
def test_what_must_be_reviewed_waits(reason: str, uninterrupted: bool, stands: Review) -> None:
    assert review_of(explained(reason), {}, uninterrupted=uninterrupted) == stands


@pytest.mark.parametrize(("uninterrupted", "stands"), [(False, "not_needed"), (True, "waiting")])
def test_a_gap_nobody_explained_waits_only_where_there_must_be_none(uninterrupted: bool, stands: Review) -> None:
    assert review_of(gap(10_000, 20_000), {}, uninterrupted=uninterrupted) == stands


def test_the_last_review_counts_in_any_order() -> None:
    said = [WHY, review("rejected", at=3), review("accepted", at=2)]

    forward, backward = opinions(said), opinions(reversed(said))

    assert forward == backward
    assert review_of(explained("R9"), forward, uninterrupted=True) == "rejected"
    assert forward["why-1"][1:] == ("Wu", 3, "says Wu")


def test_nobody_accepts_their_own_explanation() -> None:
    found = opinions([WHY, review("accepted", by="Li")])

    assert review_of(explained("R9"), found, uninterrupted=False) == "waiting"


@pytest.mark.parametrize("said", [review("perhaps"), review("accepted", about="why-2"), metadata()])
def test_what_is_no_review_of_the_explanation_changes_nothing(said: Annotation) -> None:
    assert review_of(explained("R9"), opinions([WHY, said]), uninterrupted=False) == "waiting"


@pytest.mark.parametrize(
    ("extra", "must"),
    [
        ((), False),
        ((("matter_id", "7"),), True),
        ((("matter_id", "8"),), False),
        ((("continuity_class", "uninterrupted"),), True),
        ((("matter_id", "7"), ("continuity_class", "per_list")), False),
    ],
)
def test_a_recording_says_itself_or_by_its_matter_that_it_must_not_be_interrupted(
    extra: tuple[tuple[str, str], ...], must: bool
) -> None:
    told = described([metadata(metadata=Metadata(extra=extra))])

    assert is_uninterrupted(told, policy(uninterrupted_matters=("7",))) is must
