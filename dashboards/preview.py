"""``python -m dashboards.preview PROMETHEUS SECONDS FOLDER``: pictures of the boards, from their JSON and a real Prometheus.

No Grafana runs where this product is built, so this draws what Grafana would be told to draw: every panel of the committed
JSON at its place, with its unit, thresholds, words and colours, and the answers to its queries over the last SECONDS. It is
a preview: fonts, spacing and controls are ours. Headless Chromium makes the PNG.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboards.boards import BOARDS
from dashboards.build import dashboard
from dashboards.words import LANGUAGES, Language, Text

CELL_W, CELL_H, GAP = 80, 38, 8
_NOTE: Final = Text(
    "preview, drawn from the board's JSON and the answers of a Prometheus that watched the demo; not a screenshot of Grafana",
    "预览：由看板 JSON 与演示期间的真实查询结果绘制，并非 Grafana 截图",
)
_COLOURS: Final = {
    "green": "#37872d", "orange": "#d9730d", "red": "#c4162a", "dark-red": "#8f0f1f", "yellow": "#c9a20a", "blue": "#3274d9",
    "text": "#5a6270",
}  # fmt: skip
_PALETTE: Final = (
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#b877d9",
    "#ff7383",
    "#8ab8ff",
    "#c8f2c2",
    "#ffcb7d",
    "#96d98d",
)
_CSS: Final = """
body{margin:0;background:#111217;color:#d8dae0;font:14px "Noto Sans","Noto Sans CJK SC","DejaVu Sans",sans-serif}
h1{font-size:20px;font-weight:500;margin:12px 16px 0} h1 small{font-size:13px;color:#8e95a3;margin-left:14px;font-weight:400}
.board{position:relative;margin:4px} .panel{position:absolute;background:#181b1f;border:1px solid #2b2f36;border-radius:3px;overflow:hidden}
.title{padding:6px 10px;font-size:14px;color:#e2e4ea;white-space:nowrap} .title i{color:#8e95a3;font-style:normal;font-size:12px;margin-left:6px}
.stat{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;color:#fff;font-weight:600;white-space:nowrap}
.stat{flex-direction:column;line-height:1.15} .tiles{position:absolute;inset:34px 0 0;display:flex;flex-direction:column;gap:6px}
.tiles .stat{position:relative;flex:1;inset:auto} .stat+.title{position:relative;color:#fff} .stat+.title i{color:#fff}
.nothing{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;color:#8e95a3;font-size:18px}
svg{position:absolute;left:0;top:30px} text{fill:#a9afbb;font-size:12px} text.in{fill:#fff;font-size:15px} text.name{fill:#d8dae0;font-size:13px}
"""


class Series(NamedTuple):
    """A named line: its points, and its colour where it has one of its own."""

    name: str
    points: list[tuple[float, float]]
    colour: str


class Source:
    """A Prometheus, asked about the last *seconds*."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self.seconds = seconds
        self.end = time.time()
        self.step = max(1, seconds // 120)

    def answers(self, panel: dict[str, Any]) -> list[Series]:
        """What Grafana would show of *panel*'s queries, named and coloured by its overrides."""
        found: list[tuple[str, list[tuple[float, float]]]] = []
        for target in panel["targets"]:
            for series in self._ask(target):
                values = series.get("values") or [series["value"]]
                name = target["legendFormat"]
                for label, value in series["metric"].items():
                    name = name.replace(f"{{{{{label}}}}}", value)
                found.append((name, [(float(at), float(value)) for at, value in values]))
        order = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
        found.sort(key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))
        return [self._dressed(panel, name, points, number) for number, (name, points) in enumerate(found)]

    def _dressed(self, panel: dict[str, Any], name: str, points: list[tuple[float, float]], number: int) -> Series:
        colour = _PALETTE[number % len(_PALETTE)]
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["options"] == name:
                for item in override["properties"]:
                    if item["id"] == "color":
                        colour = _COLOURS[item["value"]["fixedColor"]]
                shown = next(item["value"] for item in override["properties"] if item["id"] == "displayName")
                return Series(shown, points, colour)
        return Series(name, points, colour)

    def _ask(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        expr = target["expr"].replace("$unit", ".*").replace("$__rate_interval", "10s")
        expr = expr.replace("$__range", f"{max(10, self.seconds):.0f}s")
        what, where = "query", {"query": expr, "time": self.end}
        if target["range"]:
            what, where = (
                "query_range",
                {"query": expr, "start": self.end - self.seconds, "end": self.end, "step": self.step},
            )
        with urllib.request.urlopen(f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(where)}", timeout=30) as answer:  # noqa: S310
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


# -- values as people read them ------------------------------------------------------------------------------------------


def shown(value: float, defaults: dict[str, Any]) -> tuple[str, str]:
    """A value's text and colour by the panel's words, unit and thresholds."""
    for mapping in defaults["mappings"]:
        options = mapping["options"]
        if options["from"] <= value <= options["to"]:
            return options["result"]["text"], _COLOURS[options["result"]["color"]]
    colour = [
        step["color"] for step in defaults["thresholds"]["steps"] if step["value"] is None or value >= step["value"]
    ][-1]
    return _with_unit(value, defaults["unit"], defaults.get("decimals")), _COLOURS[colour]


def _with_unit(value: float, unit: str, decimals: int | None) -> str:
    if not math.isfinite(value):
        return "–"
    if unit == "percentunit":
        return f"{value * 100:.{2 if decimals is None else decimals}f}%"
    if unit == "bytes":
        power = min(5, int(math.log(max(abs(value), 1), 1024)))
        return f"{value / 1024**power:.1f} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power]}"
    if unit == "dthms":
        minutes, seconds = divmod(int(abs(value)), 60)
        return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}" + (" ago" if value < 0 else "")
    if unit in ("s", "m", "h"):
        return _duration(value * {"s": 1, "m": 60, "h": 3600}[unit])
    return f"{value:,.{decimals if decimals is not None else (0 if value == int(value) else 2)}f}"


def _duration(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds * 1000:.0f} ms" if seconds else "0"


# -- panels --------------------------------------------------------------------------------------------------------------


def page(board_key: str, language: Language, source: Source) -> tuple[str, int]:
    """The board as HTML, and its height."""
    board = dashboard(BOARDS[board_key], language)
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    body = "".join(_panel(panel, source) for panel in board["panels"])
    height = bottom * CELL_H + 60
    head = f"<h1>{escape(board['title'])}<small>{escape(_NOTE.into(language))}</small></h1>"
    return f'<!doctype html><meta charset="utf-8"><style>{_CSS}</style>{head}<div class="board">{body}</div>', height


def _panel(panel: dict[str, Any], source: Source) -> str:
    at = panel["gridPos"]
    width, height = at["w"] * CELL_W - GAP - 1, at["h"] * CELL_H - GAP
    title = f'<div class="title">{escape(panel["title"])}<i>ⓘ</i></div>'
    series = source.answers(panel)
    drawn = {"stat": _stat, "bargauge": _levels, "state-timeline": _states, "heatmap": _heat}.get(
        panel["type"], _curves
    )
    inside = drawn(panel, series, width, height - 34, source)
    if not series and panel["type"] != "stat":
        inside = f'<div class="nothing">{escape(panel["fieldConfig"]["defaults"]["noValue"])}</div>'
    style = f"left:{at['x'] * CELL_W - at['x'] // 8}px;top:{at['y'] * CELL_H}px;width:{width}px;height:{height}px"
    parts = inside + title if panel["type"] == "stat" else title + inside
    return f'<div class="panel" style="{style}">{parts}</div>'


def _stat(panel: dict[str, Any], series: list[Series], width: int, height: int, _source: Source) -> str:
    """One tile for each answer, or for the want of any; a sign has its name above the value."""
    defaults, options = panel["fieldConfig"]["defaults"], panel["options"]
    found = [(item.name, *shown(item.points[-1][1], defaults)) for item in series]
    found = found or [("", defaults["noValue"], _COLOURS["text"])]
    tiles = []
    for name, text, colour in found:
        head, named = "", defaults.get("displayName", name)
        if options["textMode"] == "value_and_name" and named:
            head = f'<div style="font-size:{options["text"]["titleSize"]}px">{escape(named)}</div>'
        size = min((height / len(found) - (44 if head else 0)) * 0.62, (width - 30) / max(2.2, _ems(text)))
        tiles.append(
            f'<div class="stat" style="background:{colour};font-size:{size:.0f}px;padding-top:{18 * (len(found) == 1)}px">'
            f"{head}{escape(text)}</div>"
        )
    return tiles[0] if len(tiles) == 1 else f'<div class="tiles">{"".join(tiles)}</div>'


def _ems(text: str) -> float:
    """About how wide *text* is, in heights of a capital."""
    return sum(1.02 if ord(letter) > 0x2E80 else 0.62 for letter in text)


def _levels(panel: dict[str, Any], series: list[Series], width: int, height: int, _source: Source) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    most = max([item.points[-1][1] for item in series if math.isfinite(item.points[-1][1])] or [1]) or 1
    each = min(34, (height - 6) / max(1, len(series)))
    parts = []
    for number, item in enumerate(sorted(series, key=lambda one: -one.points[-1][1])):
        value, y = item.points[-1][1], 4 + number * each
        text, colour = shown(value, defaults)
        length = max(2, (width - 330) * min(1, max(0, value) / most))
        parts.append(f'<text class="name" x="12" y="{y + each / 2 + 4}">{escape(item.name[:26])}</text>')
        parts.append(f'<rect x="200" y="{y + 2}" width="{width - 330}" height="{each - 6}" fill="#22252b"/>')
        parts.append(f'<rect x="200" y="{y + 2}" width="{length:.1f}" height="{each - 6}" fill="{colour}"/>')
        parts.append(f'<text class="name" x="{width - 118}" y="{y + each / 2 + 4}">{escape(text)}</text>')
    return _svg(width, height, parts)


def _states(panel: dict[str, Any], series: list[Series], width: int, height: int, source: Source) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    left, row = 170, (height - 40) / max(1, len(series))
    parts = []
    for number, item in enumerate(series):
        y = 6 + number * row
        parts.append(f'<text class="name" x="12" y="{y + row / 2 + 4}">{escape(item.name)}</text>')
        for start, end, text, colour in _stretches(item.points, defaults, source):
            x = left + (start - source.end + source.seconds) / source.seconds * (width - left - 12)
            length = (end - start) / source.seconds * (width - left - 12)
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" height="{row * 0.85:.1f}" fill="{colour}"/>')
            if length > 90:
                parts.append(f'<text class="in" x="{x + 8:.1f}" y="{y + row * 0.43 + 5:.1f}">{escape(text)}</text>')
    return _svg(width, height, [*parts, *_times(left, width - 12, height - 8, source)])


def _stretches(
    points: Sequence[tuple[float, float]], defaults: dict[str, Any], source: Source
) -> Iterator[tuple[float, float, str, str]]:
    """Neighbours that are shown alike, as one."""
    start, look = points[0][0], shown(points[0][1], defaults)
    for at, value in points[1:]:
        if shown(value, defaults) != look:
            yield start, at, *look
            start, look = at, shown(value, defaults)
    yield start, max(points[-1][0], min(source.end, points[-1][0] + 1)), *look


def _heat(_panel: dict[str, Any], series: list[Series], width: int, height: int, source: Source) -> str:
    rows = sorted(((float(item.name), dict(item.points)) for item in series), key=lambda row: row[0])
    left, each = 70, (height - 30) / max(1, len(rows))
    counts = [
        (at, number, value - (rows[number - 1][1].get(at, 0) if number else 0))
        for number, (_, points) in enumerate(rows)
        for at, value in points.items()
    ]
    most = max([count for _, _, count in counts] or [0]) or 1
    step = source.step / source.seconds * (width - left - 12)
    parts = []
    for number, (bound, _) in enumerate(rows):
        label = "∞" if math.isinf(bound) else _duration(bound)
        parts.append(f'<text x="12" y="{height - 30 - number * each - 2:.1f}">≤ {label}</text>')
    for at, number, count in counts:
        if count > 0:
            x = left + (at - source.end + source.seconds) / source.seconds * (width - left - 12)
            shade = 0.25 + 0.75 * (count / most) ** 0.5
            y = height - 30 - (number + 1) * each
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{step:.1f}" height="{each - 1:.1f}" fill="#ff9830" opacity="{shade:.2f}"/>'
            )
    return _svg(width, height, [*parts, *_times(left, width - 12, height - 8, source)])


def _curves(panel: dict[str, Any], series: list[Series], width: int, height: int, source: Source) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    series = [item._replace(points=[point for point in item.points if math.isfinite(point[1])]) for item in series]
    columns = _heights(series, stacked)
    top = _round_up(max([high for column in columns for _, _, high in column] or [0]), defaults)
    legend, rows = _legend(series, width, height)
    left, right, low = 70, width - 12, height - 34 - 18 * rows

    def x(at: float) -> float:
        return left + (at - source.end + source.seconds) / source.seconds * (right - left)

    def y(value: float) -> float:
        return low - value / top * (low - 8)

    parts = []
    for part in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{y(part * top):.1f}" y2="{y(part * top):.1f}" stroke="#2b2f36"/>'
        )
        parts.append(
            f'<text x="10" y="{y(part * top) + 4:.1f}">{_with_unit(part * top, defaults["unit"], None)}</text>'
        )
    pieces = [(item, piece) for item, column in zip(series, columns, strict=True) for piece in _pieces(column, source)]
    for item, column in pieces:
        line = " ".join(f"{x(at):.1f},{y(high):.1f}" for at, _, high in column)
        if stacked:
            back = " ".join(f"{x(at):.1f},{y(base):.1f}" for at, base, _ in reversed(column))
            parts.append(f'<polygon points="{line} {back}" fill="{item.colour}" opacity="0.6"/>')
        parts.append(f'<polyline points="{line}" fill="none" stroke="{item.colour}" stroke-width="2"/>')
    if defaults["custom"].get("thresholdsStyle"):
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None and step["value"] <= top:
                at = y(step["value"])
                parts.append(
                    f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="{_COLOURS[step["color"]]}" stroke-dasharray="6 4"/>'
                )
    return _svg(width, height, [*parts, *_times(left, right, low + 16, source), *legend])


def _pieces(
    column: Sequence[tuple[float, float, float]], source: Source
) -> Iterator[Sequence[tuple[float, float, float]]]:
    """A curve without its holes: nothing is drawn where nothing was answered."""
    first = 0
    for number in range(1, len(column) + 1):
        if number == len(column) or column[number][0] - column[number - 1][0] > 1.5 * source.step:
            yield column[first:number]
            first = number


def _heights(series: Sequence[Series], stacked: bool) -> list[list[tuple[float, float, float]]]:
    """Per series: instant, from where, up to where."""
    below: dict[float, float] = {}
    found = []
    for item in series:
        column = []
        for at, value in item.points:
            base = below.get(at, 0.0) if stacked else 0.0
            below[at] = base + value
            column.append((at, base, base + value))
        found.append(column)
    return found


def _round_up(most: float, defaults: dict[str, Any]) -> float:
    if most <= 0:
        return 4.0 if defaults.get("decimals") == 0 else 1.0
    if defaults.get("decimals") == 0:
        return float(math.ceil(most * 1.05 / 4) * 4)
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * part for part in (1, 2, 4, 5, 8, 10, 20) if size * part >= most * 1.02)


def _legend(series: Sequence[Series], width: int, height: int) -> tuple[list[str], int]:
    """Names with their colours, and in how many rows."""
    places, x, row = [], 70, 0
    for item in series:
        length = 38 + int(13 * _ems(item.name))
        if x + length > width and x > 70:
            x, row = 70, row + 1
        places.append((item, x, row))
        x += length
    parts = []
    for item, at, number in places:
        y = height - 12 - 18 * (row - number)
        parts.append(f'<rect x="{at}" y="{y - 7}" width="14" height="4" fill="{item.colour}"/>')
        parts.append(f'<text class="name" x="{at + 19}" y="{y}">{escape(item.name)}</text>')
    return parts, row + 1


def _times(left: float, right: float, y: float, source: Source) -> Iterator[str]:
    for part in range(6):
        at = source.end - source.seconds + part / 5 * source.seconds
        x = left + part / 5 * (right - left) - (0 if part == 0 else 56 if part == 5 else 28)
        yield f'<text x="{x:.0f}" y="{y:.0f}">{time.strftime("%H:%M:%S", time.gmtime(at))}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return f'<svg width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'


def main(url: str, seconds: float, folder: Path) -> None:
    """Write ``dashboard-<board>-<language>.png`` for each board into *folder*."""
    source = Source(url, seconds)
    with tempfile.TemporaryDirectory() as scratch:
        for key in BOARDS:
            for language in LANGUAGES:
                text, height = page(key, language, source)
                html = Path(scratch) / f"{key}-{language}.html"
                html.write_text(text, "utf-8")
                picture = (folder / f"dashboard-{key}-{language}.png").resolve()
                size = f"--window-size=1920,{max(height, 400)}"
                command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
                subprocess.run([*command, f"--screenshot={picture}", html.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
