"""The table a case system and we exchange: one row for a recording, columns by the headings of the dictionary.

Read rules: UTF-8 or GB18030, commas, the first row the headings, in any order and either language. Columns the system
finds out by itself are passed over, so an exported table can be filled in and read back. An empty cell says nothing. A day
may be written 2026/11/24 or 2026年11月24日, as spreadsheets do. A row says only what does not stand already, so reading a
table twice changes nothing the second time, and an older value put back is a new statement.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.domain.annotation import Annotation
from pipeline.domain.canonical import digest
from pipeline.domain.dictionary import BY_KEY, OF_ARTICLE_9, heading, key_of
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Described, Language, Objection, incomplete, news
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.wire.statements import take

MOST_BYTES: Final = 16 << 20
MOST_ROWS: Final = 20_000
_NAMES: Final = ("recording_id", "source_id", "unit_id")
_DAY: Final = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run a cell that begins so."""

Standing = Mapping[str, Mapping[str, Described]]
"""The fields that stand already, by recording."""


class Row(NamedTuple):
    """``annotation`` is ``None`` where the row is refused, or says nothing new."""

    line: int
    recording: str
    annotation: Annotation | None
    said: tuple[Objection, ...]

    @property
    def refused(self) -> bool:
        """Whether anything is wrong with it."""
        return any(one.refuses for one in self.said)


class Source(NamedTuple):
    """Who brings the rows in, and when."""

    by: str
    at: WallMs


def recordings_of(data: bytes) -> list[tuple[str, str]]:
    """The sources and recordings a table names, as they stand there; nothing for what is no table."""
    read = _table(data)
    return [] if isinstance(read, Row) else [(row["source_id"], row["recording_id"]) for _, row in read[1]]


def read(data: bytes, standing: Standing, source: Source, policy: Policy) -> tuple[Row, ...]:
    """Every row of the table with what is to be said against it, in order."""
    table = _table(data)
    if isinstance(table, Row):
        return (table,)
    return tuple(_row(line, cells, standing, source, policy) for line, cells in table[1])


def _table(data: bytes) -> Row | tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The headings' keys and the rows by them, or the first row's objections."""
    if len(data) > MOST_BYTES:
        return _no_table("table", "readable_table", f"{len(data)} bytes; {MOST_BYTES}")
    text = _text(data)
    if text is None:
        return _no_table("table", "readable_table", "neither UTF-8 nor GB18030")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as exc:
        return _no_table("table", "readable_table", str(exc))
    keys = [key_of(cell) for cell in lines[0][1]] if lines else []
    faults = [Objection(name, "column_missing", "") for name in _NAMES[:2] if name not in keys]
    faults += [
        Objection(name, "said_once", "") for name in sorted({name for name in keys if keys.count(name) > 1 and name})
    ]
    if faults:
        return Row(1, "", None, tuple(faults))
    if len(lines) > MOST_ROWS + 1:
        return _no_table("table", "readable_table", f"{len(lines) - 1} rows; {MOST_ROWS}")
    rows = []
    for line, cells in lines[1:]:
        named = {key: _cell(cell) for key, cell in zip(keys, cells, strict=False) if key}
        beyond = [cell for cell in cells[len(keys) :] if cell.strip()]
        rows.append((line, {**dict.fromkeys(_NAMES, ""), **named, **({"": beyond[0]} if beyond else {})}))
    return keys, rows


def _no_table(field: str, rule: str, found: str) -> Row:
    return Row(1, "", None, (Objection(field, rule, found),))


def _text(data: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _cell(text: str) -> str:
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _row(line: int, cells: dict[str, str], standing: Standing, source: Source, policy: Policy) -> Row:
    recording, unit = cells["recording_id"], cells["unit_id"]
    stands = standing.get(recording, {})
    told = {
        key: text
        for key, text in cells.items()
        if text and key and key not in _NAMES and not (key in BY_KEY and BY_KEY[key].computed)
    }
    if day := _DAY.fullmatch(told.get("recorded_date", "")):
        told["recorded_date"] = f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}"
    new = news(told, stands)
    taken = take(_raw(cells, told, _name(recording, new, stands), source), source.at, policy)
    whole = _raw(cells, {name: field.text for name, field in stands.items()} | told, "whole", source)
    said = list(taken.said) if told else []
    if cells.get("device_kind") not in policy.standing_description_kinds:
        said += incomplete({**whole, "unit": unit or None}, policy, refuses=True)
    if "" in cells:
        said.append(Objection("table", "no_heading", repr(cells[""][:80])))
    refused = any(one.refuses for one in said)
    return Row(line, recording, None if refused or not new else taken.annotation, tuple(said))


def _raw(cells: Mapping[str, str], told: Mapping[str, str], name: str, source: Source) -> dict[str, Any]:
    body: dict[str, Any] = {key: told[key] for key in OF_ARTICLE_9 if key in told}
    body["extra"] = [[key, text] for key, text in told.items() if key not in OF_ARTICLE_9]
    return {
        "annotation_id": name,
        "kind": "metadata",
        "source_id": cells["source_id"],
        "recording_id": cells["recording_id"],
        "unit": cells["unit_id"] or None,
        "made_at": to_rfc3339(source.at),
        "made_by": source.by,
        "metadata": body,
    }


def _name(recording: str, new: Mapping[str, str], stands: Mapping[str, Described]) -> str:
    """The same for the same news after the same statements, so two imports of one table say one thing."""
    before = sorted({stands[name].annotation_id for name in new if name in stands})
    return f"case-{digest([recording, dict(sorted(new.items())), before])[:32]}"


def write(rows: Iterable[Mapping[str, str]], columns: Sequence[str], language: Language) -> Iterator[str]:
    """The table's lines, with the mark that makes spreadsheets read it as UTF-8."""
    shown = io.StringIO(newline="")
    table = csv.writer(shown, lineterminator="\r\n")
    shown.write("\ufeff")
    table.writerow(heading(key) if language == "zh" else key for key in columns)
    for row in rows:
        table.writerow(_guarded(row.get(key, "")) for key in columns)
        yield shown.getvalue()
        shown.seek(0)
        shown.truncate()
    yield shown.getvalue()


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
