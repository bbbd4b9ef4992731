from __future__ import annotations

import pytest

from pipeline.domain.annotation import Annotation
from pipeline.domain.policy import Policy
from pipeline.domain.statement import described
from pipeline.wire import case_table
from pipeline.wire.case_table import MOST_BYTES, MOST_ROWS, Row, Source, Standing, recordings_of
from tests.builders import T0, policy

POLICY = policy()
HEAD = "记录编号,设备编号,单位,案件名称,当事人,记录日期,案件编号"
ROW = "rec-1,bwc-1,Team 2,无证经营,某公司,2026-11-24,118"


def read(
    *lines: str, standing: Standing | None = None, rules: Policy = POLICY, encoding: str = "utf-8"
) -> tuple[Row, ...]:
    return case_table.read("\n".join(lines).encode(encoding), standing or {}, Source("Wu", T0), rules)


def faults(rows: tuple[Row, ...]) -> list[tuple[int, str, str]]:
    return [(row.line, one.field, one.rule) for row in rows for one in row.said if one.refuses]


def said(rows: tuple[Row, ...]) -> list[Annotation]:
    return [row.annotation for row in rows if row.annotation is not None]


def standing_after(*rows: tuple[Row, ...]) -> Standing:
    """What stands once the statements of *rows* are kept, said one after the other."""
    found: dict[str, list[Annotation]] = {}
    for one in [annotation for table in rows for annotation in said(table)]:
        found.setdefault(str(one.recording_id), []).append(one)
    return {name: described(many) for name, many in found.items()}


def test_a_row_becomes_a_statement_of_who_brought_it() -> None:
    (one,) = said(read(HEAD, ROW))

    assert (one.recording_id, one.source_id, one.unit, one.made_by, one.made_at) == (
        "rec-1",
        "bwc-1",
        "Team 2",
        "Wu",
        T0,
    )
    assert one.metadata is not None
    assert (one.metadata.case_name, one.metadata.extra) == ("无证经营", (("case_no", "118"),))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("day", ["2026-11-24", "2026/11/24", "2026年11月24日"])
def test_a_spreadsheets_own_habits_are_read(encoding: str, day: str) -> None:
    (one,) = said(read(HEAD, ROW.replace("2026-11-24", day), encoding=encoding))

    assert one.metadata is not None
    assert (one.metadata.party_name, one.metadata.recorded_date) == ("某公司", "2026-11-24")


def test_a_filled_in_list_of_matters_is_read_as_it_is_published() -> None:
    head = "序号,执法类别,执法环节,记录方式,记录场合,记录内容,开始记录时间,记录过程,结束记录时间,记录部门,记录人员,记录编号,设备编号,案件名称,当事人,记录日期"
    row = "3,行政处罚,抽样取证,录像,现场,取样,9:00,全程,9:30,二中队,李,rec-1,bwc-1,案,某,2026-11-24"

    (one,) = said(read(head, row))

    assert one.metadata is not None
    assert dict(one.metadata.extra)["matter_id"] == "3"
    assert dict(one.metadata.extra)["step"] == "抽样取证"


def test_a_table_read_twice_says_nothing_the_second_time() -> None:
    first = read(HEAD, ROW)

    again = read(HEAD, ROW, standing=standing_after(first))

    assert (said(again), faults(again)) == ([], [])


def test_two_readings_at_once_say_the_same_statement() -> None:
    assert [one.annotation_id for one in said(read(HEAD, ROW))] == [one.annotation_id for one in said(read(HEAD, ROW))]


def test_an_older_value_put_back_is_a_new_statement() -> None:
    first = read(HEAD, ROW)
    other = read(HEAD, ROW.replace("118", "119"), standing=standing_after(first))

    back = read(HEAD, ROW, standing={"rec-1": described(said(other))})

    assert len({one.annotation_id for rows in (first, other, back) for one in said(rows)}) == 3


def test_a_wrong_row_names_line_field_and_rule_and_the_right_ones_stay_right() -> None:
    rows = read(HEAD, ROW, "", "rec-2,bwc-1,Team 2,案,某,2026-02-30,1", "rec 3,,Team 2, ,某,2026-11-24,1")

    assert faults(rows) == [
        (4, "metadata.recorded_date", "valid_date"),
        (5, "source_id", "valid_id"),
        (5, "recording_id", "valid_id"),
        (5, "metadata.case_name", "mandatory"),
    ]
    assert [row.annotation is None for row in rows] == [False, True, True]


def test_a_unit_is_asked_for_its_own_fields_and_what_stands_counts() -> None:
    ours = policy(unit_mandatory_fields={"Team 2": ("case_no",)})
    bare = ROW.removesuffix("118")

    assert faults(read(HEAD, bare, rules=ours)) == [(2, "metadata.case_no", "mandatory")]
    assert faults(read(HEAD, bare, rules=ours, standing=standing_after(read(HEAD, ROW)))) == []


def test_columns_the_system_finds_out_are_passed_over() -> None:
    (one,) = said(read(HEAD + ",存储日期,数字摘要", ROW + ",2020-01-01,00"))

    assert one.metadata is not None
    assert one.metadata.extra == (("case_no", "118"),)


@pytest.mark.parametrize(
    ("lines", "field", "rule"),
    [
        (("案件名称", "案"), "recording_id", "column_missing"),
        (("",), "source_id", "column_missing"),
        ((HEAD + ",case_no", ROW + ",1"), "case_no", "said_once"),
        ((HEAD, *[ROW] * (MOST_ROWS + 1)), "table", "readable_table"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_at_its_first_line(
    lines: tuple[str, ...], field: str, rule: str
) -> None:
    assert (1, field, rule) in faults(read(*lines))


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"a" * (MOST_BYTES + 1), b'"' + b"x" * 200_000])
def test_bytes_that_are_no_table_are_refused(data: bytes) -> None:
    assert faults(case_table.read(data, {}, Source("Wu", T0), POLICY))
    assert recordings_of(data) == []


def test_a_cell_without_a_heading_is_not_lost_in_silence() -> None:
    assert faults(read(HEAD, ROW + ",more")) == [(2, "table", "no_heading")]


def test_the_recordings_of_a_table_are_known_before_it_is_judged() -> None:
    assert recordings_of(f"{HEAD}\n{ROW}".encode()) == [("bwc-1", "rec-1")]


def test_what_is_written_is_read_back_and_no_spreadsheet_runs_it() -> None:
    row = {
        "recording_id": "rec-1",
        "source_id": "bwc-1",
        "case_name": "=HYPERLINK(1)",
        "party_name": "某,公司\n二",
        "recorded_date": "2026-11-24",
    }

    written = "".join(case_table.write([row], tuple(row), "zh"))
    (one,) = said(case_table.read(written.encode(), {}, Source("Wu", T0), POLICY))

    assert written.startswith("\ufeff记录编号,设备编号,案件名称,当事人,记录日期\r\n")
    assert "'=HYPERLINK" in written
    assert one.metadata is not None
    assert (one.metadata.case_name, one.metadata.party_name) == (row["case_name"], row["party_name"])


def test_a_row_of_a_kind_that_needs_no_case_may_stay_empty() -> None:
    head = "记录编号,设备编号,设备类型,案件名称,当事人,记录日期"

    assert (said(read(head, "h-1,hall-1,cctv,,,")), faults(read(head, "h-1,hall-1,cctv,,,"))) == ([], [])
    assert len(faults(read(head, "b-1,bwc-1,body_camera,,,"))) == 3
