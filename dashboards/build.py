"""Boards and words to Grafana's classic dashboard JSON (v1), one file per board and language.

The JSON is committed under ``infra/grafana/dashboards`` and written by ``make render``; Grafana 11.6 to 13 reads it by
file provisioning, which takes no newer form. Grafana translates its own controls and not a dashboard's texts, so each
language has its files; names and uids are ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboards.boards import BOARDS
from dashboards.legends import COLOURS, LABELS, LEGENDS, NONE, STATES, THRESHOLDS, UI, UNITS
from dashboards.panels import Board, Panel, Query
from dashboards.words import BOARDS as BOARD_WORDS
from dashboards.words import LANGUAGES, PANELS, Language
from pipeline.metrics import BUILD, UNARCHIVED

FOLDER: Final = "infra/grafana/dashboards"
SOURCE_UID: Final = "unbroken-prometheus"
COLUMNS: Final = 24
SCHEMA: Final = 39
SIGN_NAME_PX: Final = 34
"""A panel's own title has 14 pixels, too few across a room: a sign repeats its name above the number, and is read from there."""
_PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLOURS: Final = {
    "over_24h": "dark-red", "20_24h": "red", "12_20h": "orange", "4_12h": "yellow", "0_4h": "green",
    "none": "green", "missed": "red", "late": "orange", "met": "green", "unexplained": "red", "explained": "blue",
}  # fmt: skip
"""Series whose colour means something; the others are told apart by Grafana's palette and by their names."""


def uid(board: str, language: Language) -> str:
    """The fixed uid that alerts and links name."""
    return f"unbroken-{board}-{language}"


def files() -> Mapping[str, str]:
    """Path in the repository and content of each dashboard file."""
    return {
        f"{FOLDER}/{language}/unbroken-{board.key}.json": json.dumps(
            dashboard(board, language), ensure_ascii=False, indent=1
        )
        + "\n"
        for board in BOARDS.values()
        for language in LANGUAGES
    }


