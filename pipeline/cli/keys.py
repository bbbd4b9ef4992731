"""``unbroken keys new|show|publish``: the keys that sign receipts. None is ever replaced or taken away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.domain.errors import Misconfigured, UnbrokenError
from pipeline.domain.keys import fingerprint, key_id, pem_of, public_of, published_id, published_key
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/keys.v1).")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A public key and where it was found. ``published``: its place in the archive; ``retain_until``: of the lock there."""

    public: bytes
    signs: bool
    published: str | None = None
    retain_until: WallMs | None = None


def register(app: typer.Typer) -> None:
    """Add the ``keys`` group."""
    group = typer.Typer(help="The keys that sign receipts.", no_args_is_help=True)
    for command in (new, show, publish):
        group.command(command.__name__)(command)
    app.add_typer(group, name="keys")


def new(
    file: Annotated[
        Path | None,
        typer.Argument(help="Where the private key goes. Default: the first key's place in the state folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key: a private file for its owner only, the public one beside it. What is there is never overwritten.

    For another key after the first, name a file and set UNBROKEN_SIGNING_KEY_FILE to it; receipts of the keys before stay
    valid, as each names the key it was signed with. Exit codes: 0 made; 2 something is there already, or it cannot be written.
    """
    from pipeline.adapters.signing import KEY_FILE, make_key

    path = file or Settings().state / KEY_FILE
    try:
        signer = make_key(path)
    except FileExistsError as exc:
        raise Misconfigured(
            f"a key is there already and stays; name another file, e.g. {path.with_name('receipt-key-2.pem')} ({path})"
        ) from exc
    _tell([Known(public=signer.public, signs=False)], as_json)
    if not as_json:
        typer.echo(f"private key: {path}; public key: {path.with_suffix('.pub.pem')}")


def show(as_json: AsJson = False) -> None:
    """The keys known here and in the archive, with their fingerprints: what to print on a notice, what others should hold.

    Exit codes: 0 shown; 1 the archive holds a key under another's name; 3 the store does not answer (what is here is shown).
    """
    settings = Settings()
    mine = _mine(settings)
    try:
        archived, wrong = _archived(settings)
    except UnbrokenError:
        _tell(list(mine.values()), as_json)
        raise
    found = {
        name: Known(
            public=known.public,
            signs=name in mine and mine[name].signs,
            published=known.published,
            retain_until=known.retain_until,
        )
        for name, known in archived.items()
    }
    _tell(list({**mine, **found}.values()), as_json)
    for line in wrong:
        typer.echo(line, err=True)
    if wrong:
        raise typer.Exit(1)


def publish(
    file: Annotated[
        Path | None, typer.Argument(help="A public key, PEM. Default: that of the key that signs here.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a public key into the archive, under lock. The ledger worker does it by itself before its first receipt.

    Exit codes: 0 it is there; 1 another key lies under its name; 2 no such key; 3 the store does not answer.
    """
    from pipeline.adapters.clock import SystemClock
    from pipeline.adapters.objects_s3 import open_store
    from pipeline.adapters.signing import read_public
    from pipeline.policy import load_policy
    from pipeline.steps.archive import publish_key

    settings = Settings()
    signing = [known.public for known in _mine(settings).values() if known.signs]
    if file is None and not signing:
        raise Misconfigured("no key signs here; make one with `unbroken keys new`, or name the file of a public key")
    public = signing[0] if file is None else read_public(file)
    until = WallMs(SystemClock().now() + load_policy(settings.policy).provisional_retention_s * 1000)
    place = None if dry_run else publish_key(open_store(settings), settings.records, public, until)
    _tell(
        [Known(public=public, signs=public in signing, published=place, retain_until=None if dry_run else until)],
        as_json,
    )
    if dry_run and not as_json:
        typer.echo(
            f"would be put at {settings.records}/{published_key(key_id(public))}, locked until {to_rfc3339(until)}"
        )


def _mine(settings: Settings) -> dict[str, Known]:
    """The keys of this machine by id: the one that signs, and the public ones in the state folder. Makes none."""
    from pipeline.adapters.signing import KEY_FILE, known_keys, open_signer

    given = settings.signing_key_file is not None or bool(settings.signing_key.get_secret_value())
    found = {name: Known(public=public, signs=False) for name, public in known_keys((), settings.state).items()}
    if given or (settings.state / KEY_FILE).exists():
        signer = open_signer(settings)
        found[signer.key_id] = Known(public=signer.public, signs=True)
    return found


def _archived(settings: Settings) -> tuple[dict[str, Known], list[str]]:
    """The archive's published keys by id, and a line for each place that holds another one than it says."""
    from pipeline.adapters.objects_s3 import open_store

    store = open_store(settings)
    found, wrong = dict[str, Known](), list[str]()
    for listed in store.list(settings.records, "keys/"):
        name = published_id(listed.key)
        try:
            public = public_of(store.read(settings.records, listed.key))
        except ValueError as exc:
            wrong.append(f"{exc} ({settings.records}/{listed.key})")
            continue
        if name != key_id(public):
            wrong.append(f"expected public key {name}, found {key_id(public)} ({settings.records}/{listed.key})")
            continue
        until = store.stat(settings.records, listed.key).retain_until
        found[name] = Known(public=public, signs=False, published=listed.key, retain_until=until)
    return found, wrong


def report(known: Known) -> dict[str, Any]:
    """One key as ``--json`` tells it."""
    return {
        "key_id": key_id(known.public),
        "fingerprint": fingerprint(known.public),
        "signs": known.signs,
        "published": known.published,
        "retain_until": None if known.retain_until is None else to_rfc3339(known.retain_until),
        "pem": pem_of(known.public).decode(),
    }


def _tell(found: list[Known], as_json: bool) -> None:
    told = [report(known) for known in sorted(found, key=lambda known: key_id(known.public))]
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for one in told:
        where = (
            f"in the archive until {one['retain_until']}"
            if one["published"]
            else "not in the archive, as far as is known"
        )
        typer.echo(f"{one['key_id']}  {'signs here' if one['signs'] else 'public key'}  {where}")
        typer.echo(f"                  fingerprint (SHA-256 of the public key): {one['fingerprint']}")
    if not told:
        typer.echo("no key is known; the ledger worker makes one, or `unbroken keys new`")
