"""Review: whether a person has to look at an explained gap, and what another person said of its explanation.

Rule 1: reason R9 (another objective cause) always waits for a review; so does every gap of a recording that must not be
interrupted at all (article 5), explained or not.
Rule 2: a review is somebody else's: nobody accepts their own explanation. Of several reviews the last said counts.
Rule 3: a review changes neither the gap's state nor the verdict. A rejected explanation stays, with its rejection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, cast, get_args

from pipeline.domain.account import Gap
from pipeline.domain.annotation import Annotation
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Described
from pipeline.domain.time import WallMs

Result = Literal["accepted", "rejected"]
Review = Literal["not_needed", "waiting", "accepted", "rejected"]

REVIEWED: Final = "reviewed_explanation"
RESULT: Final = "review_result"
NOTE: Final = "review_note"


class Opinion(NamedTuple):
    """What somebody said of an explanation."""

    result: Result
    made_by: str
    made_at: WallMs
    note: str


def opinions(statements: Iterable[Annotation]) -> dict[str, Opinion]:
    """What counts of the reviews among *statements*, by the explanation's id."""
    ordered = sorted(statements, key=lambda one: (one.made_at, one.annotation_id))
    authors = {said.annotation_id: said.made_by for said in ordered if said.explanation is not None}
    found: dict[str, Opinion] = {}
    for said in ordered:
        told = dict(said.metadata.extra) if said.metadata is not None else {}
        about, result = told.get(REVIEWED), told.get(RESULT)
        if about is None or authors.get(about) == said.made_by:
            continue
        if result in get_args(Result):
            found[about] = Opinion(cast(Result, result), said.made_by, said.made_at, told.get(NOTE, ""))
    return found


def is_uninterrupted(described: Mapping[str, Described], policy: Policy) -> bool:
    """Whether the recording must not be interrupted at all (article 5), by its own word or its matter's."""
    told = {name: described[name].text for name in ("continuity_class", "matter_id") if name in described}
    if "continuity_class" in told:
        return told["continuity_class"] == "uninterrupted"
    return told.get("matter_id") in policy.uninterrupted_matters


def review_of(gap: Gap, opinions: Mapping[str, Opinion], *, uninterrupted: bool) -> Review:
    """Where the review of *gap* stands."""
    opinion = opinions.get(gap.explained_by or "")
    if opinion is not None:
        return opinion.result
    return "waiting" if uninterrupted or (gap.state == "explained" and gap.reason == "R9") else "not_needed"
