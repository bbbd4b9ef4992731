"""``unbroken hold add|release|list``: legal holds. What was said stands in the register, what is so in the store."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.text import Text

from pipeline.cli.printable import printable
from pipeline.cli.tables import table, wide_console
from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import RecordingId, SourceId, recording_id, source_id
from pipeline.domain.keeping import Entry, Register, entry_digest, standing
from pipeline.domain.time import to_rfc3339
from pipeline.settings import Settings
from pipeline.steps.keeping import Keeper

T = TypeVar("T")

Recording = Annotated[str, typer.Argument(help="The recording's id, as `unbroken recordings` shows it.")]
Source = Annotated[str, typer.Option("--source", help="The source's id.")]
Name = Annotated[str, typer.Option("--hold", help="What the hold is called: the order's or the case's number.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in words; it stays in the register.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who says so.", show_default="login name")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/holds.v1).")]


def register(app: typer.Typer) -> None:
    """Add the ``hold`` group."""
    group = typer.Typer(help="Legal holds: what must not go, whatever its lock says.", no_args_is_help=True)
    group.command("add")(add)
    group.command("release")(release)
    group.command("list")(show)
    app.add_typer(group, name="hold")


def add(
    recording: Recording,
    source: Source,
    hold: Name,
    reason: Reason,
    by: By,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a recording under legal hold: every version of its documents and originals, and of what is archived of it later.

    Said again, it sets what is missing and adds nothing. Exit codes: 0 held; 2 wrong usage; 3 the store does not answer.
    """
    about, keeper = _about(source, recording), open_keeper(Settings())
    known = keeper.register(*about)
    named = [digest for digest in standing(known) if known[digest].hold == hold]
    entry = known[named[0]] if named else _entry(about, "held", by, reason, hold=hold)
    if dry_run:
        typer.echo(
            f"would {'set again' if named else 'set'} hold {printable(hold)} on {recording}: {_extent(keeper, about)}"
        )
        return
    keeper.add(entry)
    _, changed = keeper.settle(*about)
    _tell(keeper, entry, as_json, f"held: {recording}, by {printable(hold)}; {changed} objects changed")


