"""``unbroken excerpt make|check``: a part of an original that proves where it comes from, without the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pipeline.cli.printable import printable
from pipeline.domain.errors import Misconfigured
from pipeline.settings import Settings

_RANGE: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})", re.ASCII)
_WORDS: Final = {"pass": "PASS", "fail": "FAIL", "not_covered": "NOT COVERED"}


def register(app: typer.Typer) -> None:
    """Add the ``excerpt`` group."""
    group = typer.Typer(help="Parts of originals that prove where they come from.", no_args_is_help=True)
    for command in (make, check):
        group.command(command.__name__)(command)
    app.add_typer(group, name="excerpt")


def make(
    original: Annotated[Path, typer.Argument(help="The original, as it lies in the archive or a copy of it.")],
    bytes_: Annotated[str, typer.Option("--bytes", help="First and last byte wanted, counted from 0, e.g. 0-9999999.")],
    into: Annotated[Path, typer.Option("--into", help="A new folder for the excerpt.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print excerpt.json (schemas/excerpt.v1).")] = False,
) -> None:
    """Cut the whole chunks of 4 MiB around the wanted bytes out of an original, with the proof that they are part of it.

    Hand over the folder with the recording's chain.jsonl and receipt.json in it. Exit codes: 0 made; 2 the file has no such
    bytes, cannot be read, or the folder is there already.
    """
    from pipeline.domain.excerpt import excerpt_document
    from pipeline.steps import excerpt

    match = _RANGE.fullmatch(bytes_)
    if match is None:
        raise Misconfigured(f"expected --bytes like 0-9999999, found {printable(bytes_)!r}")
    try:
        with original.open("rb") as file:
            told = excerpt.make(file, int(match[1]), int(match[2]), into)
    except (OSError, ValueError) as exc:
        raise Misconfigured(f"no excerpt was made: {exc} ({printable(str(original))})") from exc
    if as_json:
        typer.echo(excerpt_document(told).decode())
    else:
        typer.echo(f"bytes {told.first_byte} to {told.last_byte} of {told.length}, in {into}")
        typer.echo("put chain.jsonl and receipt.json of the recording beside them; check with: unbroken excerpt check")


def check(
    folder: Annotated[Path, typer.Argument(help="The folder with the excerpt, chain.jsonl and receipt.json.")],
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public receipt key, PEM; again for each. Default: those of the state folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/excerpt-report.v1).")] = False,
) -> None:
    """Say what an excerpt proves: its bytes, the link that states their root, the receipt that signs the link's chain.

    Exit codes: 0 nothing that was looked at differs (NOT COVERED does not change the code); 1 something does; 2 a file is
    absent or is not what its name says.
    """
    from pipeline.adapters.signing import known_keys, verify
    from pipeline.domain.errors import Malformed
    from pipeline.steps import excerpt

    try:
        told, answers = excerpt.check(folder, known_keys(key or [], Settings().state), verify)
    except (OSError, Malformed) as exc:
        raise Misconfigured(f"the excerpt cannot be checked: {exc}") from exc
    if as_json:
        report: dict[str, Any] = {
            "sha256": told.sha256,
            "first_byte": told.first_byte,
            "last_byte": told.last_byte,
            "answers": [one._asdict() for one in answers],
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for one in answers:
            typer.echo(printable(f"{_WORDS[one.result]:<11} {one.check}: {one.told}"))
    if any(one.result == "fail" for one in answers):
        raise typer.Exit(1)
