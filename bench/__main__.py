"""``python -m bench [check|import|ledger|evidence ...]``: all of them, or those named. Needs the local stack and its environment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final

from bench import check, evidence, import_, ledger

BENCHES: Final[Mapping[str, Callable[[], object]]] = {
    "check": check.main,
    "import": import_.main,
    "ledger": ledger.main,
    "evidence": evidence.main,
}


def main(names: list[str]) -> int:
    """Run the benches *names*, or all; 2 for an unknown name."""
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    sys.argv = sys.argv[:1]  # each bench reads its own options, and has none here
    for name in names or BENCHES:
        print(f"-- {name}", flush=True)
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
