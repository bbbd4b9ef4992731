from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import cases, catalogue
from pipeline.cli.cases import lacks, row_of
from pipeline.domain.annotation import Annotation
from pipeline.domain.statement import described
from pipeline.wire.reports import Chained, Reported
from tests.builders import metadata, policy
from tests.builders_archive import archived, ended
from tests.wire.contract import validator

HEAD = "recording_id,source_id,案件名称,当事人,记录日期"
GOOD, BAD = "rec-1,bwc-1,案,某,2026-11-24", "rec-2,bwc-1,案,某,soon"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Annotation]:
    """What would go to the broker, and stands from then on."""
    kept: list[Annotation] = []

    async def keep(_settings: object, said: list[Annotation]) -> None:
        kept.extend(said)

    def standing(_settings: object, named: list[tuple[str, str]]) -> dict[str, list[Annotation]]:
        return {name: [one for one in kept if one.recording_id == name] for _, name in named}

    monkeypatch.setattr(cases, "_send", keep)
    monkeypatch.setattr(catalogue, "statements_about", standing)
    return kept


def bring_in(tmp_path: Path, lines: list[str], *wish: str) -> tuple[int, str]:
    table = tmp_path / "cases.csv"
    table.write_text("\n".join(lines), "utf-8")
    app = typer.Typer()
    cases.register(app)
    result = CliRunner().invoke(app, ["cases", "import", str(table), "--by", "Wu", *wish])
    return result.exit_code, result.output


def test_nothing_is_sent_unless_all_rows_are_right(tmp_path: Path, sent: list[Annotation]) -> None:
    code, said = bring_in(tmp_path, [HEAD, GOOD, BAD])

    assert (code, sent) == (1, [])
    assert "line 3, metadata.recorded_date: expected a day that has come" in said
    assert "(rule valid_date, article 9)" in said
    assert "nothing sent: mend 1 of 2 rows" in said


def test_the_right_rows_are_sent_if_that_is_wanted(tmp_path: Path, sent: list[Annotation]) -> None:
    code, said = bring_in(tmp_path, [HEAD, GOOD, BAD], "--partial")

    assert (code, [one.recording_id for one in sent]) == (1, ["rec-1"])
    assert "sent 1; 0 stand already; 1 refused" in said


def test_the_same_table_again_sends_nothing(tmp_path: Path, sent: list[Annotation]) -> None:
    first = bring_in(tmp_path, [HEAD, GOOD])
    again = bring_in(tmp_path, [HEAD, GOOD])

    assert (first[0], again[0], len(sent)) == (0, 0, 1)
    assert "1 stand already" in again[1]


def test_a_dry_run_says_what_would_be_sent(tmp_path: Path, sent: list[Annotation]) -> None:
    code, said = bring_in(tmp_path, [HEAD, GOOD], "--dry-run")

    assert (code, sent) == (0, [])
    assert "would send 1" in said


def test_the_answer_for_programs_is_as_its_schema_says(tmp_path: Path, sent: list[Annotation]) -> None:
    _, said = bring_in(tmp_path, [HEAD, GOOD, BAD], "--json", "--lang", "zh", "--partial")

    told: dict[str, Any] = json.loads(said)
    assert [error.message for error in validator("statements-told.v1").iter_errors(told)] == []
    assert (told["sent"], told["refused"]) == (1, 1)
    assert "记录日期" in told["statements"][1]["said"][0]["text"]


def test_a_row_given_out_holds_what_was_said_and_what_was_found_out() -> None:
    account = ended()
    known = Reported(
        account=account,
        chain=Chained(links=3, head="0" * 64, closed=True),
        archived=archived(),
        deadline=None,
        ended=True,
    )

    row = row_of(known, described([metadata()]))

    assert (row["recording_id"], row["verdict"], row["case_name"]) == (account.recording_id, account.verdict, "案 1")
    assert len(row["stored_date"]) == 10
    assert not lacks(row, policy())
    needed = policy(standing_description_kinds=())
    assert lacks(row_of(known, {}), needed)
    assert not lacks(row_of(known, {}), policy(standing_description_kinds=(account.source_kind,)))
    assert lacks(row, policy(standing_description_kinds=(), unit_mandatory_fields={account.unit: ("case_no",)}))
