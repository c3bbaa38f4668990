"""The program ``selflift``: dispatches to its commands; each imports what it needs when called."""

from __future__ import annotations

import difflib
import os
import sys
from importlib import import_module
from pathlib import Path

import selflift
from selflift.cli.help import COMPLETION, EXIT_BAD_INPUT, fail, show
from selflift.cli.interrupt import leave_at_once

COMMANDS = {
    "prepare": "keypoints and motion capture of many formats to a pose set",
    "train": "a lifter from 2D keypoints alone",
    "eval": "a lifter's errors: tables, files and a report",
    "predict": "3D poses from 2D keypoints, with a trained lifter",
}
USAGE = """usage: {name} COMMAND [KEY=VALUE ...]

Learns to lift 2D human keypoints to 3D from 2D keypoints alone.

Commands:
{commands}

{name} COMMAND --help tells more of each, {name} --version the version.
Completion with the Tab key, in bash: eval "$(selflift -sc install=bash)" """


def main() -> None:
    """Run the program."""
    leave_at_once()
    name = "python -m selflift" if sys.argv[0].endswith(".py") else Path(sys.argv[0]).name
    words = sys.argv[1:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    first = words[0] if words else None
    if first is None or first in ("-h", "--help"):
        commands = "\n".join(f"  {command:<9}{about}" for command, about in COMMANDS.items())
        show(USAGE.format(name=name, commands=commands).rstrip())
        sys.exit(0 if words else EXIT_BAD_INPUT)
    if first == "--version":
        print(f"selflift {selflift.__version__}")
    elif first in COMPLETION:
        _complete()
    elif first in COMMANDS:
        # Each command reads its arguments from there, and its own name for its help.
        sys.argv = [f"{name} {first}", *words[1:]]
        import_module(f"selflift.cli.{first}").main()
    else:
        fail(f"no command '{first}'; {_hint(first, name, words)}")


def _complete() -> None:
    """Complete a command, or the arguments of the command on the line."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    typed = [word for word in words if word][1:]
    if any(word.startswith("query") for word in sys.argv) and (
        not typed or (len(typed) == 1 and words[-1])
    ):
        print(" ".join(COMMANDS))
        return
    command = typed[0] if typed and typed[0] in COMMANDS else "train"
    from selflift.cli import hydra_entry

    hydra_entry.complete(command)


def _hint(word: str, name: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    if close:
        return f"did you mean {name} {close[0]}?"
    if "=" in word:
        return f"the command comes first: {name} train {' '.join(words)}"
    return f"expected one of {', '.join(COMMANDS)}"
