"""The page of ``unbroken sla report --html``: one file for people, in English or Chinese, that prints on A4.

It shows what the signed JSON holds and nothing else, needs no network and no script, and says on itself that the JSON is
what is signed. Names are a stranger's text: everything is escaped by :mod:`~pipeline.cli.markup`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from pipeline.cli.markup import Markup, asset, head, join, tag
from pipeline.cli.terms import TERMS, Terms
from pipeline.domain.dictionary import heading
from pipeline.domain.sla import Item, SlaReport, Totals
from pipeline.domain.statement import Language
from pipeline.domain.time import WallMs

Number = Callable[[Totals], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language; a word's name says where it stands."""

    tag: str
    terms: Terms
    title: str
    period: str
    every_unit: str
    not_complete: str
    not_known: str
    headings: tuple[str, str, str, str, str]
    tiles: tuple[str, ...]
    unit_columns: tuple[str, ...]
    missed_columns: tuple[str, ...]
    gap_columns: tuple[str, ...]
    camera_columns: tuple[str, ...]
    nothing: tuple[str, str, str, str]
    still_missing: str
    late: str
    no_duty: str
    reviews: dict[str, str]
    field: Callable[[str], str]
    signed: str


_EN: Final = Words(
    tag="en",
    terms=TERMS["en"],
    title="Recordings, deadlines and interruptions",
    period="{} to {} ({}), {}; made {}",
    every_unit="all units",
    not_complete="Not all deadlines of this period are decided yet: the counts may still change.",
    not_known="Not known, and not counted as zero: {}",
    headings=("By unit", "Missed deadlines (article 9)", "Interruptions (article 8)", "Cameras (article 3)", "How to check this"),
    tiles=("recordings", "in time", "missed", "of these made up for", "undecided", "gaps unexplained", "gaps explained", "waiting for a review"),
    unit_columns=("unit", "recordings", "in time", "missed", "made up for", "undecided", "unexplained", "explained", "to review"),
    missed_columns=("recording", "unit", "was due", "cause", "archived", "ask"),
    gap_columns=("recording", "from", "to", "seconds", "state", "said by"),
    camera_columns=("camera", "unit", "hours owed", "hours recorded", "available"),
    nothing=("No recordings.", "No deadline was missed.", "No interruption.", "No camera has stated hours."),
    still_missing="not archived",
    late="complete {}",
    no_duty="owed nothing",
    reviews={"not_needed": "", "waiting": ", to be reviewed", "accepted": ", accepted", "rejected": ", explanation rejected"},
    field=str,
    signed="This page is made from the signed JSON of the same report, which is what counts. Its signature (Ed25519, key {}) covers all "
    "of the JSON but the member “signature”, in canonical form (RFC 8785); docs/sla.md has the steps. Software {}, policy {}.",
)  # fmt: skip
_ZH: Final = Words(
    tag="zh-CN",
    terms=TERMS["zh"],
    title="音像记录期限与中断报告",
    period="{} 至 {}（{}），{}；生成于 {}",
    every_unit="全部单位",
    not_complete="本期尚有期限未到，数字可能变化。",
    not_known="未知，且未按零计：{}",
    headings=("按单位", "逾期记录（第九条）", "记录中断（第八条）", "固定监控（第三条）", "如何核验"),
    tiles=("应存记录", "按时", "逾期", "其中已补交", "未到期", "中断未说明", "中断已说明", "待复核"),
    unit_columns=("单位", "应存", "按时", "逾期", "已补交", "未到期", "未说明", "已说明", "待复核"),
    missed_columns=("记录", "单位", "期限", "原因", "归档", "询问"),
    gap_columns=("记录", "起", "止", "秒", "状态", "说明人"),
    camera_columns=("监控", "单位", "应录小时", "实录小时", "可用率"),
    nothing=("无记录。", "无逾期记录。", "无中断。", "没有登记录制时间的监控。"),
    still_missing="未归档",
    late="{} 补交",
    no_duty="无需录制",
    reviews={"not_needed": "", "waiting": "，待复核", "accepted": "，复核通过", "rejected": "，说明被驳回"},
    field=heading,
    signed="本页由同一报告的签名 JSON 生成，以 JSON 为准。签名（Ed25519，密钥 {}）覆盖 JSON 中除 “signature” 以外的全部内容（规范形式，RFC 8785）；"
    "核验步骤见 docs/zh/sla.md。软件 {}，策略 {}。",
)
WORDS: Final[dict[Language, Words]] = {"en": _EN, "zh": _ZH}

_COUNTS: Final[tuple[Number, ...]] = (
    lambda t: t.recordings,
    lambda t: t.met,
    lambda t: t.missed,
    lambda t: t.late,
    lambda t: t.open,
    lambda t: t.gaps_unexplained,
    lambda t: t.gaps_explained,
    lambda t: t.gaps_to_review,
)
_BAD: Final = (2, 5)
"""The counts that should be zero."""


