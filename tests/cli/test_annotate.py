from __future__ import annotations

from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from pipeline.adapters.clock import SystemClock
from pipeline.cli import annotate
from pipeline.domain.annotation import Annotation
from pipeline.domain.time import to_rfc3339
from tests.builders import T0


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Annotation]:
    """What would go to the broker; the sending itself is tried end to end."""
    kept: list[Annotation] = []

    async def keep(annotation: Annotation) -> None:
        kept.append(annotation)

    monkeypatch.setattr(annotate, "_send", keep)
    return kept


def _run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    annotate.register(app)
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join(result.output.split())


def test_describe_sends_the_case_data_as_given(sent: list[Annotation]) -> None:
    code, said = _run(
        "describe", "rec-1", "--source", "bwc-1", "--by", "Li", "--case-name", "无证经营", "--extra", "记录地点=Hall 2"
    )

    (one,) = sent
    assert code == 0
    assert f"sent metadata {one.annotation_id} in a moment `unbroken recordings {one.recording_id}`" in said
    assert "metadata.party_name: not said here" in said
    assert (one.kind, one.source_id, one.recording_id, one.made_by) == ("metadata", "bwc-1", "rec-1", "Li")
    assert one.metadata is not None
    assert (one.metadata.case_name, one.metadata.party_name) == ("无证经营", None)
    assert one.metadata.extra == (("place", "Hall 2"),)


def test_explain_sends_the_gap_and_where_the_reason_is_spoken(sent: list[Annotation]) -> None:
    code, _ = _run(
        "explain", "rec-1", "--source", "bwc-1", "--by", "Li", "--start", "2026-11-24T16:00:00+08:00",
        "--end", "2026-11-24T08:00:07.250Z", "--reason", "R4", "--voice-start", "2026-11-24T08:00:08Z",
        "--voice-end", "2026-11-24T08:00:11Z",
    )  # fmt: skip

    assert code == 0
    body = sent[0].explanation
    assert body is not None
    assert to_rfc3339(body.gap_start) == "2026-11-24T08:00:00.000Z"
    assert to_rfc3339(body.gap_end) == "2026-11-24T08:00:07.250Z"
    assert body.voice_start is not None
    assert to_rfc3339(body.voice_start) == "2026-11-24T08:00:08.000Z"


def test_end_says_how_many_files_were_sent(sent: list[Annotation]) -> None:
    code, _ = _run("end", "rec-1", "--source", "bwc-1", "--expected", "12")

    assert code == 0
    assert sent[0].ended is not None
    assert (sent[0].ended.reason, sent[0].ended.expected_segments) == ("declared", 12)


def test_schedule_is_about_a_source_and_no_recording(sent: list[Annotation]) -> None:
    window = ("--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:10:00Z")

    code, _ = _run("schedule", "--source", "hall-1", *window, "--reason", "lens cleaning")

    assert code == 0
    assert (sent[0].kind, sent[0].recording_id) == ("schedule_window", None)


def test_saying_the_same_again_is_another_statement(sent: list[Annotation], monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((1000, 1001))
    monkeypatch.setattr(SystemClock, "now", lambda self: next(ticks))

    for _ in range(2):
        _run("end", "rec-1", "--source", "bwc-1", "--by", "Li")

    assert len({one.annotation_id for one in sent}) == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("describe", "rec-1", "--source", "bwc-1"), "at least one field"),
        (("describe", "rec-1", "--source", "bwc-1", "--extra", "place"), "expected NAME=VALUE"),
        (("describe", "rec 1", "--source", "bwc-1", "--party", "x"), "recording_id: expected 1 to 96 letters"),
        (("end", "rec-1", "--source", "bwc-1", "--expected", "-1"), "greater than or equal to 0"),
        (
            ("explain", "r", "--source", "s", "--start", "yesterday", "--end", "2026-11-24T08:00:00Z", "--reason", "R4"),
            "explanation.gap_start: expected a time like 2026-11-24T08:00:00.000Z (UTC), found 'yesterday' (rule valid_instant, article 9)",
        ),
        (
            ("schedule", "--source", "s", "--start", "2026-11-24T08:00:00", "--end", "2026-11-24T09:00:00", "--reason", "x"),
            "window.start: expected a time like",
        ),
        (
            ("schedule", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:00:00Z", "--reason", "x"),
            "window.end: expected an end after its start",
        ),
        (
            ("explain", "r", "--source", "s", "--start", "gestern", "--end", "2026-11-24T08:00:00Z", "--reason", "R4", "--lang", "zh"),
            "中断开始（explanation.gap_start）：应为形如 2026-11-24T08:00:00.000Z 的时间（UTC）；现为：'gestern'（规则 valid_instant，第九条）",
        ),
        (
            ("explain", "r", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:01:00Z", "--reason", "R8"),
            "explanation.reason: expected one of R1",
        ),
        (
            ("explain", "r", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:01:00Z", "--reason", "R9"),
            "explanation.text: expected a text, because the reason is R9 (other)",
        ),
    ],
)  # fmt: skip
def test_wrong_usage_is_named_and_nothing_is_sent(sent: list[Annotation], arguments: tuple[str, ...], why: str) -> None:
    code, said = _run(*arguments)

    assert code == 2
    assert why in said.replace("│ ", "").replace(" │", "")
    assert sent == []


def test_what_is_refused_is_not_called_taken(sent: list[Annotation]) -> None:
    span = ("--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:01:00Z")

    _, refused = _run("explain", "r", "--source", "s", *span, "--reason", "R9")
    _, taken = _run("explain", "r", "--source", "s", *span, "--reason", "R9", "--text", "a parade")

    assert "taken" not in refused
    assert "taken, but unspoken" in taken
    assert len(sent) == 1


def test_two_statements_of_one_moment_have_one_id_only_if_they_are_one() -> None:
    def said(name: str) -> str:
        return str(annotate.raw("metadata", "bwc-1", "rec-1", "Li", metadata={"case_name": name})["annotation_id"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotate, "SystemClock", lambda: SimpleNamespace(now=lambda: T0))
        ids = [said("a"), said("b"), said("a")]

    assert (ids[0] == ids[2], ids[0] == ids[1]) == (True, False)


def test_a_review_names_the_explanation_and_what_came_of_it(sent: list[Annotation]) -> None:
    code, said = _run(
        "review", "rec-1", "--source", "bwc-1", "--by", "Wu", "--of", "said-1", "--reject", "--note", "no"
    )

    assert code == 0
    assert said.startswith(f"sent metadata {sent[0].annotation_id} in a moment `unbroken gaps --source bwc-1`")
    assert sent[0].metadata is not None
    assert sent[0].metadata.extra == (
        ("reviewed_explanation", "said-1"),
        ("review_result", "rejected"),
        ("review_note", "no"),
    )


def test_a_dry_run_shows_the_statement_and_sends_none(sent: list[Annotation]) -> None:
    code, said = _run("end", "rec-1", "--source", "bwc-1", "--expected", "12", "--dry-run")

    assert (code, sent) == (0, [])
    assert '"expected_segments":12' in said


def test_what_is_wrong_is_said_in_chinese_with_the_article(sent: list[Annotation]) -> None:
    code, said = _run(
        "describe", "rec-1", "--source", "bwc-1", "--extra", "存储日期=2026-11-24", "--party", " ", "--lang", "zh"
    )

    assert (code, sent) == (2, [])
    assert "存储日期（metadata.stored_date）：不得填写：由系统自动生成" in said
    assert "（规则 never_typed，第九条）" in said
    assert "当事人（metadata.party_name）：必须填写" in said
