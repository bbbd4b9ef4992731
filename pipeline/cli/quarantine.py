"""``unbroken quarantine list|show|release|discard``: inputs that were set aside, and what becomes of them.

Nothing is taken out of quarantine: releasing sends the same bytes again and writes that down, discarding writes down why nobody
needs them carried on. An input is named by where it stood, as ``list`` shows it.
"""

from __future__ import annotations

import asyncio
import base64
import getpass
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from pipeline.adapters.clock import SystemClock
from pipeline.cli.printable import printable
from pipeline.cli.tables import table, wide_console
from pipeline.connectors.announcer import announcing
from pipeline.domain.canonical import plain
from pipeline.domain.errors import UnbrokenError
from pipeline.domain.quarantine import Decision, QuarantineDecided, Standing, standing
from pipeline.domain.time import to_rfc3339
from pipeline.settings import Settings
from pipeline.wire import codec, topics

_SHOWN_BYTES: Final = 2000

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="As `unbroken quarantine list` names it.")]
Grounds = Annotated[str, typer.Option("--because", help="Why; kept beside the input for good.")]
By = Annotated[
    str, typer.Option("--by", default_factory=getpass.getuser, help="Who decides.", show_default="login name")
]


class NotInQuarantine(UnbrokenError):
    """No input of that name was set aside; ``unbroken quarantine list --all`` names all of them."""


def register(app: typer.Typer) -> None:
    """Add the ``quarantine`` commands."""
    group = typer.Typer(
        help="Inputs that could not be carried on: look at them, release or discard them.", no_args_is_help=True
    )
    group.command("list")(list_)
    group.command("show")(show)
    group.command("release")(release)
    group.command("discard")(discard)
    app.add_typer(group, name="quarantine")


def list_(
    everything: Annotated[bool, typer.Option("--all", help="Also those already decided on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON (schemas/quarantined.v1).")] = False,
) -> None:
    """What waits for a decision, oldest first. Exit 1 if anything does."""
    known = asyncio.run(held(Settings()))
    shown = [one for one in known if everything or one.decided is None]
    if as_json:
        typer.echo(json.dumps([report(one) for one in shown], ensure_ascii=False, indent=1))
    elif not shown:
        typer.echo("nothing is in quarantine")
    else:
        console = wide_console(markup=False)
        console.print(listing(shown))
        for line in remedies(shown):
            console.print(line, soft_wrap=True)
    if any(one.decided is None for one in known):
        raise typer.Exit(1)


def show(name: Annotated[str, typer.Argument(metavar="INPUT", help="As `unbroken quarantine list` names it.")]) -> None:
    """One input whole: where it stood, why it was set aside, its headers and its bytes as JSON (schemas/quarantined.v1)."""
    (one,) = _named(Settings(), [name])
    typer.echo(json.dumps(report(one, whole=True), ensure_ascii=False, indent=1))


def release(names: Inputs, grounds: Grounds, by: By) -> None:
    """Send inputs again, byte for byte, after what stopped them was mended (the sender, the policy, this version)."""
    _decide(names, "released", grounds, by)


def discard(names: Inputs, grounds: Grounds, by: By) -> None:
    """Say that inputs need not be carried on. Their bytes stay where they are."""
    _decide(names, "discarded", grounds, by)


async def held(settings: Settings) -> tuple[Standing, ...]:
    """Every input set aside, with the decision that stands. Raises ``BrokerUnavailable``."""
    from pipeline.adapters.kafka_log import read_topic

    async def read(topic: topics.Topic) -> list[Any]:
        records = await read_topic(settings.kafka, settings.topic(topic.name), settings.topic_partitions)
        return [codec.decode(topic.name, record.value) for record in records]

    return standing(await read(topics.QUARANTINE), await read(topics.DECIDED))


def waiting(known: Sequence[Standing]) -> Counter[str]:
    """How many inputs of each stage wait for a decision."""
    return Counter(one.item.stage for one in known if one.decided is None)


def _named(settings: Settings, names: Sequence[str]) -> list[Standing]:
    known = {str(one.item.place): one for one in asyncio.run(held(settings))}
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise NotInQuarantine(
            f"not in quarantine, `unbroken quarantine list --all` names what is: {', '.join(unknown)}"
        )
    return [known[name] for name in dict.fromkeys(names)]


def _decide(names: Sequence[str], decision: Decision, grounds: str, by: str) -> None:
    settings = Settings()
    asyncio.run(_carry_out(settings, _named(settings, names), decision, grounds, by))


async def _carry_out(settings: Settings, chosen: Sequence[Standing], decision: Decision, grounds: str, by: str) -> None:
    async with announcing(settings) as announcer:
        for one in chosen:
            try:
                decided = QuarantineDecided(
                    **one.item.place._asdict(), decision=decision, grounds=grounds, made_by=by, at=SystemClock().now()
                )
            except ValueError as exc:
                raise typer.BadParameter(str(exc)) from exc
            # Sent before it is written down: a crash between the two sends it twice, and a repeat changes nothing.
            if decision == "released":
                await announcer.again(one.item)
            await announcer.decided(decided)
            typer.echo(f"{decision} {one.item.place}")


def listing(shown: Sequence[Standing]) -> Table:
    """A row for each input: its name, since when, why, how large, what was decided."""
    columns = ("input", "since (UTC)", "reason", "bytes", "what is wrong")
    rows = table(columns, unfolded=("since (UTC)", "bytes"))
    for item, decided in shown:
        words = item.detail if decided is None else f"{decided.decision} by {decided.made_by}: {decided.grounds}"
        size = "null" if item.value_base64 is None else str(len(base64.b64decode(item.value_base64)))
        cells = (str(item.place), to_rfc3339(item.at)[:19].replace("T", " "), item.reason, size, words)
        rows.add_row(*(Text(printable(cell)) for cell in cells))
    return rows


def remedies(shown: Sequence[Standing]) -> list[str]:
    """What to type for the first that waits; what is wrong with it decides which."""
    first = next((str(one.item.place) for one in shown if one.decided is None), None)
    if first is None:
        return []
    name = shlex.quote(printable(first))
    return [
        "",
        "for the first that waits, its bytes, and then one of two decisions:",
        f"  unbroken quarantine show {name}",
        f"  unbroken quarantine release {name} --because '…'   when what stopped it is mended: it is read again",
        f"  unbroken quarantine discard {name} --because '…'   when nobody needs it: its bytes are kept",
    ]


def report(one: Standing, *, whole: bool = False) -> dict[str, Any]:
    """As ``schemas/quarantined.v1`` has it; bytes only when *whole*."""
    item, decided = one
    found: dict[str, Any] = {
        "input": str(item.place),
        "stage": item.stage,
        "reason": item.reason,
        "detail": item.detail,
        "at": to_rfc3339(item.at),
        "size_bytes": None if item.value_base64 is None else len(base64.b64decode(item.value_base64)),
        "decided": None
        if decided is None
        else {name: plain(getattr(decided, name)) for name in ("decision", "grounds", "made_by", "at")},
    }
    if whole:
        value = b"" if item.value_base64 is None else base64.b64decode(item.value_base64)
        found |= {"key_base64": item.key_base64, "value_base64": item.value_base64}
        found["headers"] = [{"name": name, "base64": raw} for name, raw in item.headers_base64]
        found["text"] = value[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    return found
