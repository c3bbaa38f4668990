"""Help texts: what a command does, what can be chosen, what is often set, and examples.

Nothing heavy is imported for them: a question about usage is answered at once.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selflift.config.folder import Group, groups

HELP = ("-h", "--help")
WIDTH, INDENT = 100, 26
MORE = {
    "--cfg job": "show every key with its value, and run nothing",
    "--info defaults": "show which files the config is made of, and run nothing",
    "--hydra-help": "all flags",
    "-m KEY=A,B": "a sweep: one job for each value",
    "--config-dir DIR": "options of your own, such as DIR/experiment/NAME.yaml",
}


@dataclass(frozen=True)
class Usage:
    """What is said of a command.

    Attributes:
        command: Its name.
        about: What it does; a paragraph.
        overrides: What is often set, ``KEY=VALUE``, and what it means.
        examples: Arguments, and what they do.
    """

    command: str
    about: str
    overrides: dict[str, str]
    examples: dict[str, str]


def program(command: str) -> str:
    """What the user types to call a command: as it was called this time."""
    name = Path(sys.argv[0]).name
    return f"python -m selflift.{command}" if name.endswith(".py") or not name else name


def beside(command: str, other: str) -> str:
    """What the user types to call another command, in the same way as this one was called."""
    own = program(command)
    return f"{own.removesuffix(command)}{other}" if own.endswith(command) else own


def asked(words: Sequence[str]) -> bool:
    """Whether the arguments of a command ask for its help."""
    return any(word in HELP for word in words)


def show(help_text: str) -> None:
    """Print a help text; a reader such as ``head`` may leave before its end."""
    try:
        print(help_text, flush=True)
    except BrokenPipeError:
        # Python must not flush into what nobody reads when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def text(usage: Usage, words: Sequence[str] = ()) -> str:
    """A command's help.

    Args:
        usage: What is said of it.
        words: The arguments; ``--config-dir DIR`` among them adds the user's own options.

    Raises:
        ValueError: If the folder of YAML files is missing.
    """
    name = program(usage.command)
    chosen = groups(usage.command, _own_folders(words))
    paragraphs = [
        f"usage: {name} [KEY=VALUE ...]" + (" [GROUP=OPTION ...]" if chosen else ""),
        textwrap.fill(usage.about, WIDTH),
    ]
    if chosen:
        lines = [_line(group.name, _options(group)) for group in chosen]
        paragraphs.append("\n".join(["Groups and their options, [the default]:", *lines]))
    for group in chosen:
        if group.name == "experiment":
            lines = [_line(f"{group.name}={o}", about) for o, about in group.options.items()]
            paragraphs.append("\n".join(["Experiments:", *lines]))
    often = [_line(key, meaning) for key, meaning in usage.overrides.items()]
    paragraphs.append("\n".join(["Often set:", *often]))
    shown = [f"  {f'{name} {a}'.strip()}\n      {what}" for a, what in usage.examples.items()]
    paragraphs.append("\n".join(["Examples:", *shown]))
    paragraphs.append("\n".join(["More:", *(_line(flag, what) for flag, what in MORE.items())]))
    return "\n\n".join(paragraphs)


def _options(group: Group) -> str:
    return ", ".join(f"[{name}]" if name == group.default else name for name in group.options)


def _line(head: str, tail: str) -> str:
    """An entry of a list; what is too long for its column stands on a line of its own."""
    lines = textwrap.wrap(tail, WIDTH - INDENT) or [""]
    first = f"  {head:<{INDENT - 2}}"
    if len(head) > INDENT - 4:
        return "\n".join([f"  {head}", *(" " * INDENT + line for line in lines)])
    return "\n".join([first + lines[0], *(" " * INDENT + line for line in lines[1:])]).rstrip()


def _own_folders(words: Sequence[str]) -> list[Path]:
    found = []
    for i, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            value = value or (words[i + 1] if i + 1 < len(words) else "")
            found.append(Path(value))
    return found
