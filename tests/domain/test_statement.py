from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.domain.annotation import Annotation, Issue, Metadata, Return
from pipeline.domain.canonical import plain
from pipeline.domain.dictionary import BY_KEY
from pipeline.domain.statement import (
    AHEAD_MS,
    BEHIND_MS,
    MOST_CHARS,
    RULES,
    Objection,
    contradiction,
    described,
    in_words,
    incomplete,
    objections,
    refused,
)
from pipeline.domain.time import WallMs, to_rfc3339
from tests.builders import T0, always, annotation, explanation, metadata, policy, session_ended, window

NOW = WallMs(T0 + 3_600_000)
POLICY = policy()


def at(offset_ms: int) -> str:
    return to_rfc3339(WallMs(T0 + offset_ms))


def raw(made: Any, **changes: Any) -> dict[str, Any]:
    """A statement as JSON, made now; a change of ``body__field`` changes a field of its body."""
    found: Any = plain(made)
    found["made_at"] = to_rfc3339(NOW)
    for name, value in changes.items():
        body, _, inner = name.rpartition("__")
        (found[body] if body else found)[inner] = value
    return dict(found)


def rules(said: dict[str, Any], *, refusing: bool | None = None) -> list[tuple[str, str]]:
    found = objections(said, NOW, POLICY)
    return [(one.field, one.rule) for one in found if refusing in (None, one.refuses)]


def fields(*pairs: tuple[str, Any]) -> dict[str, Any]:
    return raw(metadata(), metadata__extra=[list(pair) for pair in pairs])


def handed_out(**changes: Any) -> Annotation:
    issue = {"at": T0, "officer": "0471", "due_back": WallMs(T0 + 1), "source_kind": "body_camera", **changes}
    return annotation("out-1", "issued", issue=Issue(**issue), unit="inspection")


def given_back(**changes: Any) -> Annotation:
    return annotation("back-1", "returned", returned=Return(**{"at": T0, "officer": "0471", **changes}))


@pytest.mark.parametrize(
    "made",
    [
        metadata(),
        session_ended(),
        window(0, 1000),
        handed_out(),
        given_back(),
        annotation("hours-1", "schedule", schedule=always(), unit="hall"),
    ],
)
def test_nothing_is_said_against_what_is_right(made: Any) -> None:
    assert rules(raw(made)) == []


@pytest.mark.parametrize("kind", ["deadline_due", "schedule_due", "outage", "gossip", None, 7])
def test_what_only_our_timers_say_is_refused_from_people(kind: object) -> None:
    assert ("kind", "known_kind") in rules({"kind": kind})


@pytest.mark.parametrize(
    ("offset_ms", "taken"),
    [(-BEHIND_MS - 1, False), (-BEHIND_MS, True), (0, True), (AHEAD_MS, True), (AHEAD_MS + 1, False)],
)
def test_a_statement_cannot_be_dated_into_the_time_before_a_deadline(offset_ms: int, taken: bool) -> None:
    said = raw(metadata(), made_at=to_rfc3339(WallMs(NOW + offset_ms)))

    assert rules(said) == ([] if taken else [("made_at", "said_now")])


