"""Config dataclasses as plain values: YAML text out, and back from what a checkpoint holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar, get_type_hints

Schema = TypeVar("Schema")


def to_yaml(config: Any) -> str:
    """A config dataclass as YAML text; read back by the command line on resuming."""
    return "\n".join(_yaml_lines(asdict(config), 0)) + "\n"


def _yaml_lines(values: dict[str, Any], depth: int) -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["  " * depth + f"{key}:", *_yaml_lines(value, depth + 1)]
        else:
            # JSON scalars are YAML scalars; quoting keeps strings strings.
            lines.append("  " * depth + f"{key}: {json.dumps(value)}")
    return lines


def from_plain(schema: type[Schema], plain: Any, key: str) -> Schema:
    """A config dataclass from the plain values that a checkpoint holds of it.

    Args:
        schema: The dataclass.
        plain: A mapping; what it lacks takes its default.
        key: What it is called, for messages.

    Raises:
        ValueError: If it is no mapping, or has entries that the schema hasn't.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"checkpoint: expected {key} to be a mapping, got {plain!r}")
    types = get_type_hints(schema)
    unknown = sorted(set(plain) - set(types))
    if unknown:
        raise ValueError(
            f"checkpoint: expected {key} with {', '.join(types)}, got also "
            f"{', '.join(unknown)}; use the selflift that wrote it"
        )
    return schema(
        **{
            name: from_plain(types[name], value, f"{key}.{name}")
            if is_dataclass(types[name])
            else value
            for name, value in plain.items()
        }
    )
