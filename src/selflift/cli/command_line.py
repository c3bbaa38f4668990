"""What was written as for other programs (``--seed 3``, ``seed 3``), and how to write it here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

# Hydra's flags that stand alone, and those that a value follows.
FLAGS = frozenset(
    ("-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun",
     "-sc", "--shell-completion")
)  # fmt: skip
VALUED = frozenset(
    ("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd",
     "--config-dir", "--experimental-rerun", "-i", "--info")
)  # fmt: skip
COMPLETION = ("-sc", "--shell-completion")
KEY = re.compile(r"[A-Za-z_][\w.-]*")


def asks_for_completion(words: Sequence[str]) -> bool:
    """Whether a shell asks what can be typed next, or for the script that makes it ask."""
    return any(word in COMPLETION for word in words)


def mistake(
    words: Sequence[str],
    keys: Sequence[str],
    options: Mapping[str, Sequence[str]],
    required: Sequence[str] = (),
) -> str | None:
    """What is wrong with the arguments of a command, if they are not ``KEY=VALUE`` each.

    Args:
        words: The arguments.
        keys: All keys, ``trainer.steps`` and the like.
        options: The groups and their options.
        required: Keys without a default, the first of which a path may be meant for.

    Returns:
        One line with what to write instead; ``None`` if nothing of the kind is wrong.
    """
    i = 0
    while i < len(words):
        word = words[i]
        following = words[i + 1] if i + 1 < len(words) else None
        flag = word.partition("=")[0]
        if flag in VALUED:
            i += 1 if "=" in word else 2
            continue
        if flag not in FLAGS:
            found = _misspoken(word, following, words[i + 2 : i + 3], keys, options, required)
            if found:
                return f"command line: expected KEY=VALUE, got {found}"
        i += 1
    return None


def _misspoken(
    word: str,
    following: str | None,
    after: Sequence[str],
    keys: Sequence[str],
    options: Mapping[str, Sequence[str]],
    required: Sequence[str],
) -> str | None:
    dashes = re.match(r"--?(?=[A-Za-z_])", word)
    name, sign, value = word[dashes.end() if dashes else 0 :].partition("=")
    said = word
    if not sign and following == "=" and after:
        said, value = f"{word} = {after[0]}", after[0]
    elif sign and not value and _is_value(following):
        said, value = f"{word} {following}", str(following)
    elif sign and not dashes:
        return None
    elif not sign and _is_value(following):
        said, value = f"{word} {following}", str(following)
    if not KEY.fullmatch(name):
        path = required and not sign and re.fullmatch(r"[\w./-]*/[\w./-]*", word)
        return f"'{word}'; write {required[0]}={word}" if path else None
    meant = _meant(name, keys, options)
    if not meant and not sign and not dashes:
        groups = [group for group, known in options.items() if name in known]
        meant, said, value = groups, word, name
    if not meant:
        return f"'{said}'; --help shows what can be set"
    quoted = value or "VALUE"
    return f"'{said}'; write {' or '.join(f'{key}={quoted}' for key in meant)}"


def _is_value(word: str | None) -> bool:
    """Whether a word can be the value of the one before it."""
    return bool(word) and "=" not in str(word) and not re.match(r"--?[A-Za-z]", str(word))


def _meant(name: str, keys: Sequence[str], options: Mapping[str, Sequence[str]]) -> list[str]:
    known = [*keys, *options]
    for tried in (name, name.replace("-", "_")):
        if tried in known:
            return [tried]
        same_end = [key for key in keys if key.split(".")[-1] == tried.split(".")[-1]]
        if same_end:
            return same_end[:3]
    return difflib.get_close_matches(name.replace("-", "_"), known, n=2, cutoff=0.75)