@pytest.mark.parametrize(
    ("said", "field", "rule"),
    [
        (raw(metadata(), recording_id="rec 1"), "recording_id", "valid_id"),
        (raw(metadata(), source_id="../x"), "source_id", "valid_id"),
        (raw(metadata(), made_by=" "), "made_by", "valid_label"),
        (raw(metadata(), unit="x" * 201), "unit", "valid_label"),
        (raw(metadata(), metadata__case_name=" \t"), "metadata.case_name", "not_blank"),
        (raw(metadata(), metadata__party_name="a\x00b"), "metadata.party_name", "valid_text"),
        (raw(metadata(), metadata__case_name="x" * (MOST_CHARS + 1)), "metadata.case_name", "valid_text"),
        (raw(metadata(), metadata__recorded_date="24.11.2026"), "metadata.recorded_date", "valid_date"),
        (raw(metadata(), metadata__recorded_date="2026-02-30"), "metadata.recorded_date", "valid_date"),
        (raw(metadata(), metadata__recorded_date="20261124"), "metadata.recorded_date", "valid_date"),
        (raw(metadata(), metadata__recorded_date="9999-12-31"), "metadata.recorded_date", "valid_date"),
        (fields(("stored_date", "2026-11-24")), "metadata.stored_date", "never_typed"),
        (fields(("sha256", "00")), "metadata.sha256", "never_typed"),
        (fields(("secrecy", "state")), "metadata.secrecy", "no_state_secrets"),
        (fields(("secrecy", "top")), "metadata.secrecy", "listed_value"),
        (fields(("retention_class", "forever")), "metadata.retention_class", "listed_value"),
        (fields(("continuity_class", "always")), "metadata.continuity_class", "listed_value"),
        (fields(("place", "a"), ("place", "b")), "metadata.place", "said_once"),
        (fields(("a=b", "x")), "metadata.a=b", "valid_name"),
        (raw(session_ended(), ended__reason="idle"), "ended.reason", "declared_by_people"),
        (raw(session_ended(), ended__expected_segments=-1), "ended.expected_segments", "valid_count"),
        (raw(window(0, 1000), window__reason=" "), "window.reason", "not_blank"),
        (raw(window(0, 1000), window__end=at(0)), "window.end", "ends_after_start"),
        (raw(window(0, 1000), window__start="yesterday"), "window.start", "valid_instant"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_rule(said: dict[str, Any], field: str, rule: str) -> None:
    assert (field, rule) in rules(said, refusing=True)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"gap_end": at(10_000)}, "explanation.gap_end", "ends_after_start"),
        ({"gap_end": at(8_000_000)}, "explanation.gap_end", "has_happened"),
        ({"reason": "R8"}, "explanation.reason", "known_reason"),
        ({"reason": None}, "explanation.reason", "known_reason"),
        ({"reason": "R9", "text": " "}, "explanation.text", "reason_in_words"),
        ({"voice_end": None}, "explanation.voice_end", "voice_whole"),
        ({"voice_start": None}, "explanation.voice_start", "voice_whole"),
        ({"voice_end": at(21_000)}, "explanation.voice_end", "ends_after_start"),
        ({"voice_start": at(10_000)}, "explanation.voice_start", "voice_after_restart"),
    ],
)
def test_an_explanation_that_cannot_be_right_is_refused(changes: dict[str, Any], field: str, rule: str) -> None:
    said = raw(
        explanation(10_000, 20_000, voice=(21_000, 25_000)),
        **{f"explanation__{name}": value for name, value in changes.items()},
    )

    assert (field, rule) in rules(said, refusing=True)


@pytest.mark.parametrize(
    ("changes", "remarks"),
    [
        ({}, []),
        ({"voice_start": None, "voice_end": None}, ["voice_missing"]),
        ({"voice_start": at(140_000), "voice_end": at(141_000)}, []),
        ({"voice_start": at(140_001), "voice_end": at(141_000)}, ["voice_late"]),
        ({"reason": "R9", "text": "the lamp fell"}, ["to_review"]),
    ],
)
def test_what_is_true_but_explains_nothing_is_taken_with_a_remark(changes: dict[str, Any], remarks: list[str]) -> None:
    said = raw(
        explanation(10_000, 20_000, voice=(21_000, 25_000)),
        **{f"explanation__{name}": value for name, value in changes.items()},
    )

    found = objections(said, NOW, POLICY)

    assert ([one.rule for one in found], refused(found)) == (remarks, False)


def test_everything_wrong_is_told_at_once() -> None:
    said = raw(metadata(), source_id="", made_by="", metadata__case_name=" ", metadata__recorded_date="soon")

    assert [field for field, _ in rules(said)] == [
        "source_id",
        "made_by",
        "metadata.case_name",
        "metadata.recorded_date",
    ]


@pytest.mark.parametrize("said", [{}, {"kind": "metadata"}, {"kind": "explanation", "explanation": 7, "source_id": []}])
def test_fields_of_a_wrong_type_are_left_to_the_codec(said: dict[str, Any]) -> None:
    assert all(one.field == "kind" for one in objections(said, NOW, POLICY))


def test_an_empty_description_says_nothing() -> None:
    assert rules(raw(metadata(), metadata={"extra": []})) == [("metadata", "something_said")]


def test_a_unit_asks_for_its_own_fields_besides() -> None:
    ours = policy(unit_mandatory_fields={"Team 2": ("case_no", "case_name")})
    said = raw(metadata(), unit="Team 2", metadata={"case_name": "A", "extra": [["party_name", "B"]]})

    assert [one.field for one in incomplete(said, ours)] == ["metadata.recorded_date", "metadata.case_no"]
    assert [one.field for one in incomplete({**said, "unit": "Team 1"}, ours)] == ["metadata.recorded_date"]
    assert not refused(incomplete(said, ours))
    assert refused(incomplete(said, ours, refuses=True))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_several_statements_the_last_said_counts_and_none_takes_a_field_away(order: tuple[int, ...]) -> None:
    said = [
        metadata("a", metadata=Metadata(case_name="A", extra=(("own", "1"), ("place", "Hall"))), made_at=WallMs(1)),
        metadata("b", metadata=Metadata(case_name="B", party_name=" "), made_at=WallMs(2), made_by="Wu"),
        metadata("c", metadata=Metadata(case_name="C"), made_at=WallMs(2), made_by="Li"),
    ]

    found = described(said[place] for place in order)

    assert [(name, field.text, field.annotation_id) for name, field in found.items()] == [
        ("case_name", "C", "c"),
        ("place", "Hall", "a"),
        ("own", "1", "a"),
    ]
    assert (found["case_name"].made_by, found["case_name"].made_at) == ("Li", 2)