def page(made: SlaReport, key_id: str, zone: tzinfo | None, language: Language) -> str:
    """The whole page; times are shown in *zone* (the machine's own when ``None``)."""
    words = WORDS[language]
    show = _Clock(zone)
    body = tag(
        "body",
        tag("h1", words.title),
        tag("p", _period(made, words, show), class_="lead"),
        *[tag("p", text, class_="note") for text in _notes(made, words)],
        tag("div", *_tiles(made.totals, words), class_="tiles"),
        *_section(words, 0, words.unit_columns, _units(made.units)),
        *_section(words, 1, words.missed_columns, _missed(made, words, show)),
        *_section(words, 2, words.gap_columns, _gaps(made, words, show)),
        *_section(words, 3, words.camera_columns, _cameras(made, words)),
        tag("h2", words.headings[4]),
        tag("footer", words.signed.format(key_id, made.software, made.policy_version)),
    )
    return join(
        Markup("<!DOCTYPE html>\n"),
        tag("html", head(words.title, asset("sla.css")), body, lang=words.tag),
        Markup("\n"),
    )


class _Clock:
    """Instants in one zone, to the second."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone

    def __call__(self, at: WallMs) -> str:
        return f"{self._local(at):%Y-%m-%d %H:%M:%S}"

    def minute(self, at: WallMs) -> str:
        return f"{self._local(at):%Y-%m-%d %H:%M}"

    def offset(self, at: WallMs) -> str:
        text = f"{self._local(at):%z}"
        return f"UTC{text[:3]}:{text[3:5]}"

    def _local(self, at: WallMs) -> datetime:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zone)


def _period(made: SlaReport, words: Words, show: _Clock) -> str:
    unit = made.unit or words.every_unit
    return words.period.format(
        show.minute(made.start), show.minute(made.end), show.offset(made.start), unit, show.minute(made.made_at)
    )


def _notes(made: SlaReport, words: Words) -> list[str]:
    open_ones = [] if made.complete else [words.not_complete]
    return open_ones + ([words.not_known.format("; ".join(made.not_known))] if made.not_known else [])


def _tiles(total: Totals, words: Words) -> list[str]:
    numbers = [count(total) for count in _COUNTS]
    return [
        tag("div", tag("b", str(number)), word, class_="tile bad" if number and place in _BAD else "tile")
        for place, (number, word) in enumerate(zip(numbers, words.tiles, strict=True))
    ]


def _section(words: Words, number: int, columns: Sequence[str], rows: Sequence[str]) -> list[str]:
    heading = tag("h2", words.headings[number])
    if not rows:
        return [heading, tag("p", words.nothing[number])]
    head = tag("thead", tag("tr", *[tag("th", name, scope="col") for name in columns]))
    return [heading, tag("table", head, tag("tbody", *rows))]


def _row(cells: Iterable[str | int]) -> str:
    return tag("tr", *[cell if isinstance(cell, Markup) else tag("td", str(cell)) for cell in cells])


def _units(units: Sequence[Totals]) -> list[str]:
    return [_row([total.unit or "", *[count(total) for count in _COUNTS]]) for total in units]


def _missed(made: SlaReport, words: Words, show: _Clock) -> list[str]:
    def archived(item: Item) -> str:
        if item.late_at is not None:
            return words.late.format(show.minute(item.late_at))
        return words.still_missing if item.archived_at is None else show.minute(item.archived_at)

    return [
        _row(
            [
                item.recording_id,
                item.unit,
                show.minute(item.due_at),
                words.terms.causes[item.cause or "unknown"]
                + (f" ({', '.join(map(words.field, item.missing_fields))})" if item.missing_fields else ""),
                archived(item),
                ", ".join(item.ask),
            ]
        )
        for item in made.recordings
        if item.outcome == "missed"
    ]


def _gaps(made: SlaReport, words: Words, show: _Clock) -> list[str]:
    rows = []
    for gap in made.gaps:
        state = words.terms.gaps["explained" if gap.explained else "unexplained"] + (
            f" ({gap.reason})" if gap.reason else ""
        )
        shown = tag("td", state + words.reviews[gap.review], class_=None if gap.explained else "bad")
        length = f"{gap.size_ms / 1000:.3f}" + (f" ±{gap.error_ms / 1000:.1f}" if gap.error_ms else "")
        rows.append(_row([gap.recording_id, show(gap.start), show(gap.end), length, shown, gap.said_by or ""]))
    return rows


def _cameras(made: SlaReport, words: Words) -> list[str]:
    return [
        _row(
            [
                camera.source_id,
                camera.unit,
                f"{camera.owed_ms / 3_600_000:.2f}",
                f"{camera.recorded_ms / 3_600_000:.2f}",
                words.no_duty
                if camera.available_millionths is None
                else f"{camera.available_millionths / 10_000:.2f} %",
            ]
        )
        for camera in made.cameras
    ]
