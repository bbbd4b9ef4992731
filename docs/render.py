"""Render what is written from data: settings, metrics and topics pages, the topic list for the broker, the dashboards.

python docs/render.py            write
python docs/render.py --check    exit 1 naming each file that would change
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from pipeline.metrics import CATALOGUE
from pipeline.settings import Settings
from pipeline.wire import topics

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the dashboards are not part of the installed package

from dashboards.build import files as dashboard_files  # noqa: E402

_NOTE = "<!-- rendered by `make render`; edit the source it names, not this page -->\n\n"


def settings_page() -> str:
    """docs/settings.md from the fields of Settings."""
    lines = [
        "# Settings",
        "",
        "Environment variables; source: `pipeline/settings.py`. Every command and worker reads the same ones.",
        "",
    ]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default if field.default is not PydanticUndefined else ""
        shown = "" if default is None or not str(default).strip("*") else f"`{default}`"
        lines.append(f"| `UNBROKEN_{name.upper()}` | {shown} | {field.description} |")
    return _NOTE + "\n".join(lines) + "\n"


def metrics_page() -> str:
    """docs/metrics.md from the catalogue."""
    lines = [
        "# Metrics",
        "",
        "Source: `pipeline/metrics.py`. Labels have few values; no metric names a recording, case or person.",
        "",
    ]
    lines += ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `unbroken_{m.name}` | {m.kind} | {', '.join(m.labels)} | {m.help} |" for m in CATALOGUE]
    return _NOTE + "\n".join(lines) + "\n"


def topics_page() -> str:
    """docs/topics.md from the topic table."""
    lines = [
        "# Topics",
        "",
        "Source: `pipeline/wire/topics.py`. Keyed by `source_id`, co-partitioned; names carry the installation's prefix.",
        "",
    ]
    lines += ["| topic | cleanup | kept | carries |", "|---|---|---|---|"]
    for topic in topics.ALL:
        kept = "latest per key" if topic.retention_ms is None else f"{topic.retention_ms // topics.DAY_MS} days"
        lines.append(f"| `unbroken.{topic.name}` | {topic.cleanup} | {kept} | {topic.about} |")
    return _NOTE + "\n".join(lines) + "\n"


def topics_json() -> str:
    """infra/kafka/topics.json for those who provision topics with their own tools."""
    table = {f"unbroken.{topic.name}": topic.config() for topic in topics.ALL}
    return json.dumps(table, indent=2, sort_keys=True) + "\n"


def pages() -> dict[Path, str]:
    """Each rendered file with its content."""
    return {
        ROOT / "docs/settings.md": settings_page(),
        ROOT / "docs/metrics.md": metrics_page(),
        ROOT / "docs/topics.md": topics_page(),
        ROOT / "infra/kafka/topics.json": topics_json(),
        **{ROOT / path: text for path, text in dashboard_files().items()},
    }


def stale() -> list[str]:
    """The rendered files whose committed content differs from what the source says."""
    return [
        str(path.relative_to(ROOT))
        for path, text in pages().items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]


def main() -> int:
    if "--check" in sys.argv:
        names = stale()
        print("\n".join(f"stale: {name}; run `make render`" for name in names) or "rendered files are current")
        return 1 if names else 0
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