def release(
    recording: Recording,
    source: Source,
    hold: Name,
    reason: Reason,
    second: Annotated[str, typer.Option("--second", help="Who agreed: another person than --by.")],
    by: By,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End a legal hold, with a reason and two people's names. What another hold needs stays held; no lock gets shorter. It
    is sealed with the receipt key, so it runs where that is.

    Exit codes: 0 released; 1 there is no such hold; 2 wrong usage, or one person alone; 3 the store does not answer.
    """
    about, keeper = _about(source, recording), open_keeper(Settings())
    known = keeper.register(*about)
    named = [digest for digest in standing(known) if known[digest].hold == hold]
    before = [entry for entry in known.values() if entry.kind == "released" and entry.hold == hold]
    if not named and not before:
        typer.echo(f"no hold {printable(hold)} is on {recording}; `unbroken hold list` shows those that are", err=True)
        raise typer.Exit(1)
    entries = [
        _entry(about, "released", by, reason, hold=hold, releases=digest, second=second) for digest in named
    ] or before[-1:]
    if dry_run:
        typer.echo(f"would release hold {printable(hold)} from {recording}: {_extent(keeper, about)}")
        return
    if keeper.sealer is None:
        raise Misconfigured(
            "a release counts only with a seal, and the receipt key is not here: run this where the ledger worker runs, or "
            "name the key in UNBROKEN_SIGNING_KEY_FILE"
        )
    for entry in entries:
        keeper.add(entry)
    still_held, freed = keeper.free(*about)
    still = "another hold or its class still holds it" if still_held else "nothing else holds it"
    _tell(
        keeper, entries[-1], as_json, f"released: {recording}, from {printable(hold)}; {freed} objects freed; {still}"
    )


def show(
    released: Annotated[bool, typer.Option("--all", help="Those that were released too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the holds of all recordings, as the register has them. Exit codes: 0 listed; 3 the store does not answer."""
    keeper = open_keeper(Settings())
    found = [
        one
        for about in keeper.registered("held")
        for one in _holds(keeper.register(*about))
        if released or one["released"] is None
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("no hold stands")
        return
    shown = table(("recording", "source", "hold", "since", "by", "reason", "released"), ("recording", "since"))
    for one in found:
        end = one["released"]
        gone = "" if end is None else f"{end['at']} by {end['by']} and {end['second']}: {end['reason']}"
        cells = (one["recording_id"], one["source_id"], one["hold"], one["since"], one["by"], one["reason"], gone)
        shown.add_row(*(Text(printable(cell)) for cell in cells))
    wide_console().print(shown)


def open_keeper(settings: Settings) -> Keeper:
    """The keeper of an installation. Where the receipt key is not, it adds without a seal."""
    from pipeline.adapters.objects_s3 import open_store
    from pipeline.adapters.signing import present_signer, trusted_keys, verify
    from pipeline.policy import load_policy
    from pipeline.steps.seal import Sealer, Seals

    store, records, signer = open_store(settings), settings.records, present_signer(settings)
    return Keeper(
        store=store,
        policy=load_policy(settings.policy),
        records=records,
        seals=Seals(store=store, records=records, keys=trusted_keys(settings), signed=verify),
        sealer=None if signer is None else Sealer(store=store, signer=signer, records=records),
    )


def _about(source: str, recording: str) -> tuple[SourceId, RecordingId]:
    return _said(lambda: (source_id(source), recording_id(recording)))


def _entry(about: tuple[SourceId, RecordingId], kind: Any, by: str, reason: str, **more: Any) -> Entry:
    """What is said now; what the domain refuses is wrong usage."""
    from pipeline.adapters.clock import SystemClock

    now = SystemClock().now()
    return _said(
        lambda: Entry(
            source_id=about[0], recording_id=about[1], kind=kind, made_at=now, made_by=by, reason=reason, **more
        )
    )


def _said(build: Callable[[], T]) -> T:
    try:
        return build()
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _extent(keeper: Keeper, about: tuple[SourceId, RecordingId]) -> str:
    receipts = keeper.receipts(*about)
    if not receipts:
        return "it is not archived yet, so the hold takes effect when it is"
    count = sum(1 for _ in keeper.places(*about, receipts.values(), every=False))
    return f"{count} objects in {len(receipts)} revisions"


def _holds(known: Register) -> list[dict[str, Any]]:
    """Each hold of a register with its release, oldest first."""
    ends = {entry.releases: entry for entry in known.values() if entry.kind == "released"}
    held = sorted((entry for entry in known.values() if entry.kind == "held"), key=lambda entry: entry.made_at)
    return [report(entry, ends.get(entry_digest(entry))) for entry in held]


def report(held: Entry, end: Entry | None) -> dict[str, Any]:
    """One hold as ``--json`` tells it."""
    return {
        "source_id": held.source_id,
        "recording_id": held.recording_id,
        "hold": held.hold,
        "since": to_rfc3339(held.made_at),
        "by": held.made_by,
        "reason": held.reason,
        "entry": entry_digest(held),
        "released": None
        if end is None
        else {"at": to_rfc3339(end.made_at), "by": end.made_by, "second": end.second, "reason": end.reason},
    }


def _tell(keeper: Keeper, entry: Entry, as_json: bool, text: str) -> None:
    """What was done; as JSON the holds of the recording as they stand now."""
    if keeper.sealer is None:
        typer.echo("the entry has no seal: the receipt key is not here; said again where it is, it gets one", err=True)
    if not as_json:
        typer.echo(text)
        return
    found = [one for one in _holds(keeper.register(entry.source_id, entry.recording_id)) if one["hold"] == entry.hold]
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
