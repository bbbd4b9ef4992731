from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.annotation import (
    Annotation,
    AnnotationKind,
    Explanation,
    Issue,
    Metadata,
    Outage,
    ReasonCode,
    Return,
    ScheduleWindow,
    SessionEnded,
    is_repeat,
    mark,
)
from pipeline.domain.errors import StatementDiffers
from pipeline.domain.time import WallMs
from tests.builders import T0, always, annotation, explanation, metadata, session_ended, window

LATER = WallMs(T0 + 1)
BODIES: dict[str, Any] = {
    "metadata": Metadata(),
    "explanation": Explanation(gap_start=T0, gap_end=LATER, reason="R4"),
    "ended": SessionEnded(reason="declared"),
    "window": ScheduleWindow(start=T0, end=LATER, reason="cleaning"),
    "schedule": always(),
    "issue": Issue(at=T0, officer="0471", due_back=LATER, source_kind="body_camera"),
    "returned": Return(at=LATER, officer="0471"),
    "outage": Outage(start=T0),
}
BODY_OF: dict[AnnotationKind, str | None] = {
    "metadata": "metadata",
    "explanation": "explanation",
    "session_ended": "ended",
    "schedule_window": "window",
    "schedule": "schedule",
    "issued": "issue",
    "returned": "returned",
    "outage": "outage",
    "deadline_due": None,
    "schedule_due": None,
}


@pytest.mark.parametrize("kind", BODY_OF)
@pytest.mark.parametrize("body", [None, *BODIES])
def test_exactly_the_body_that_the_kind_names_is_present(kind: AnnotationKind, body: str | None) -> None:
    bodies = {body: BODIES[body]} if body else {}

    if body == BODY_OF[kind]:
        assert annotation("a", kind, **bodies).kind == kind
    else:
        with pytest.raises(ValueError, match=f"a {kind} annotation carries"):
            annotation("a", kind, **bodies)


def test_two_bodies_are_one_too_many() -> None:
    with pytest.raises(ValueError, match=r"carries \['metadata'\], found \['ended', 'metadata'\]"):
        metadata(ended=BODIES["ended"])


@pytest.mark.parametrize("made", [metadata, session_ended, lambda **fields: explanation(0, 1, **fields)])
def test_only_a_schedule_speaks_of_no_recording(made: Any) -> None:
    assert window(0, 1).recording_id is None

    with pytest.raises(ValueError, match="names its recording"):
        made(recording_id=None)


@pytest.mark.parametrize(("kind", "body"), [("schedule", "schedule"), ("issued", "issue")])
def test_who_expects_a_recording_is_a_unit(kind: AnnotationKind, body: str) -> None:
    assert annotation("a", kind, recording_id=None, **{body: BODIES[body]}).unit == "service-hall"

    with pytest.raises(ValueError, match=f"of kind {kind} names the unit"):
        annotation("a", kind, recording_id=None, unit=None, **{body: BODIES[body]})


@pytest.mark.parametrize(
    ("reason", "text", "enough"),
    [("R9", "", False), ("R9", " \t\n", False), ("R9", "lamp fell", True), ("R4", "", True)],
)
def test_another_objective_cause_is_put_in_words(reason: ReasonCode, text: str, enough: bool) -> None:
    body = Explanation(gap_start=T0, gap_end=LATER, reason=reason, text=text)

    if enough:
        assert annotation("a", "explanation", explanation=body).explanation == body
    else:
        with pytest.raises(ValueError, match=r"reason R9 \(other\) needs a text"):
            annotation("a", "explanation", explanation=body)


@pytest.mark.parametrize(("expected", "possible"), [(None, True), (-1, False), (0, True), (1, True)])
def test_a_session_of_nothing_can_end_and_less_than_nothing_cannot(expected: int | None, possible: bool) -> None:
    if possible:
        assert session_ended(expected=expected).ended == SessionEnded(reason="declared", expected_segments=expected)
    else:
        with pytest.raises(ValueError, match="a number of segments is not negative, found -1"):
            session_ended(expected=expected)


@pytest.mark.parametrize("field", ["annotation_id", "made_by", "unit"])
def test_who_says_what_is_short_and_printable(field: str) -> None:
    fields = {"annotation_id": "a", **{field: "a\nb"}}

    with pytest.raises(ValueError, match="without control characters"):
        annotation(fields.pop("annotation_id"), "deadline_due", **fields)


def test_a_statement_is_known_again_by_its_id_and_what_it_says_whoever_repeats_it_and_when() -> None:
    said = explanation(0, 1000, "why-1")

    repeated = explanation(0, 1000, "why-1", made_at=LATER, made_by="somebody else")

    assert [is_repeat(repeated, marks) for marks in ([], [mark(metadata("case-1"))], [mark(said)])] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("other", [explanation(0, 1001, "one"), metadata("one"), session_ended("one")])
def test_another_statement_under_a_used_id_is_refused_by_name(other: Annotation) -> None:
    with pytest.raises(StatementDiffers, match=rf"{other.kind} one, by {other.made_by}, of {other.recording_id}"):
        is_repeat(other, [mark(explanation(0, 1000, "one"))])


def test_an_id_remembered_without_its_words_makes_a_repeat_of_whatever_it_says() -> None:
    assert is_repeat(metadata("one"), ["another", "one"])
