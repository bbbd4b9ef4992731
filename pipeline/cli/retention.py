"""``unbroken retention sweep``: locks and holds in the store against what register and policy demand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.printable import printable
from pipeline.domain.time import to_rfc3339
from pipeline.settings import Settings
from pipeline.steps.sweep import MENDABLE, Swept


def register(app: typer.Typer) -> None:
    """Add the ``retention`` group."""
    group = typer.Typer(help="How long recordings are kept.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("sweep")(sweep)
    app.add_typer(group, name="retention")


def sweep(
    source: Annotated[str | None, typer.Option(help="Only this source's recordings.")] = None,
    recording: Annotated[str | None, typer.Option(help="Only this recording.")] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Lengthen locks and set holds that fall short. Without it nothing is changed."),
    ] = False,
    objects_per_s: Annotated[float | None, typer.Option(min=0.1, help="Ask the store for no more in a second.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/retention-sweep.v1).")] = False,
) -> None:
    """Compare each archived recording's locks and holds, as the store reports them now, with what its class and holds demand.

    Exit codes: 0 nothing falls short, or all of it was mended; 1 something does; 3 the store does not answer.
    """
    from pipeline.adapters.clock import SystemClock
    from pipeline.adapters.pace import Pace
    from pipeline.cli.hold import open_keeper
    from pipeline.steps.sweep import Sweep

    keeper = open_keeper(Settings())
    paced = Pace(objects_per_s) if objects_per_s else lambda _count: None
    swept = Sweep(keeper=keeper, clock=SystemClock(), on_object=paced).run(source, recording, repair=repair)
    left = Sweep(keeper=keeper, clock=SystemClock(), on_object=paced).run(source, recording) if swept.mended else swept
    if as_json:
        typer.echo(json.dumps(report(swept, left), indent=2, ensure_ascii=False))
    else:
        _show(swept, left)
    if left.found:
        raise typer.Exit(1)


def report(swept: Swept, left: Swept) -> dict[str, Any]:
    """One sweep as ``--json`` tells it; *left*: the look after what was mended."""
    return {
        "at": to_rfc3339(swept.at),
        "recordings": swept.recordings,
        "objects": swept.objects,
        "found": [asdict(one) for one in swept.found],
        "mended": swept.mended,
        "left": len(left.found),
    }


def _show(swept: Swept, left: Swept) -> None:
    for one in swept.found:
        typer.echo(f"{one.kind}: {printable(one.place)} of {one.about}")
        typer.echo(f"    expected {printable(one.expected)}; found {printable(one.found)}")
    typer.echo(f"{swept.recordings} recordings, {swept.objects} objects asked for; {len(swept.found)} shortfalls")
    if swept.mended:
        typer.echo(f"{swept.mended} objects mended; {len(left.found)} shortfalls left")
    elif any(one.kind in MENDABLE for one in swept.found):
        typer.echo(
            "`unbroken retention sweep --repair` lengthens locks and sets holds again; find out first who took a hold off"
        )
    if counted := Counter(one.kind for one in left.found if one.kind not in MENDABLE):
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))
        typer.echo(f"not to be mended from here: {told}; docs/keeping.md says what to do")
