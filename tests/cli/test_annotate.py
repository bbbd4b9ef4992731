from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from pipeline.adapters.clock import SystemClock
from pipeline.cli import annotate
from pipeline.domain.annotation import Annotation
from pipeline.domain.time import to_rfc3339


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
        "describe", "rec-1", "--source", "bwc-1", "--by", "Li", "--case-name", "无证经营", "--extra", "place=Hall 2"
    )

    (one,) = sent
    assert (code, said) == (0, f"sent metadata {one.annotation_id}")
    assert (one.kind, one.source_id, one.recording_id, one.made_by) == ("metadata", "bwc-1", "rec-1", "Li")
    assert one.metadata is not None
    assert (one.metadata.case_name, one.metadata.party_name) == ("无证经营", None)
    assert one.metadata.extra == (("place", "Hall 2"),)


def test_explain_sends_the_gap_and_where_the_reason_is_spoken(sent: list[Annotation]) -> None:
    code, _ = _run(
        "explain", "rec-1", "--source", "bwc-1", "--by", "Li", "--start", "2026-11-24T16:00:00+08:00",
        "--end", "2026-11-24T08:00:07.250Z", "--reason", "R4", "--voice-start", "2026-11-24T08:00:08Z",
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
        (("describe", "rec-1", "--source", "bwc-1"), "nothing to say"),
        (("describe", "rec-1", "--source", "bwc-1", "--extra", "place"), "expected NAME=VALUE"),
        (("describe", "rec 1", "--source", "bwc-1", "--party", "x"), "a recording id is 1 to 96 letters"),
        (("end", "rec-1", "--source", "bwc-1", "--expected", "-1"), "greater than or equal to 0"),
        (
            ("explain", "r", "--source", "s", "--start", "yesterday", "--end", "2026-11-24T08:00:00Z", "--reason", "R4"),
            "expected a time like",
        ),
        (
            ("schedule", "--source", "s", "--start", "2026-11-24T08:00:00", "--end", "2026-11-24T09:00:00", "--reason", "x"),
            "expected a time with its zone",
        ),
        (
            ("schedule", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:00:00Z", "--reason", "x"),
            "a window ends after it starts",
        ),
        (
            ("explain", "r", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:01:00Z", "--reason", "R8"),
            "expected one of R1",
        ),
        (
            ("explain", "r", "--source", "s", "--start", "2026-11-24T08:00:00Z", "--end", "2026-11-24T08:01:00Z", "--reason", "R9"),
            "reason R9 (other) needs a text",
        ),
    ],
)  # fmt: skip
def test_wrong_usage_is_named_and_nothing_is_sent(sent: list[Annotation], arguments: tuple[str, ...], why: str) -> None:
    code, said = _run(*arguments)

    assert code == 2
    assert why in said.replace("│ ", "").replace(" │", "")
    assert sent == []
