"""The command line: one file per command; each registers itself here and decides nothing.

Exit codes: 0 done; 1 done, and what was looked at is not in order (refused files, a service down); 2 wrong usage or
configuration; 3 a service did not answer. ``check`` asks no service and has codes of its own. Messages go to stderr,
results to stdout, ``--json`` for programs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import typer

from pipeline.domain.errors import Misconfigured, UnbrokenError

COMMANDS: Final = (
    "import_",
    "watch",
    "record",
    "annotate",
    "cases",
    "serve",
    "issue",
    "hours",
    "worker",
    "canary",
    "topics",
    "store",
    "status",
    "sla",
    "recordings",
    "gaps",
    "play",
    "quarantine",
    "rebuild",
    "reconcile",
    "verify",
    "excerpt",
    "keys",
    "hold",
    "retention",
    "doctor",
    "check",
)


def build() -> typer.Typer:
    """The command tree; importing it touches neither network nor files."""
    app = typer.Typer(
        name="unbroken",
        help="Takes recordings in, proves each one whole, unaltered and archived within 24 hours, and says where it is not.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in COMMANDS:
        import_module(f"pipeline.cli.{name}").register(app)
    return app


def main() -> None:
    """Entry point of ``unbroken``: our own errors become one line and an exit code, never a traceback."""
    try:
        build()()
    except UnbrokenError as exc:
        print(f"unbroken: {exc}", file=sys.stderr)
        raise SystemExit(2 if isinstance(exc, Misconfigured) else 3 if exc.retryable else 1) from exc
    except BrokenPipeError:
        # The reader of our output (head, less) left; that is not an error of ours.
        sys.stderr.close()
        raise SystemExit(0) from None
