"""Config dataclasses as plain values: YAML text, a checkpoint's mappings, dotted keys."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar, get_type_hints

Schema = TypeVar("Schema")


def to_yaml(config: Any) -> str:
    """Write a config dataclass as YAML text; the command line reads it back on resuming."""
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
    """Restore a config dataclass from the plain values in a checkpoint.

    Args:
        schema: The dataclass.
        plain: A mapping; missing entries take their defaults.
        key: Its name, for messages.

    Raises:
        ValueError: If it is no mapping, or has unknown entries.
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


def look_up(config: Any, key: str) -> Any:
    """Return the value of a dotted key, such as ``trainer.steps``."""
    return operator.attrgetter(key)(config)


def put(config: Any, key: str, value: Any) -> None:
    """Change the value of a dotted key."""
    *groups, name = key.split(".")
    setattr(look_up(config, ".".join(groups)) if groups else config, name, value)


def differences(config: Any, other: Any) -> list[tuple[str, Any, Any]]:
    """Return the dotted keys in which two configs of one kind differ, and their values."""
    a, b = _flat(asdict(config)), _flat(asdict(other))
    return [(key, a[key], b[key]) for key in a if a[key] != b[key]]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
