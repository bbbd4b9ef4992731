"""Alerting rules, by promtool: each has been seen firing and quiet."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2] / "infra/prometheus"
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "rules/unbroken.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
CASES = yaml.safe_load((ROOT / "rules_test.yml").read_text("utf-8"))["tests"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "--lint=all", "--lint-fatal", "rules/unbroken.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "rules_test.yml"],
    ],
    ids=["lint", "config", "cases"],
)
def test_promtool_accepts(arguments: list[str]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_every_alert_has_a_firing_and_a_quiet_case(alert: str) -> None:
    cases = [case for test in CASES for case in test["alert_rule_test"] if case["alertname"] == alert]

    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_speaks_both_languages_and_links_its_runbook(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "summary_zh", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"infra/runbook.md#{str(rule['alert']).lower()}"
