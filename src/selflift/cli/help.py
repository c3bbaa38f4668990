"""Help texts, and hints for mistyped arguments; imports nothing slow, so answers come at once."""

from __future__ import annotations

import difflib
import os
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from selflift.config.folder import Group, groups

EXIT_BAD_INPUT = 2
WIDTH, INDENT = 100, 26
MORE = """

More:
  --cfg job               show every key with its value, and run nothing
  --info defaults         show which files the config is made of, and run nothing
  --hydra-help            all flags
  -m KEY=A,B              a sweep: one job for each value
  --config-dir DIR        options of your own, such as DIR/experiment/NAME.yaml"""
# Hydra's flags that stand alone, and those that a value follows.
COMPLETION = ("-sc", "--shell-completion")
FLAGS = frozenset(
    ("-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun",
     *COMPLETION)
)  # fmt: skip
VALUED = frozenset(
    ("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd",
     "--config-dir", "--experimental-rerun", "-i", "--info")
)  # fmt: skip
KEY = re.compile(r"[A-Za-z_][\w.-]*")


def program(command: str) -> str:
    """Return what the user typed to call a command."""
    name = Path(sys.argv[0]).name
    return f"python -m selflift.{command}" if name.endswith(".py") or not name else name


def beside(command: str, other: str) -> str:
    """Return what to type to call another command in the same way as this one was called."""
    own = program(command)
    return f"{own.removesuffix(command)}{other}" if own.endswith(command) else own


def answer(text: Callable[[], str], needs_arguments: bool = False) -> bool:
    """Print a command's help if it is asked for.

    Args:
        text: Makes the help text.
        needs_arguments: Whether the command needs some; without any its help is printed, and the
            process exits with status 2.

    Returns:
        Whether it was asked for.
    """
    words = sys.argv[1:]
    if not words and needs_arguments:
        show(text())
        sys.exit(EXIT_BAD_INPUT)
    asked = words[:1] == ["help"] or any(word in ("-h", "--help") for word in words)
    if asked:
        show(text())
    return asked


def show(help_text: str) -> None:
    """Print a help text; a reader such as ``head`` may leave before its end."""
    try:
        print(help_text, flush=True)
    except BrokenPipeError:
        # Python must not flush into a closed pipe when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(line: object, status: int = EXIT_BAD_INPUT) -> NoReturn:
    """Print an error in one line and exit."""
    print(f"selflift: error: {line}", file=sys.stderr, flush=True)
    sys.exit(status)


def listed(table: Mapping[str, str]) -> str:
    """Align a table of names and descriptions."""
    width = max(map(len, table))
    return "\n".join(f"  {name:<{width}}  {about}" for name, about in table.items())


def describe_groups(command: str) -> str:
    """List the groups of a command, their options, and its experiments.

    Options in the user's ``--config-dir`` are listed too.

    Raises:
        ValueError: If the folder of YAML files is missing.
    """
    chosen = groups(command, _own_folders(sys.argv[1:]))
    lines = ["Groups and their options, [the default]:"]
    lines += [_entry(group.name, _options(group)) for group in chosen]
    for group in chosen:
        if group.name == "experiment":
            lines += ["", "Experiments:"]
            lines += [_entry(f"experiment={name}", about) for name, about in group.options.items()]
    return "\n".join(lines)


def _options(group: Group) -> str:
    return ", ".join(f"[{name}]" if name == group.default else name for name in group.options)


def _entry(head: str, tail: str) -> str:
    """Align an entry of a list; a head that is too long stands on a line of its own."""
    lines = textwrap.wrap(tail, WIDTH - INDENT) or [""]
    if len(head) > INDENT - 4:
        lines = ["", *lines]
    lines[0] = f"{f'  {head}':<{INDENT}}{lines[0]}".rstrip()
    return ("\n" + " " * INDENT).join(lines)


def _own_folders(words: Sequence[str]) -> list[Path]:
    found = []
    for word, following in pairwise([*words, ""]):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            found.append(Path(value or following))
    return found


def mistake(
    words: Sequence[str],
    keys: Sequence[str],
    options: Mapping[str, Sequence[str]],
    required: Sequence[str] = (),
) -> str | None:
    """Find the first argument that is not ``KEY=VALUE``, such as ``--seed 3`` or ``seed 3``.

    Args:
        words: The arguments.
        keys: All keys, ``trainer.steps`` and the like.
        options: The groups and their options.
        required: Keys without a default; a bare path is taken for the first one's value.

    Returns:
        One line with what to write instead; ``None`` if there is no such argument.
    """
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag = word.partition("=")[0]
        if flag in VALUED:
            rest = rest if "=" in word else rest[1:]
        elif flag not in FLAGS and (found := _mistyped(word, rest, keys, options, required)):
            return f"command line: expected KEY=VALUE, got {found}"
    return None


def _mistyped(
    word: str,
    rest: Sequence[str],
    keys: Sequence[str],
    options: Mapping[str, Sequence[str]],
    required: Sequence[str],
) -> str | None:
    dashes = re.match(r"--?(?=[A-Za-z_])", word)
    name, sign, value = word[dashes.end() if dashes else 0 :].partition("=")
    typed = word
    if not sign and rest[:1] == ["="] and len(rest) > 1:
        typed, value = f"{word} = {rest[1]}", rest[1]
    elif not value and rest and _is_value(rest[0]):
        typed, value = f"{word} {rest[0]}", rest[0]
    elif sign and not dashes:
        return None
    meant = nearest(name, [*keys, *options], dashes=True) if KEY.fullmatch(name) else []
    if not meant and not sign and not dashes:
        meant, typed, value = [g for g, known in options.items() if name in known], word, name
        if not meant and required and re.match(r"[^~+].*[./]|[./]", word):
            meant = [required[0]]
    if meant:
        value = value or "VALUE"
        return f"'{typed}'; write {' or '.join(f'{key}={value}' for key in meant)}"
    return f"'{typed}'; --help shows what can be set" if KEY.fullmatch(name) else None


def _is_value(word: str) -> bool:
    """Return whether a word can be the value of the one before it."""
    return bool(word) and "=" not in word and not re.match(r"--?[A-Za-z]", word)


def nearest(name: str, known: Sequence[str], dashes: bool = False) -> list[str]:
    """Return the keys that a mistyped one may stand for, best first.

    Args:
        name: The mistyped key.
        known: All keys and groups.
        dashes: Whether dashes may stand for underscores, as in other programs' flags.
    """
    for tried in dict.fromkeys((name, name.replace("-", "_")) if dashes else (name,)):
        if tried in known:
            return [tried]
        # A key without its group, or under another one, is as common a slip as a misspelt one.
        if same_end := [key for key in known if key.split(".")[-1] == tried.split(".")[-1]]:
            return same_end[:3]
    return difflib.get_close_matches(tried, known, n=3, cutoff=0.7)