def dashboard(board: Board, language: Language) -> dict[str, Any]:
    """One board in one language."""
    title, about = BOARD_WORDS[board.key]
    return {
        "uid": uid(board.key, language),
        "title": title.into(language),
        "description": about.into(language),
        "tags": ["unbroken", f"unbroken-{language}"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": board.refresh,
        "time": {"from": f"now-{board.back}", "to": "now"},
        "timepicker": {},
        "templating": {"list": _variables(board, language)},
        "annotations": {"list": [_versions(language)]},
        "links": [_link(language)],
        "panels": [
            {**_panel(panel, language), "id": number, "gridPos": place}
            for number, (panel, place) in enumerate(zip(board.panels, _places(board.panels), strict=True), start=1)
        ],
    }


def _places(panels: Sequence[Panel]) -> list[dict[str, int]]:
    """From left to right; a panel that does not fit begins the next row."""
    places, x, y, row_height = [], 0, 0, 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        places.append({"x": x, "y": y, "w": panel.width, "h": panel.height})
        x, row_height = x + panel.width, max(row_height, panel.height)
    return places


def _variables(board: Board, language: Language) -> list[dict[str, Any]]:
    source = {
        "name": "datasource",
        "label": UI["datasource"].into(language),
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": SOURCE_UID},
        "hide": 0,
    }
    if not board.units:
        return [source]
    asked = f"label_values(unbroken_{UNARCHIVED.name}, unit)"
    unit = {
        "name": "unit",
        "label": UI["unit"].into(language),
        "type": "query",
        "datasource": _PROMETHEUS,
        "query": {"query": asked, "refId": "unit"},
        "definition": asked,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }
    return [source, unit]


def _versions(language: Language) -> dict[str, Any]:
    build = f"unbroken_{BUILD.name}"
    return {
        "name": UI["versions"].into(language),
        "datasource": _PROMETHEUS,
        "enable": True,
        "expr": f"count by (version) ({build}) unless count by (version) ({build} offset 5m)",
        "titleFormat": "{{version}}",
        "iconColor": "blue",
    }


def _link(language: Language) -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": UI["more"].into(language),
        "tags": [f"unbroken-{language}"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def _panel(panel: Panel, language: Language) -> dict[str, Any]:
    title, about = PANELS[panel.key]
    kind, options, custom = _KINDS[panel.kind]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "noValue": STATES["no_data"].into(language),
        "color": {"mode": "palette-classic" if _is_curve(panel) else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": [{"value": at, "color": colour} for at, colour in panel.steps]},
        "mappings": _mappings(panel, language),
        "custom": custom,
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "sign" and not panel.queries[0].legend:
        defaults["displayName"] = title.into(language)
    if _is_curve(panel) and len(panel.steps) > 1:
        defaults["custom"] = {**custom, "thresholdsStyle": {"mode": "dashed"}}
    if panel.unit == "bytes":
        del defaults["min"]
    return {
        "type": kind,
        "title": title.into(language),
        "description": about.into(language) + _reading(panel, language),
        "datasource": _PROMETHEUS,
        "targets": [_target(query, number, panel, language) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel, language)},
        "options": options,
    }


def _is_curve(panel: Panel) -> bool:
    return panel.kind in ("lines", "areas")


def _reading(panel: Panel, language: Language) -> str:
    """What unit and thresholds say, as sentences; words that a panel shows in place of values speak for themselves."""
    said = THRESHOLDS["clock"].into(language) if panel.unit == "dthms" else ""
    steps = [(at, colour) for at, colour in panel.steps if at is not None]
    in_words = any(low <= at < high for at, _ in steps for low, high, _, _ in panel.words)
    if not steps or in_words or panel.unit == "bytes":
        return said
    parts = [("from", at, colour) for at, colour in steps]
    if not _is_curve(panel):
        parts = [("below", steps[0][0], panel.steps[0][1]), *parts]
    told = [
        THRESHOLDS[where]
        .into(language)
        .format(colour=COLOURS[colour].into(language), value=_bound(at, panel, language))
        for where, at, colour in parts
    ]
    shown = THRESHOLDS["dashed" if _is_curve(panel) else "shown"].into(language)
    return said + shown.format(all=THRESHOLDS["comma"].into(language).join(told))


def _bound(at: float, panel: Panel, language: Language) -> str:
    """A threshold in the largest unit that leaves no rest."""
    if panel.unit == "percentunit":
        return f"{at * 100:g} %"
    if panel.unit not in ("s", "m", "dthms"):
        return f"{at:g}"
    seconds = at * (60 if panel.unit == "m" else 1)
    size, name = next(one for one in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds % one[0] == 0)
    return f"{seconds / size:g} {UNITS[name].into(language)}"


def _target(query: Query, number: int, panel: Panel, language: Language) -> dict[str, Any]:
    legend = LEGENDS[query.legend].into(language) if query.legend in LEGENDS else query.legend
    return {
        "refId": chr(ord("A") + number),
        "datasource": _PROMETHEUS,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": legend or "__auto",
        "instant": query.now,
        "range": not query.now,
        "format": "heatmap" if panel.kind == "heat" else "time_series",
    }


def _mappings(panel: Panel, language: Language) -> list[dict[str, Any]]:
    """Values shown as words: Grafana's ranges include both ends, so the upper one is taken a little lower."""
    return [
        {
            "type": "range",
            "options": {
                "from": low,
                "to": high - 1e-6,
                "result": {"text": STATES[word].into(language), "color": colour, "index": number},
            },
        }
        for number, (low, high, word, colour) in enumerate(panel.words)
    ]


def _overrides(panel: Panel, language: Language) -> list[dict[str, Any]]:
    """Known label values by their names in this language, and in their colour where it means something."""
    labels = {query.legend.strip("{}") for query in panel.queries}
    known = {value: text for label, values in LABELS.items() if label in labels for value, text in values.items()}
    if any('"none"' in query.expr for query in panel.queries):
        known["none"] = NONE
    found = []
    for value, text in known.items():
        properties: list[dict[str, Any]] = [{"id": "displayName", "value": text.into(language)}]
        if value in _COLOURS:
            properties.append({"id": "color", "value": {"mode": "fixed", "fixedColor": _COLOURS[value]}})
        found.append({"matcher": {"id": "byName", "options": value}, "properties": properties})
    return found


def _drawn(fill: int, stacked: bool) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "lineWidth": 2 - stacked,
        "fillOpacity": fill,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }


_LEGEND: Final = {"displayMode": "list", "placement": "bottom", "showLegend": True}
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_STAT: Final = {
    "reduceOptions": _LAST,
    "colorMode": "background_solid",
    "graphMode": "none",
    "textMode": "value",
    "justifyMode": "center",
    "orientation": "auto",
}
_NAMED: Final = {"textMode": "value_and_name", "wideLayout": False, "text": {"titleSize": SIGN_NAME_PX}}
_KINDS: Final[Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "stat": ("stat", _STAT, {}),
    "sign": ("stat", {**_STAT, **_NAMED}, {}),
    "lines": ("timeseries", {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}, _drawn(0, False)),
    "areas": ("timeseries", {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}, _drawn(60, True)),
    "levels": (
        "bargauge",
        {
            "reduceOptions": _LAST,
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "text",
            "showUnfilled": True,
            "namePlacement": "left",
        },
        {},
    ),
    "states": (
        "state-timeline",
        {
            "mergeValues": True,
            "showValue": "always",
            "alignValue": "left",
            "rowHeight": 0.85,
            "legend": {**_LEGEND, "showLegend": True},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        {"fillOpacity": 85, "lineWidth": 0},
    ),
    "heat": (
        "heatmap",
        {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": False},
            "yAxis": {"axisPlacement": "left", "unit": "s"},
            "rowsFrame": {"layout": "le"},
            "legend": {"show": True},
            "tooltip": {"mode": "single", "yHistogram": False},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
        },
        {},
    ),
}
"""Grafana's panel type, its options and its drawing, by our kind."""
