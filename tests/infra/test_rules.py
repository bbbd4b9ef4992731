"""Alerting and recording rules, by promtool: each alert has been seen firing and quiet, alone, with all its words."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.alert_trials import HEALTHY, TRIALS, Labels, Trial
from tests.infra.expressions import RULES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra/prometheus"
ALERTS = [rule for rule in RULES if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})
LONG = 200
"""Trials from this minute on are evaluated less often, and without what is averaged over days: that would take most of the
time."""
AVERAGED = ("unbroken_deadline_outcomes_total", "unbroken_archive_promptness_total")
WATCHDOG = "UnbrokenWatchdog"
ANNOTATIONS = {"summary", "summary_zh", "description", "runbook_url", "dashboard_url"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "--lint=all", "--lint-fatal", "rules/alerts.yml", "rules/recorded.yml"],
        ["check", "config", "prometheus.yml"],
    ],
    ids=["lint", "config"],
)
def test_promtool_accepts(arguments: list[str]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_in_every_trial_exactly_the_alerts_it_names_fire_with_their_words(tmp_path: Path) -> None:
    rules = [str(path) for path in sorted(FOLDER.glob("rules/*.yml"))]
    files = []
    for every, trials in (("1m", [t for t in TRIALS if t.at < LONG]), ("4m", [t for t in TRIALS if t.at >= LONG])):
        files.append(tmp_path / f"{every}.yml")
        tests = [_promtool_test(trial) for trial in trials]
        written = {"rule_files": rules, "evaluation_interval": every, "tests": tests}
        files[-1].write_text(yaml.safe_dump(written, allow_unicode=True))

    done = subprocess.run(["promtool", "test", "rules", *map(str, files)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_severity_of_an_alert_has_been_seen() -> None:
    fired = {(name, labels["severity"]) for trial in TRIALS for name, labels in trial.firing}

    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS} - {(WATCHDOG, "none")}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_speaks_both_languages_and_links_its_runbook_and_a_dashboard(rule: dict[str, Any]) -> None:
    said = rule["annotations"]

    assert rule["labels"]["severity"] in {"critical", "warning", "info"} or rule["alert"] == WATCHDOG
    assert set(said) == ANNOTATIONS
    assert re.search(r"[\u4e00-\u9fff]", said["summary_zh"])
    assert said["runbook_url"] == f"infra/runbook.md#{rule['alert'].lower()}"
    assert re.fullmatch(r"/d/unbroken-(wall|deadlines|completeness|pipeline|store)-en", said["dashboard_url"])


def _promtool_test(trial: Trial) -> dict[str, Any]:
    healthy = {name: values for name, values in HEALTHY.items() if trial.at < LONG or not name.startswith(AVERAGED)}
    series = {**healthy, **trial.changes}
    series = {name: values and re.sub(r"x$", f"x{trial.at + 5}", values) for name, values in series.items()}
    return {
        "name": f"{trial.about}: {trial.name}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items() if values is not None],
        "alert_rule_test": [
            {"eval_time": f"{trial.at}m", "alertname": alert, "exp_alerts": _expected(trial, alert)} for alert in NAMES
        ],
    }


def _expected(trial: Trial, alert: str) -> list[dict[str, Any]]:
    fired = [labels for name, labels in trial.firing if name == alert]
    if alert == WATCHDOG:
        fired = [{"severity": "none"}]
    return [{"exp_labels": dict(labels), "exp_annotations": _words(alert, labels)} for labels in fired]


def _words(alert: str, labels: Labels) -> Mapping[str, str]:
    (rule,) = [r for r in ALERTS if r["alert"] == alert and r["labels"]["severity"] == labels["severity"]]
    return {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
