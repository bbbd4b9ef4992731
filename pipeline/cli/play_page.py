"""The page of ``unbroken play``: a recording played from the store, its gaps on a timeline, and what the viewing is for.

One HTML file in English or Chinese. The player (hls.js) is the only script from outside it, named by its digest, as are the
page's own style and script, so that nothing put in their place runs. Gaps are hatched and told in words: a player alone
would jump over one without a trace. Names of files are a stranger's text and are escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipeline.cli.markup import Markup, asset, digest, head, join, tag
from pipeline.cli.printable import printable
from pipeline.cli.terms import TERMS, Terms
from pipeline.domain.continuity import Gap
from pipeline.domain.playlist import Placed, written
from pipeline.domain.statement import Language
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.domain.viewing import Explained, Part, Shown, Span, parts
from pipeline.steps.view import Paged

PLAYER: Final = "hls.light.min.js"
_BAR: Final = 1000
_LEAST: Final = 3
"""Width of what would be too narrow to see."""
_BEFORE_S: Final = 3


class Words(NamedTuple):
    """What the page says, in one language."""

    tag: str
    terms: Terms
    purpose: str
    recorded: str
    gaps: str
    no_gaps: str
    files: str
    halt: str
    hint: str
    gap_heads: tuple[str, ...]
    file_heads: tuple[str, ...]
    gap_said: str
    still_said: str
    explained: str
    watch: str
    ways: dict[str, str]
    left_out: str
    unsupported: str
    failed: str
    footer: str


_ENGLISH: Final = Words(
    tag="en",
    terms=TERMS["en"],
    purpose="Shown to {by} until {until} for this purpose: {purpose}. Any other use is forbidden.",
    recorded="This viewing is recorded as {record}.",
    gaps="Interruptions",
    no_gaps="None is known.",
    files="Files",
    halt="stop at interruptions",
    hint="Hatched: nothing was recorded. Click the bar to go there.",
    gap_heads=("from (UTC)", "to", "seconds", "state", ""),
    file_heads=("file", "from (UTC)", "shown", "SHA-256 of the original"),
    gap_said="Nothing was recorded from {start} to {end} ({seconds} s): {state}.",
    still_said="Nothing was recorded from {start} to {end} ({seconds} s), the picture stands still: {state}.",
    explained="{state} ({reason}){said}",
    watch="look",
    ways={
        "in_place": "the original itself",
        "derived": "a copy in other packaging, nothing encoded anew ({why})",
        "none": "not shown: {why}",
    },
    left_out="; without its sound ({codecs}), which no browser plays",
    unsupported="This browser cannot play it: it has no Media Source Extensions.",
    failed="It cannot be played in this browser",
    footer="Revision {revision}, manifest {digest}. What is shown is for looking; the evidence is the originals and their records.",
)
_CHINESE: Final = Words(
    tag="zh",
    terms=TERMS["zh"],
    purpose="调阅人：{by}；有效期至：{until}；调阅用途：{purpose}。不得用于其他用途。",
    recorded="本次调阅已登记：{record}。",
    gaps="中断",
    no_gaps="未发现中断。",
    files="文件",
    halt="遇中断时暂停",
    hint="斜线部分：未录制。点击时间条可跳转。",
    gap_heads=("起（UTC）", "止", "秒", "状态", ""),
    file_heads=("文件", "起（UTC）", "播放方式", "原始文件 SHA-256"),
    gap_said="{start} 至 {end}（{seconds} 秒）未录制：{state}。",
    still_said="{start} 至 {end}（{seconds} 秒）未录制，画面静止：{state}。",
    explained="{state}（{reason}）{said}",
    watch="查看",
    ways={
        "in_place": "原始文件",
        "derived": "仅更换封装的副本，未重新编码（{why}）",
        "none": "无法播放：{why}",
    },
    left_out="；不含声音（{codecs}），浏览器无法播放",
    unsupported="此浏览器不支持媒体源扩展，无法播放。",
    failed="此浏览器无法播放",
    footer="版本 {revision}，清单 {digest}。此处仅供查看；证据为原始文件及其记录。",
)
WORDS: Final[Mapping[Language, Words]] = {"en": _ENGLISH, "zh": _CHINESE}


def player() -> bytes:
    """The player's program, as its makers published it."""
    return (files("pipeline.cli") / PLAYER).read_bytes()


def page(paged: Paged, player_address: str, words: Words) -> str:
    """The page that plays *paged*."""
    style, script = asset("play.css"), asset("play.js")
    gaps = paged.archived.account.gaps
    played, placed, total_s = parts(paged.slots, gaps)
    view, account = paged.view, paged.archived.account
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(player_address))
    verdict = words.terms.verdicts[account.verdict]
    body = tag(
        "body",
        tag("h1", f"{view.recording_id}: {verdict}"),
        tag(
            "div",
            tag("p", words.purpose.format(by=view.by, until=_clock(view.until), purpose=view.purpose)),
            tag("p", words.recorded.format(record=paged.record)),
            class_="purpose",
        ),
        tag("div", tag("video", controls=True, playsinline=True), tag("p", id="said", role="status"), class_="screen"),
        _bar(placed, total_s),
        tag(
            "div",
            tag("span", id="clock"),
            tag("span", words.hint),
            tag("label", tag("input", type="checkbox", id="halt"), f" {words.halt}"),
            class_="controls",
        ),
        tag("h2", words.gaps),
        _gaps(paged, placed, words),
        tag("h2", words.files),
        _files(paged, words),
        tag("footer", tag("p", words.footer.format(revision=view.revision, digest=view.manifest_sha256))),
        _data(json.dumps(_told(paged, played, placed, total_s, words), ensure_ascii=False)),
        tag("script", src=player_address, integrity=digest(player()), crossorigin="anonymous"),
        tag("script", script),
    )
    sources = f"connect-src blob: {origin}; media-src blob:; "
    top = head(view.recording_id, style, scripts=[script, player()], sources=sources)
    return join(Markup("<!DOCTYPE html>\n"), tag("html", top, body, lang=words.tag))


