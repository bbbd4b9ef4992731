"""Alertmanager's configuration, by amtool: it is valid, and each alert goes to those who can act on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.expressions import RULES

FOLDER = Path(__file__).resolve().parents[2] / "infra/prometheus"
FILES = ("alertmanager.yml", "alertmanager.example.yml")
RECEIVER = {"critical": "woken", "warning": "desk", "info": "planning", "none": "dead-man"}
ALERTS = [rule for rule in RULES if "alert" in rule]


def amtool(*arguments: str) -> str:
    done = subprocess.run(["amtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_amtool_accepts(name: str) -> None:
    assert "SUCCESS" in amtool("check-config", name)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_goes_by_its_severity_and_the_watchdog_apart(rule: dict[str, Any]) -> None:
    labels = [f"alertname={rule['alert']}", f"severity={rule['labels']['severity']}", "unit=hall"]

    heard = amtool("config", "routes", "test", "--config.file=alertmanager.yml", *labels)

    assert heard.strip() == RECEIVER[rule["labels"]["severity"]]


def test_the_example_has_the_routes_of_the_local_stack_and_no_secret() -> None:
    local, example = (yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in FILES)

    sends = {receiver["name"]: set(receiver) - {"name"} for receiver in example["receivers"]}
    secrets = re.findall(r"api_secret: (\S+)", (FOLDER / FILES[1]).read_text("utf-8"))

    assert [example[part] for part in ("route", "inhibit_rules")] == [
        local[part] for part in ("route", "inhibit_rules")
    ]
    assert [receiver["name"] for receiver in local["receivers"]] == list(sends)
    assert "wechat_configs" in sends["woken"]
    assert "webhook_configs" in sends["dead-man"]
    assert set(secrets) == {"SECRET_OF_THE_APPLICATION"}


def test_inhibition_names_only_alerts_that_exist_and_none_of_trust() -> None:
    rules = yaml.safe_load((FOLDER / "alertmanager.yml").read_text("utf-8"))["inhibit_rules"]
    named = {name for rule in rules for part in rule.values() for name in re.findall(r"Unbroken\w+", str(part))}
    silenced = {name for rule in rules for name in re.findall(r"Unbroken\w+", str(rule["target_matchers"]))}

    assert named <= {rule["alert"] for rule in ALERTS}
    assert not silenced & {
        "UnbrokenStoreMistrusted",
        "UnbrokenDeadlineMissed",
        "UnbrokenQuarantined",
        "UnbrokenUnexplainedGap",
    }
