"""Validators of the published schemas, for tests: the product itself never needs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import schemas

EXAMPLES = Path(schemas.__file__).parent / "examples"


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of a schema, all references resolved among the published ones."""
    resources = [Resource.from_contents(schemas.load(each)) for each in schemas.names()]
    registry: Registry[Any] = resources @ Registry()
    return Draft202012Validator(schemas.load(name), registry=registry)


def accepts(name: str, value: Any) -> bool:
    """What the schema says of a parsed value."""
    return bool(validator(name).is_valid(value))


def examples() -> Iterator[tuple[str, str, Path]]:
    """Every example as schema name, ``valid`` or ``invalid``, and file."""
    for path in sorted(EXAMPLES.glob("*/*/*.json")):
        yield path.parent.parent.name, path.parent.name, path


def read(path: Path) -> Any:
    """An example, parsed."""
    return json.loads(path.read_bytes())