def _bar(placed: Sequence[Span], total_s: float) -> Markup:
    hatch = tag(
        "pattern",
        tag("rect", width=8, height=8),
        tag("path", d="M0 0L8 8"),
        id="hatch",
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
    )
    scale = _BAR / max(total_s, 0.001)
    kinds = sorted(placed, key=lambda span: isinstance(span.item, Gap) or bool(span.why))
    rects = [
        tag(
            "rect",
            x=round(span.at_s * scale, 2),
            y=4,
            width=max(_LEAST, round(span.seconds * scale, 2)),
            height=32,
            class_="gap" if isinstance(span.item, Gap) else "unshown" if span.why else "file",
        )
        for span in kinds
    ]
    head = tag("rect", id="playhead", x=0, y=0, width=2, height=40)
    return tag(
        "svg", tag("defs", hatch), *rects, head, id="bar", viewBox=f"0 0 {_BAR} 40", preserveAspectRatio="none", role="img"
    )  # fmt: skip


def _gaps(paged: Paged, placed: Sequence[Span], words: Words) -> Markup:
    gaps = paged.archived.account.gaps
    if not gaps:
        return tag("p", words.no_gaps)
    at = {span.item: span.at_s for span in placed if isinstance(span.item, Gap)}
    rows = (
        tag(
            "tr",
            tag("td", _clock(gap.start), class_="when"),
            tag("td", _clock(gap.end)[11:], class_="when"),
            tag("td", f"{gap.size_ms / 1000:.3f}"),
            tag("td", _state(paged, gap, words), class_="fine" if gap.state == "explained" else "bad"),
            tag("td", tag("button", words.watch, type="button", data_at=max(0.0, at[gap] - _BEFORE_S)))
            if gap in at
            else tag("td"),
        )
        for gap in gaps
    )
    return _table(words.gap_heads, rows)


def _files(paged: Paged, words: Words) -> Markup:
    shown = {item.sha256: item for item in paged.view.shown}
    rows = (
        tag(
            "tr",
            tag("td", printable(paged.archived.names[item.original.sha256])),
            tag("td", "" if item.start is None else _clock(item.start), class_="when"),
            tag("td", _way(shown[item.original.sha256], words)),
            tag("td", item.original.sha256, class_="digest"),
        )
        for item in paged.archived.placed
    )
    return _table(words.file_heads, rows)


def _way(shown: Shown, words: Words) -> str:
    left_out = words.left_out.format(codecs=", ".join(shown.left_out)) if shown.left_out else ""
    return printable(words.ways[shown.way].format(why=shown.why) + left_out)


def _state(paged: Paged, gap: Gap, words: Words) -> str:
    state = words.terms.gaps[gap.state]
    if gap.state != "explained":
        return state
    by: Explained | None = paged.archived.explanations.get(gap.explained_by or "")
    said = ""
    if by is not None:
        said = ": ".join(text for text in (f", {by.made_by}, {_clock(by.made_at)}", by.explanation.text) if text)
    return printable(words.explained.format(state=state, reason=gap.reason or "", said=said))


def _told(paged: Paged, played: Sequence[Part], placed: Sequence[Span], total_s: float, words: Words) -> dict[str, Any]:
    """What the script needs to know."""
    gaps = paged.archived.account.gaps
    return {
        "parts": [
            {
                "at": part.at_s,
                "seconds": sum(slot.micros for slot in part.slots) / 1_000_000,
                "playlist": written(part.slots, gaps),
            }
            for part in played
        ],
        "seconds": total_s,
        "spans": [
            {"at": span.at_s, "seconds": span.seconds, "start": span.item.start}
            for span in placed
            if isinstance(span.item, Placed)
        ],
        "gaps": [
            {
                "at": span.at_s,
                "until": span.at_s + span.seconds,
                "within": span.within,
                "words": _said(paged, span, words),
            }
            for span in placed
            if isinstance(span.item, Gap) or span.why
        ],
        "words": {"unsupported": words.unsupported, "failed": words.failed},
    }


def _said(paged: Paged, span: Span, words: Words) -> str:
    """What is said when there is nothing to see."""
    item = span.item
    if isinstance(item, Placed):
        return f"{printable(paged.archived.names[item.original.sha256])}: {words.ways['none'].format(why=span.why)}"
    return (words.still_said if span.within else words.gap_said).format(
        start=_clock(item.start),
        end=_clock(item.end)[11:],
        seconds=f"{item.size_ms / 1000:.3f}",
        state=_state(paged, item, words),
    )


def _data(text: str) -> Markup:
    """JSON for the script, which no word of a stranger ends before its time."""
    return tag("script", Markup(text.replace("<", "\\u003c")), type="application/json", id="view")


def _table(heads: Sequence[str], rows: Iterator[Markup]) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", word, scope="col") for word in heads)))
    return tag("table", head, tag("tbody", *rows))


def _clock(at: WallMs) -> str:
    return to_rfc3339(at).replace("T", " ").removesuffix("Z")
