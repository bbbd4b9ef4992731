"""``unbroken gaps``: every interruption of every recording, who explained it, and what to type for those nobody has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from pipeline.cli.tables import table, wide_console
from pipeline.policy import load_policy
from pipeline.settings import Settings

_REVIEWS: Final = {
    "not_needed": "",
    "waiting": ", to be reviewed",
    "accepted": ", accepted",
    "rejected": ", rejected",
}


def register(app: typer.Typer) -> None:
    """Add the ``gaps`` command."""
    app.command("gaps")(gaps)


def gaps(
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only those of this unit.")] = None,
    unexplained: Annotated[bool, typer.Option("--unexplained", help="Only those nobody has explained yet.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/gaps.v1).")] = False,
) -> None:
    """List interruptions, oldest first (article 8). Exit 1 if any is not explained or waits for a review."""
    from pipeline.cli.catalogue import recordings
    from pipeline.wire.reports import gap_reports

    settings = Settings()
    found = chosen(
        [gap for known in recordings(settings) for gap in gap_reports(known, load_policy(settings.policy))],
        source,
        unit,
        unexplained=unexplained,
    )
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    elif not found:
        typer.echo("no gaps" if not unexplained else "no gap without an explanation")
    else:
        console = wide_console(markup=False)
        console.print(listing(found))
        for line in remedies(found):
            console.print(line, soft_wrap=True)
    if any(waits(gap) for gap in found):
        raise typer.Exit(1)


def chosen(
    found: Sequence[Mapping[str, Any]], source: str | None, unit: str | None, *, unexplained: bool
) -> list[Mapping[str, Any]]:
    """Those asked for, oldest first."""
    wanted = [
        gap
        for gap in found
        if source in (None, gap["source_id"]) and unit in (None, gap["unit"]) and (waits(gap) or not unexplained)
    ]
    return sorted(wanted, key=lambda gap: (gap["start"], gap["recording_id"]))


def waits(gap: Mapping[str, Any]) -> bool:
    """Whether nobody has explained it, or the explanation is not reviewed as it must be or did not pass; one of a recording
    that goes on may still be closed by a late file."""
    return bool(gap["state"] != "explained" or gap["review"] in ("waiting", "rejected"))


def listing(found: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each."""
    columns = ("recording", "unit", "from (UTC)", "to", "seconds", "rests on", "state")
    rows = table(columns, unfolded=("from (UTC)", "seconds"))
    for gap in found:
        state = gap["state"] + (f" ({gap['reason']})" if gap["reason"] else "")
        state += _REVIEWS[gap["review"]]
        error = f", ±{gap['error_s']:.1f} s" if gap["error_s"] else ""
        start, end = (gap[name].replace("T", " ").removesuffix("Z") for name in ("start", "end"))
        rests_on = gap["evidence"].replace("_", " ") + error
        rows.add_row(gap["recording_id"], gap["unit"], start, end[11:], f"{gap['seconds']:.3f}", rests_on, state)
    return rows


def remedies(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to type for the first one that waits; the reason must also be spoken where the policy asks for it."""
    lines = []
    to_review = next((gap for gap in found if gap["state"] == "explained" and gap["review"] == "waiting"), None)
    if to_review is not None:
        words = ["unbroken", "review", to_review["recording_id"], "--source", to_review["source_id"]]
        words += ["--of", to_review["explained_by"]]
        lines = ["", "to review the first that waits for another person's word:", f"  {shlex.join(words)} --accept"]
    first = next((gap for gap in found if gap["state"] != "explained" or gap["review"] == "rejected"), None)
    if first is None:
        return lines
    words = ["unbroken", "explain", first["recording_id"], "--source", first["source_id"]]
    words += ["--start", first["start"], "--end", first["end"], "--reason"]
    return [*lines, "", "to explain the first that waits (R1 to R9, article 8):", f"  {shlex.join(words)} R…"]
