"""The command line: one file per command; each registers itself here and decides nothing.

Exit codes: 0 done; 1 done, and what was looked at is not in order (refused files, a service down); 2 wrong usage or
configuration; 3 a service did not answer. ``check`` asks no service and has codes of its own. Messages go to stderr,
results to stdout, ``--json`` for programs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import typer

from pipeline.domain.errors import Misconfigured, UnbrokenError

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: commands or (name.rstrip("_"),)
    for name, commands in {
        "import_": (),
        "watch": (),
        "record": (),
        "annotate": ("describe", "explain", "review", "end", "schedule"),
        "cases": (),
        "serve": (),
        "issue": ("issue", "return"),
        "hours": (),
        "worker": (),
        "canary": (),
        "topics": (),
        "store": (),
        "status": (),
        "sla": (),
        "recordings": (),
        "gaps": (),
        "play": (),
        "quarantine": (),
        "rebuild": (),
        "reconcile": (),
        "verify": (),
        "excerpt": (),
        "keys": (),
        "hold": (),
        "retention": (),
        "doctor": (),
        "check": (),
    }.items()
}
"""Each file with the commands in it, in the order in which they are listed."""
_HELP: Final = (
    "Takes recordings in, proves each one whole, unaltered and archived within 24 hours, and says where it is not."
)


def build(wanted: str | None = None) -> typer.Typer:
    """The command tree; importing it touches neither network nor files. Of a *wanted* command that exists only its file is
    imported: all of them take a second, most of it in libraries that the one does not need."""
    app = typer.Typer(name="unbroken", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(help=_HELP)(lambda: None)  # with it, a tree of one command keeps the command's name
    found = [name for name, commands in COMMANDS.items() if wanted in commands]
    for name in found or COMMANDS:
        import_module(f"pipeline.cli.{name}").register(app)
    return app


def main() -> None:
    """Entry point of ``unbroken``: our own errors become one line and an exit code, never a traceback."""
    # The Kafka client's warnings are for a worker's log. A command without one says itself what is wrong, once.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except UnbrokenError as exc:
        print(f"unbroken: {exc}", file=sys.stderr)
        raise SystemExit(2 if isinstance(exc, Misconfigured) else 3 if exc.retryable else 1) from exc
    except BrokenPipeError:
        # The reader of our output (head, less) left; that is not an error of ours.
        sys.stderr.close()
        raise SystemExit(0) from None
