"""``unbroken topics apply|check``: create the topics the product needs, or say how the broker's differ."""

from __future__ import annotations

import asyncio

import typer

from pipeline.adapters.kafka_topics import apply_topics, check_topics
from pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the ``topics`` group."""
    group = typer.Typer(help="The Kafka topics: create them, compare them.", no_args_is_help=True)
    group.command("apply")(apply)
    group.command("check")(check)
    app.add_typer(group, name="topics")


def apply() -> None:
    """Create missing topics; an existing one that differs is named and never changed."""
    created = asyncio.run(apply_topics(Settings()))
    for name in created:
        typer.echo(f"created {name}")
    if not created:
        typer.echo("all topics exist as they should")


def check() -> None:
    """Say how the broker's topics differ from ours; exit 1 if they do."""
    differences = asyncio.run(check_topics(Settings()))
    for line in differences:
        typer.echo(line)
    if differences:
        raise typer.Exit(1)
    typer.echo("all topics are as they should be")
