"""Configs by dotted keys, such as ``trainer.steps``."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any


def look_up(config: Any, key: str) -> Any:
    """The value of a key."""
    return operator.attrgetter(key)(config)


def put(config: Any, key: str, value: Any) -> None:
    """Change the value of a key."""
    *groups, name = key.split(".")
    setattr(look_up(config, ".".join(groups)) if groups else config, name, value)


def differences(config: Any, other: Any) -> list[tuple[str, Any, Any]]:
    """The keys in which two configs of one kind differ, and their values."""
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
