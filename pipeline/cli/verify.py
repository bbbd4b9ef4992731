"""``unbroken verify [s3|DIR]``: the archive, or a copy of it, read back and checked; no broker and no worker is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.domain.selection import Selection
from pipeline.domain.verify import Item, Result
from pipeline.settings import Settings
from pipeline.steps.verify import Verification

_WORDS: Final[dict[Result, str]] = {"pass": "PASS", "fail": "FAIL", "not_covered": "NOT COVERED"}
_COLOURS: Final[dict[Result, str]] = {"pass": "green", "fail": "red", "not_covered": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the ``verify`` command."""
    app.command("verify")(verify)


def verify(
    where: Annotated[
        str, typer.Argument(help="s3: the store of the settings; else a folder with the copied buckets.")
    ] = "s3",
    source: Annotated[str | None, typer.Option(help="Only this source's recordings.")] = None,
    recording: Annotated[str | None, typer.Option(help="Only this recording.")] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public receipt key, PEM; again for each key there was. Default: the state folder's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Recompute every digest, link, total and signature; exit 1 if something differs, 3 if the store does not answer."""
    items: list[Item] = []
    for item in verification(where, Settings(), key or []).items(Selection(source=source, recording=recording)):
        items.append(item)
        if not as_json:
            Console(highlight=False, soft_wrap=True).print(in_words(item))
    if not items:
        typer.echo(f"no recording of that name is archived ({where})", err=True)
        raise typer.Exit(1)
    counts = Counter(item.result for item in items)
    if as_json:
        report = {"results": {result: counts[result] for result in _WORDS}, "items": [asdict(item) for item in items]}
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        typer.echo(", ".join(f"{counts[result]} {word}" for result, word in _WORDS.items()))
    if counts["fail"]:
        raise typer.Exit(1)


def verification(where: str, settings: Settings, key_files: Sequence[Path]) -> Verification:
    """The reader of *where*; raises ``Misconfigured`` for a folder or key that cannot be used."""
    from pipeline.adapters.objects_folder import FolderObjects
    from pipeline.adapters.objects_s3 import open_store
    from pipeline.adapters.signing import verify as signed

    keys = public_keys(key_files, settings)
    if where == "s3":
        return Verification(
            store=open_store(settings),
            records=settings.records,
            originals=settings.originals,
            locks=True,
            keys=keys,
            signed=signed,
        )
    copy = FolderObjects(Path(where))
    records = copy.records()
    originals = records.removesuffix("records") + "originals"
    return Verification(store=copy, records=records, originals=originals, locks=False, keys=keys, signed=signed)


def public_keys(files: Sequence[Path], settings: Settings) -> dict[str, bytes]:
    """Raw public keys by id, from *files* or from the state folder if it has one; raises ``Misconfigured``."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from pipeline.adapters.signing import KEY_FILE, key_id
    from pipeline.domain.errors import Misconfigured

    own = (settings.state / KEY_FILE).with_suffix(".pub.pem")
    keys = {}
    for path in files or ([own] if own.exists() else []):
        try:
            public = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as exc:
            raise Misconfigured(f"the public key cannot be used: {exc} ({path})") from exc
        if not isinstance(public, Ed25519PublicKey):
            raise Misconfigured(f"expected an Ed25519 public key, found {type(public).__name__} ({path})")
        keys[key_id(public.public_bytes_raw())] = public.public_bytes_raw()
    return keys


def in_words(item: Item) -> str:
    """One line; a difference has both sides on lines of their own."""
    head = f"[{_COLOURS[item.result]}]{_WORDS[item.result]:<11}[/]  {escape(item.about)}  {item.check}"
    if item.result == "fail":
        return f"{head}: {escape(item.place)}\n               expected {escape(item.expected)}\n               found    {escape(item.found)}"
    return f"{head}: {escape(item.found)}"
