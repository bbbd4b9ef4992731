"""The report as people get it: a page in two languages, a table, some lines."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import sla as command
from pipeline.cli.sla import in_words, write_csv
from pipeline.cli.sla_page import WORDS, page
from pipeline.domain.duty import Camera, with_schedule
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.seal import with_signature
from pipeline.domain.sla import Facts, SlaReport, document, report
from pipeline.domain.statement import Language
from pipeline.domain.time import WallMs
from tests.builders import T0, always, annotation, explanation, policy
from tests.builders_archive import gap
from tests.domain.test_sla import BWC, DAY, HOUR, LATER, PERIOD, change, kept

SHANGHAI = ZoneInfo("Asia/Shanghai")


def made(**changes: object) -> SlaReport:
    hall = SourceId("hall-1")
    hours = annotation("s", "schedule", schedule=always(), unit="service hall", made_at=WallMs(T0 - DAY))
    why = explanation(5_000, 12_000, "why-1", made_by="Li", recording_id=RecordingId("bwc-1-morning"))
    facts = Facts(
        changes=(
            change("bwc-1-morning", "met"),
            change("bwc-2-noon", "missed", cause="metadata", missing_fields=("party_name",)),
            change("issued-1", "missed", unit="<script>alert(1)</script>", cause="not_docked"),
            change("hall-1-10", "met", source_id=hall, unit="service hall", source_kind="cctv"),
        ),
        kept={
            (BWC, RecordingId("bwc-1-morning")): kept(
                gap(5_000, 12_000, state="explained", reason="R9", explained_by="why-1"),
                gap(40_000, 45_250, state="unexplained"),
                statements=(why,),
            ),
            (hall, RecordingId("hall-1-10")): kept(runs=((0, 23 * HOUR),)),
        },
        said=(),
        cameras={hall: ("cctv", with_schedule(Camera(), hours, policy()))},
    )
    built = report(facts, None, PERIOD, LATER, policy(), "unbroken test")
    return replace(built, **changes)  # type: ignore[arg-type]  # names of its fields


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_tells_all_of_the_report_and_needs_nothing_from_elsewhere(language: Language) -> None:
    text = page(made(), "key-1", SHANGHAI, language)

    assert "2026-11-24 16:00" in text
    assert all(
        word in text
        for word in ("bwc-2-noon", "party_name" if language == "en" else "当事人", "5.250", "95.83 %", "Li", "key-1")
    )
    assert all(word in text for word in WORDS[language].tiles)
    assert re.findall(r"(?:https?:)?//\S+|<script|<img|@import|url\(", text) == []


def test_what_a_stranger_named_is_text_on_the_page() -> None:
    text = page(made(), "key-1", SHANGHAI, "en")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_that_is_not_complete_or_does_not_know_says_so(language: Language) -> None:
    words = WORDS[language]

    text = page(made(complete=False, not_known=("deadlines before May",)), "key-1", SHANGHAI, language)

    assert words.not_complete in text
    assert "deadlines before May" in text
    assert words.not_complete not in page(made(), "key-1", SHANGHAI, language)


def test_an_empty_period_is_said_in_words_and_not_left_blank() -> None:
    empty = report(Facts(changes=(), kept={}, said=(), cameras={}), None, PERIOD, LATER, policy(), "unbroken test")

    text = page(empty, "key-1", SHANGHAI, "en")

    assert all(word in text for word in WORDS["en"].nothing)


def test_the_table_has_a_line_for_each_recording(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(made())

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    by_name = {row["recording_id"]: row for row in rows}
    assert len(rows) == 4
    assert by_name["bwc-2-noon"]["missing_fields"] == "party_name"
    assert by_name["bwc-1-morning"]["gaps_unexplained"] == "1"
    assert by_name["bwc-1-morning"]["due_at"].endswith("Z")


def test_a_terminal_is_told_the_counts_and_whom_to_ask() -> None:
    lines = in_words(made(complete=False, not_known=("deadlines before May",)))

    assert "recordings 4: 2 in time, 2 missed (0 of these made up for), 0 undecided" in lines
    assert "missed bwc-2-noon: metadata (party_name); ask Team 2" in lines
    assert "camera hall-1: 95.83 % of 24.00 h" in lines
    assert lines[-1] == "NOT KNOWN: deadlines before May"


def test_the_parts_of_one_report_agree_with_its_signed_document() -> None:
    document_of = json.loads(with_signature(document(made(), "key-1"), b"sig"))

    assert document_of["totals"]["missed"] == len([i for i in document_of["recordings"] if i["outcome"] == "missed"])
    assert document_of["totals"]["recordings"] == sum(unit["recordings"] for unit in document_of["units"])
    assert document_of["recordings"][0]["source_id"] == BWC


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ((None, None), ("2026-11-23", "2026-11-24")),
        ((None, "2026-11-01"), ("2026-10-31", "2026-11-01")),
        (("2026-11-01", None), ("2026-11-01", "2026-11-24")),
    ],
)
def test_without_days_it_is_yesterday_and_today_because_what_is_missed_now_began_then(
    asked: tuple[str | None, str | None], days: tuple[str, str]
) -> None:
    first, last = (text and date.fromisoformat(text) for text in asked)

    found = command.days(first or None, last or None, date(2026, 11, 24))

    assert tuple(day.isoformat() for day in found) == days


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (("--from", "2026-11-24", "--to", "2026-11-23"), "expected a day from 2026-11-24 on"),
        (("--from", "yesterday", "--to", "2026-11-23"), "expected a day"),
        (("--from", "2026-11-24", "--to", "2026-11-24", "--json", "--csv"), "choose one"),
        (("--from", "2026-11-24", "--to", "2026-11-24", "--lang", "fr"), "expected one of en, zh"),
    ],
)
def test_wrong_usage_is_named_before_anything_is_asked(wish: tuple[str, ...], why: str) -> None:
    app = typer.Typer()
    command.register(app)

    result = CliRunner().invoke(app, ["sla", "report", *wish])

    assert result.exit_code == 2
    assert why in " ".join(result.output.replace("│", "").split())


def test_the_example_in_the_schemas_is_such_a_report() -> None:
    path = Path(__file__).parents[2] / "schemas/examples/sla-report.v1/valid/a-day.json"

    assert set(json.loads(path.read_bytes())) == set(json.loads(with_signature(document(made(), "key-1"), b"sig")))