def test_an_objection_names_field_rule_and_article_in_both_languages() -> None:
    said = Objection("metadata.case_name", "not_blank", "' '")

    assert in_words(said, "en") == (
        "metadata.case_name: expected a text that is not blank, found ' ' (rule not_blank, article 9)"
    )
    assert in_words(Objection("explanation.gap_end", "ends_after_start", ""), "zh").startswith(
        "中断结束（explanation.gap_end）："
    )
    assert in_words(said, "zh") == (
        "案件名称（metadata.case_name）：必须填写，不得为空；现为：' '（规则 not_blank，第九条）"
    )


@pytest.mark.parametrize(
    ("found", "chinese"),
    [
        ("nothing", "未填写"),
        ("1001 characters", "1001 个字符"),
        ("2 times", "2 次"),
        ("700 s, at most 600 s", "700 秒，至多 600 秒"),
        ("'x', not 30y, 10y", "'x'，可填 30y, 10y"),
        ("'nothing'", "'nothing'"),
    ],
)
def test_what_was_found_is_said_in_chinese_and_a_value_is_left_as_it_is(found: str, chinese: str) -> None:
    assert f"现为：{chinese}（" in in_words(Objection("metadata.place", "valid_text", found), "zh")


def test_a_field_of_another_article_names_that_article() -> None:
    assert Objection("metadata.secrecy", "no_state_secrets", "").article == 13
    assert Objection("metadata.place", "not_blank", "").article == 6
    assert "第十三条" in in_words(Objection("metadata.secrecy", "no_state_secrets", ""), "zh")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_said_in_both_languages_and_serves_an_article(rule: str) -> None:
    spoken = [in_words(Objection("made_by", rule, "x"), language) for language in ("en", "zh")]

    assert all("x" in words for words in spoken)
    assert 1 <= RULES[rule].article <= 18
    assert all(0 <= field.article <= 18 for field in BY_KEY.values())


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (handed_out(due_back=T0), ("issue.due_back", "due_back_later")),
        (handed_out(due_back=WallMs(T0 - 1)), ("issue.due_back", "due_back_later")),
        (handed_out(at=WallMs(NOW + AHEAD_MS + 1), due_back=WallMs(NOW + 86_400_000)), ("issue.at", "handed_over")),
        (given_back(at=WallMs(NOW + AHEAD_MS + 1)), ("returned.at", "handed_over")),
    ],
)
def test_a_device_changes_hands_when_it_does_and_is_due_back_later(made: Annotation, wrong: tuple[str, str]) -> None:
    assert rules(raw(made)) == [wrong]
    assert rules(raw(handed_out(at=WallMs(NOW + AHEAD_MS), due_back=WallMs(NOW + 86_400_000)))) == []


@pytest.mark.parametrize(("made", "body"), [(handed_out(), "issue"), (given_back(), "returned")])
def test_an_officer_has_a_name(made: Annotation, body: str) -> None:
    assert rules(raw(made, **{f"{body}__officer": " "})) == [(f"{body}.officer", "valid_label")]


def test_what_differs_of_two_statements_with_one_id_is_shown_with_both_sides() -> None:
    first = metadata("case-7", metadata=Metadata(case_name="c", extra=(("case_no", "118"),)), made_by="Li", made_at=T0)
    other = metadata("case-7", metadata=Metadata(case_name="c", extra=(("case_no", "119"),)), made_by="Wu", made_at=NOW)

    said = contradiction(first, other)

    assert said is not None
    text = in_words(said, "en")
    assert (said.field, said.rule, said.article, said.refuses) == ("annotation_id", "same_words", 10, True)
    assert "case-7: 2026-11-24T08:00:00.000Z, Li:" in text
    assert "metadata.extra.case_no '118', now '119'" in text
    assert "made_by 'Li', now 'Wu'" in text
    assert "id of its own" in text
    assert "case_name" not in text
    assert "请使用新的编号" in in_words(said, "zh")


def test_the_same_statement_is_the_same_whenever_it_is_said() -> None:
    assert contradiction(metadata(made_at=T0), metadata(made_at=NOW)) is None


def test_of_many_differences_some_are_shown_and_the_others_counted() -> None:
    said = contradiction(handed_out(), explanation(0, 1000, "out-1"))

    assert said is not None
    assert re.search(r"; \d+ more$", said.found)
