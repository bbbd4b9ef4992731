"""A device handed out, taken back, and a site's hours: said as they were meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import hours, issue
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import SourceId
from pipeline.domain.schedule import SpecialDay
from pipeline.domain.time import from_rfc3339
from pipeline.wire.hours import Hours
from tests.builders import T0, always
from tests.wire.contract import accepts
from tests.wire.test_hours import GOOD


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    issue.register(app)
    hours.register(app)
    result = CliRunner().invoke(app, [*arguments])
    if isinstance(result.exception, Misconfigured):
        raise result.exception
    return result.exit_code, result.output


def said(*arguments: str) -> dict[str, Any]:
    code, text = run(*arguments, "--dry-run")
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    assert accepts("annotation.made.v1", found)
    return found


def test_a_device_is_handed_out_until_it_is_due_back() -> None:
    found = said(
        "issue", "bwc-017", "--unit", "inspection-2", "--officer", "0471", "--by", "desk",
        "--at", "2026-11-24T08:30:00+08:00", "--due-back", "2026-11-24T18:00:00+08:00",
    )  # fmt: skip

    assert (found["kind"], found["source_id"], found["unit"], found["made_by"]) == (
        "issued",
        "bwc-017",
        "inspection-2",
        "desk",
    )
    assert found["issue"] == {
        "at": "2026-11-24T00:30:00.000Z",
        "officer": "0471",
        "due_back": "2026-11-24T10:00:00.000Z",
        "source_kind": "body_camera",
    }


@pytest.mark.parametrize(("more", "recorded"), [((), True), (("--nothing-recorded",), False)])
def test_a_device_comes_back_with_or_without_a_recording(more: tuple[str, ...], recorded: bool) -> None:
    found = said("return", "bwc-017", "--officer", "0471", "--at", "2026-11-24T09:30:00Z", *more)

    assert found["returned"] == {"at": "2026-11-24T09:30:00.000Z", "officer": "0471", "recorded": recorded}


@pytest.mark.parametrize(
    "wrong", [("--due-back", "2020-01-01T00:00:00Z"), ("--kind", "drone"), ("--officer", ""), ("--unit", "")]
)
def test_what_cannot_be_meant_is_not_sent(wrong: tuple[str, str]) -> None:
    given = {"--unit": "u", "--officer": "o", "--due-back": "2999-01-01T00:00:00Z", wrong[0]: wrong[1]}

    code, _ = run("issue", "bwc-017", *(part for pair in given.items() for part in pair), "--dry-run")

    assert code == 2


def test_the_hours_of_the_next_days_are_shown_as_the_wall_shows_them(tmp_path: Path) -> None:
    file = tmp_path / "hours.toml"
    file.write_text(GOOD, "utf-8")

    code, text = run("hours", str(file), "--from", "2026-09-28T00:00:00+08:00", "--dry-run")

    assert code == 0
    assert text.splitlines() == [
        "hall-1, hall-2 of service-hall, silent after 900 s:",
        "  Mon 2026-09-28 08:30 - 12:00",
        "  Mon 2026-09-28 13:30 - 00:00",
        "  Mon 2026-10-05 08:30 - 12:00",
        "  Mon 2026-10-05 13:30 - 00:00",
        "  Sat 2026-10-10 08:30 - 17:30",
    ]


def test_the_same_hours_are_the_same_statement_and_others_are_not() -> None:
    stated = Hours(unit="hall", cameras=(SourceId("a"), SourceId("b")), schedule=always())
    changed = Hours(unit="hall", cameras=(SourceId("a"),), schedule=always(special=(SpecialDay(day="2026-10-01"),)))

    ids = [one.annotation_id for one in hours.statements(stated, T0, "desk")]
    again = [one.annotation_id for one in hours.statements(stated, from_rfc3339("2027-01-01T00:00:00.000Z"), "Li")]
    others = [one.annotation_id for one in hours.statements(changed, T0, "desk")]

    assert ids == again
    assert len({*ids, *others}) == 3


def test_hours_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nothing\.toml"):
        run("hours", str(tmp_path / "nothing.toml"))
