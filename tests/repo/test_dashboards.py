"""The dashboards as committed: readable without the source, and no panel that cannot show anything."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from dashboards.build import FOLDER, SOURCE_UID, files
from dashboards.legends import LABELS
from dashboards.words import BOARDS, LANGUAGES, PANELS, Language
from pipeline import app as _app  # noqa: F401  (every error that a worker can meet)
from pipeline import metrics as m
from pipeline.adapters.prometheus import OUTCOMES, STAGES
from pipeline.agents.lane import reason_of
from pipeline.domain.continuity import GapState
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.findings import FindingKind
from pipeline.domain.identity import SourceKind
from pipeline.domain.keeping import ShortfallKind
from pipeline.domain.outlook import AGE_BANDS
from pipeline.domain.recording import GAP_CLASSES
from pipeline.domain.tracked import Cause
from tests.infra.expressions import ROOT, RULES, asked, filled_in, series_in

COMMITTED: dict[str, dict[str, Any]] = {
    str(path.relative_to(ROOT)): json.loads(path.read_text("utf-8")) for path in sorted(ROOT.glob(f"{FOLDER}/*/*.json"))
}
EACH_BOARD = pytest.mark.parametrize("path", COMMITTED)
COUNTERS = {f"unbroken_{metric.name}" for metric in m.CATALOGUE if metric.kind == "counter"} | {
    f"unbroken_{metric.name}{part}"
    for metric in m.CATALOGUE
    if metric.kind == "histogram"
    for part in ("_bucket", "_sum", "_count")
}
ARTICLE = {"en": r"\(articles? \d+", "zh": "第.{1,5}条"}
WITHOUT_ARTICLE = {
    "retrying", "retries", "quarantined", "workers", "broker", "partitions", "rebalances", "loop", "pool", "pool_deaths",
    "done", "stage_time", "set_aside", "room", "behind", "versions", "objective_b",
}  # fmt: skip
"""Panels about the machine, which no article speaks of."""


def reasons(kind: type[UnbrokenError] = UnbrokenError) -> set[str]:
    """By what workers set inputs aside: errors of theirs that repeating cannot help."""
    theirs = not kind.retryable and not kind.__module__.startswith(("pipeline.cli", "tests"))
    return ({reason_of(kind())} if theirs else set()).union(*(reasons(narrower) for narrower in kind.__subclasses__()))


def test_what_is_committed_is_what_is_built() -> None:
    assert {path: json.loads(text) for path, text in files().items()} == COMMITTED


@EACH_BOARD
def test_a_board_cannot_be_edited_and_has_the_uid_that_alerts_name(path: str) -> None:
    board = COMMITTED[path]
    language: Language = "zh" if "/zh/" in path else "en"
    name = Path(path).stem

    assert board["uid"] == f"{name}-{language}"
    assert board["editable"] is False
    assert "id" not in board
    assert board["schemaVersion"] < 42
    assert [board["title"], board["description"]] == [
        text.into(language) for text in BOARDS[name.removeprefix("unbroken-")]
    ]


@EACH_BOARD
def test_every_panel_says_what_it_shows_in_which_unit_and_when_it_is_bad(path: str) -> None:
    for panel in COMMITTED[path]["panels"]:
        defaults = panel["fieldConfig"]["defaults"]

        assert panel["title"], path
        assert len(panel["description"]) > 10, panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
        assert panel["targets"], panel["title"]


@EACH_BOARD
def test_every_panel_asks_the_data_source_that_was_chosen(path: str) -> None:
    board = COMMITTED[path]
    sources = [panel["datasource"] for panel in board["panels"]] + [
        target["datasource"] for panel in board["panels"] for target in panel["targets"]
    ]
    chosen = next(item for item in board["templating"]["list"] if item["name"] == "datasource")

    assert {source["uid"] for source in sources} == {"${datasource}"}
    assert chosen["current"]["value"] == SOURCE_UID


@EACH_BOARD
def test_panels_lie_beside_each_other(path: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in COMMITTED[path]["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_the_wall_needs_no_scrolling_and_shows_six_numbers_with_names_that_read_across_a_room() -> None:
    wall = COMMITTED[f"{FOLDER}/en/unbroken-wall.json"]

    assert (
        max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in wall["panels"]) <= 25
    )  # 1080 lines in kiosk mode
    numbers = [panel for panel in wall["panels"] if "displayName" in panel["fieldConfig"]["defaults"]]
    assert [panel["title"] for panel in numbers] == [
        panel["fieldConfig"]["defaults"]["displayName"] for panel in numbers
    ]
    assert [panel["options"]["text"]["titleSize"] > 30 for panel in numbers] == [True] * 6


@pytest.mark.parametrize("key", PANELS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_description_names_its_article(key: str, language: Language) -> None:
    named = re.search(ARTICLE[language], PANELS[key][1].into(language))

    assert bool(named) == (key not in WITHOUT_ARTICLE)


def test_every_text_is_there_in_both_languages() -> None:
    chinese = [text.zh for pair in PANELS.values() for text in pair] + [
        text.zh for pair in BOARDS.values() for text in pair
    ]

    assert [text for text in chinese if not re.search(r"[\u4e00-\u9fff]", text)] == []


def test_every_label_value_that_a_legend_shows_has_a_name() -> None:
    named = {label: set(values) for label, values in LABELS.items()}

    assert named == {
        "age_band": set(AGE_BANDS),
        "outcome": set(OUTCOMES),
        "cause": set(get_args(Cause)),
        "source_kind": set(get_args(SourceKind)),
        "state": set(get_args(GapState)),
        "gap_class": set(GAP_CLASSES),
        "stage": set(STAGES),
        "finding": set(get_args(FindingKind)),
        "reason": reasons(),
        "shortfall": set(get_args(ShortfallKind)),
    }


def test_a_threshold_is_told_in_the_description_where_no_word_tells_it() -> None:
    told = {
        panel["title"]: panel["description"]
        for path, board in COMMITTED.items()
        for panel in board["panels"]
        if "/en/" in path
    }

    assert told["Next deadline in"].endswith(
        "Shown as hours:minutes:seconds. Colour: red below 1 h, orange from 1 h, green from 4 h."
    )
    assert told["Archived in time, 3 days"].endswith("Colour: red below 99.9 %, green from 99.9 %.")
    assert told["Stage time, 95 of 100"].endswith("Dashed line: orange from 1 min, red from 10 min.")
    assert "Colour" not in told["Archive locked"]


@EACH_BOARD
def test_what_counts_kinds_lists_those_that_occurred_and_else_one_zero_with_a_name(path: str) -> None:
    none = "none" if "/en/" in path else "无"
    for panel in COMMITTED[path]["panels"]:
        named = {one["matcher"]["options"]: one["properties"][0]["value"] for one in panel["fieldConfig"]["overrides"]}
        stacked = panel["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode") == "normal"
        zeros = [target["expr"] for target in panel["targets"] if '"none"' in target["expr"]]

        assert all(" > 0 or label_replace(sum(" in expr for expr in zeros)
        assert named.get("none") == (none if zeros else None), panel["title"]
        assert bool(zeros) >= (stacked and panel["title"] not in ("Versions that run", "运行版本")), panel["title"]


def test_promtool_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": filled_in(expr)} for number, expr in enumerate(sorted(asked()))]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expr", sorted(asked()))
def test_a_query_reads_only_what_exists_and_counters_only_as_growth(expr: str) -> None:
    known = {f"unbroken_{metric.name}" for metric in m.CATALOGUE} | set(m.FOREIGN) | COUNTERS
    known |= {rule["record"] for rule in RULES if "record" in rule}
    read = series_in(filled_in(expr))

    assert sorted(read - known) == []
    for name in read & COUNTERS:
        grown = re.findall(rf"\b(?:rate|increase)\({name}(?:\{{[^}}]*\}})?\[([^\]]+)\]\)", expr)
        assert len(grown) == len(re.findall(rf"\b{name}\b", expr)), f"{name} outside of rate() and increase()"
        assert set(grown) <= {"$__rate_interval", "$__range", "1h", "1d", "24h"}
    assert not re.search(r"\brate\([^[]*\[(?!\$__rate_interval)", expr)


def test_every_metric_is_shown_or_alerted_on() -> None:
    read = set().union(*(series_in(filled_in(expr)) for expr in [*asked(), *(rule["expr"] for rule in RULES)]))

    assert [
        metric.name for metric in m.CATALOGUE if not {f"unbroken_{metric.name}{end}" for end in ("", "_bucket")} & read
    ] == []


def test_grafana_is_given_the_data_source_and_both_folders() -> None:
    folder = ROOT / "infra/grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text("utf-8"))["datasources"]
    providers = yaml.safe_load((folder / "dashboards/unbroken.yaml").read_text("utf-8"))["providers"]
    mounts = yaml.safe_load((ROOT / "infra/compose.yaml").read_text("utf-8"))["services"]["grafana"]["volumes"]

    assert source["uid"] == SOURCE_UID
    assert "./grafana/dashboards:/etc/grafana/unbroken:ro" in mounts
    for provider, language in zip(providers, ("en", "zh"), strict=True):
        assert provider["allowUiUpdates"] is False
        assert provider["options"]["path"] == f"/etc/grafana/unbroken/{language}"


def test_every_alert_names_a_board_that_exists() -> None:
    named = {rule["annotations"]["dashboard_url"].removeprefix("/d/") for rule in RULES if "alert" in rule}

    assert named <= {board["uid"] for board in COMMITTED.values()}


@pytest.mark.parametrize(
    ("page", "language", "quoted"),
    [("infra/runbook.md", "en", r'"([A-Z][^"]*)"'), ("docs/zh/runbook.md", "zh", r"“([^”]+)”")],
)
def test_the_runbook_names_only_boards_and_panels_there_are(page: str, language: str, quoted: str) -> None:
    boards = [board for path, board in COMMITTED.items() if f"/{language}/" in path]
    titles = {panel["title"] for board in boards for panel in board["panels"] if "title" in panel}
    titles |= {re.split(r"[:：] ?", board["title"])[-1] for board in boards}

    named = set(re.findall(quoted, (ROOT / page).read_text("utf-8"))) - {"清理"}

    assert named - titles == set()
    assert len(named) >= 5
