"""The repository's promises to its readers: what the documents say is still true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from pipeline.adapters.logs import EVENTS
from pipeline.domain.findings import FindingKind
from pipeline.metrics import CATALOGUE, FOREIGN
from pipeline.wire import topics
from tests.infra.alert_trials import TRIALS
from tests.infra.expressions import RULES, series_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md"), *ROOT.glob("schemas/*.md")]
)
CODE = [path for folder in ("pipeline", "infra", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]


def _metric_names() -> set[str]:
    """Every name the catalogue puts on the wire, histograms with their three series."""
    names = set()
    for metric in CATALOGUE:
        full = f"unbroken_{metric.name}"
        names |= {full} if metric.kind != "histogram" else {full, f"{full}_bucket", f"{full}_sum", f"{full}_count"}
    return names


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "pipeline/domain").glob("[!_]*.py")))
def test_every_domain_module_has_its_test(module: str) -> None:
    assert (ROOT / f"tests/domain/test_{module}.py").is_file()


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "pipeline/domain").glob("[!_]*.py")))
def test_the_architecture_says_what_every_domain_module_decides(module: str) -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8")

    assert f"`{module}`" in table


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_cited_path_resolves(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)

    links = {target for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) if "://" not in target}
    cited = set(re.findall(r"`((?:pipeline|schemas|infra|dashboards|tests|docs|bench)/[\w./-]*[\w/])`", text))

    assert [link for link in sorted(links) if not (page.parent / link).exists()] == []
    assert [path for path in sorted(cited) if not (ROOT / path).exists()] == []


def test_rendered_files_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/render.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "rendered files are current"


def test_the_page_on_continuity_explains_every_kind_of_finding_and_no_other() -> None:
    page = (ROOT / "docs/continuity.md").read_text("utf-8")
    explained = re.findall(r"^\| `([a-z_]+)` \|", page.partition("## What is found")[2], flags=re.MULTILINE)

    assert sorted(explained) == sorted(get_args(FindingKind))


def test_every_decision_is_indexed() -> None:
    index = (ROOT / "docs/adr/README.md").read_text("utf-8")

    missing = [path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md") if f"({path.name})" not in index]

    assert missing == []


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_metric_of_the_catalogue_is_used(metric: object) -> None:
    import pipeline.metrics as catalogue

    constant = next(name for name, value in vars(catalogue).items() if value is metric)
    users = [
        path for path in CODE if path.name != "metrics.py" and re.search(rf"\b{constant}\b", path.read_text("utf-8"))
    ]

    assert users, f"{constant} is in the catalogue and nothing sets it"


def test_documents_and_rules_name_only_metrics_that_exist() -> None:
    files = [*PAGES, *ROOT.glob("infra/prometheus/**/*.yml")]
    spoken = {name for path in files for name in re.findall(r"\bunbroken_[a-z0-9_]+\b", path.read_text("utf-8"))}

    assert sorted(spoken - _metric_names()) == []


def test_documents_name_only_topics_that_exist() -> None:
    known = {f"unbroken.{topic.name}" for topic in topics.ALL}
    spoken = {name for path in PAGES for name in re.findall(r"\bunbroken\.[a-z_.]+\.v\d+\b", path.read_text("utf-8"))}

    assert sorted(spoken - known) == []


def test_documents_name_only_settings_that_exist() -> None:
    listed = set(re.findall(r"`(UNBROKEN_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text("utf-8")))
    spoken = {
        name for path in PAGES for name in re.findall(r"\bUNBROKEN_[A-Z0-9_]*[A-Z0-9]\b", path.read_text("utf-8"))
    }
    scripts = "".join(
        path.read_text("utf-8")
        for path in [*CODE, *ROOT.glob("tests/**/*.py"), ROOT / "Makefile", *ROOT.glob("tests/*.sh")]
    )

    assert sorted(name for name in spoken - listed if name not in scripts) == []


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        ("infra/runbook.md", ("**Means**", "**Who suffers", "**Look at**", "**Do", "**Over when**")),
        ("docs/zh/runbook.md", ("**含义**", "**影响**", "**查看**", "**处置**", "**结束**")),
    ],
)
def test_every_alert_has_a_chapter_in_the_runbook_that_says_what_to_do_and_every_chapter_an_alert(
    page: str, parts: tuple[str, ...]
) -> None:
    text = (ROOT / page).read_text("utf-8")
    chapters = dict(re.findall(r"^## (Unbroken\w+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))

    lacking = {name: [part for part in parts if part not in body] for name, body in chapters.items()}

    assert sorted(chapters) == sorted({rule["alert"] for rule in RULES if "alert" in rule})
    assert {name: missing for name, missing in lacking.items() if missing} == {}


def test_every_alert_has_a_trial_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires = {trial.about for trial in TRIALS if trial.about in dict(trial.firing)}
    quiet = {trial.about for trial in TRIALS if trial.about not in dict(trial.firing)}
    alerts = {rule["alert"] for rule in RULES if "alert" in rule} - {"UnbrokenWatchdog"}

    assert (fires, quiet) == (alerts, alerts)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_read_only_metrics_of_the_catalogue_and_each_other(rule: dict[str, str]) -> None:
    known = _metric_names() | set(FOREIGN) | {rule["record"] for rule in RULES if "record" in rule}

    assert sorted(series_in(rule["expr"]) - known) == []


def test_the_readme_names_only_commands_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    readme = (ROOT / "README.md").read_text("utf-8")
    spoken = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", readme, flags=re.MULTILINE)) | set(
        re.findall(r"`make ([a-z-]+)`", readme)
    )

    assert sorted(spoken - targets) == []
    assert {"demo", "test"} <= spoken


def test_python_files_name_no_place_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    pattern = re.compile(r"/home/\w+/|/root/|/Users/\w+/|file:///")

    named = [
        name
        for name in listed
        if (ROOT / name).is_file() and name.endswith((".py", ".md", ".toml", ".yml", ".yaml", ".sh"))
    ]

    assert [
        name
        for name in named
        if name != "tests/repo/test_promises.py" and pattern.search((ROOT / name).read_text("utf-8"))
    ] == []


def test_documents_name_only_log_events_that_exist() -> None:
    spoken = {
        name
        for path in PAGES
        for name in re.findall(r"`((?:input|state|lane|worker|timer|event)\.[a-z]+)`", path.read_text("utf-8"))
    }

    assert sorted(spoken - EVENTS) == []
