"""Commands run through Hydra: YAML is composed, merged onto a dataclass, and handed to a function.

A misspelt key or a wrong type fails at once. Every error that a user can fix is one line on
standard error and exit status 2.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from selflift.cli import help
from selflift.cli.interrupt import EXIT_INTERRUPTED, LINE, leave_at_once, raise_again
from selflift.config.folder import config_folder

Schema = TypeVar("Schema")

# Training writes some 3,000 bytes, three levels deep.
LONGEST_CONFIG, DEEPEST_CONFIG, LONGEST_REASON = 2**16, 16, 300
OS_REMEDIES = {
    errno.ENOSPC: "; earlier files are intact; free some space or choose another output_dir",
    errno.EACCES: "; check its permissions or choose another folder",
    errno.EROFS: "; choose a folder that can be written",
    errno.EEXIST: "; a file stands where a folder is needed: choose another folder",
    errno.ENOTDIR: "; a file stands where a folder is needed: choose another folder",
}


def to_schema(config: DictConfig, schema: type[Schema]) -> Schema:
    """Merge a composed config onto its dataclass.

    Raises:
        ValueError: If a key is unknown, a type is wrong or a required value is missing.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), config)
        missing = sorted(OmegaConf.missing_keys(merged))
        if missing:
            raise ValueError(
                f"config: expected a value for {', '.join(missing)}, got none; give it on the "
                f"command line, e.g. {missing[0]}=VALUE"
            )
        plain = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        key = f" (key '{error.full_key}')" if error.full_key else ""
        raise ValueError(f"{str(error).splitlines()[0]}{key}") from error
    assert isinstance(plain, schema)
    return plain


def load_yaml(path: Path, schema: type[Schema]) -> Schema:
    """Read a run's ``config.yaml`` back.

    The folder may come from anybody, so nothing in the file is resolved, run or expanded: values
    must be plain, as training writes them.

    Raises:
        ValueError: If the file is missing or not such a config.
    """
    if not path.is_file():
        raise ValueError(f"config '{path}': no such file; expected a run folder's config.yaml")
    if path.stat().st_size > LONGEST_CONFIG:
        raise ValueError(
            f"config '{path}': expected a run's config of at most {LONGEST_CONFIG} bytes, got "
            f"{path.stat().st_size}; use the file as training wrote it"
        )
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_unplain(text)
        loaded = OmegaConf.load(StringIO(text))
    except Exception as error:  # the YAML parser raises many kinds; all mean a corrupt file
        raise ValueError(
            f"config '{path}': expected YAML, got a corrupt file ({_reason(error)}); use the file "
            "as training wrote it"
        ) from error
    if not isinstance(loaded, DictConfig):
        raise ValueError(f"config '{path}': expected a mapping, got {type(loaded).__name__}")
    try:
        return to_schema(loaded, schema)
    except Exception as error:  # keys and values of other types fail in many ways
        raise ValueError(
            f"config '{path}': expected the config that a run wrote, got another ({_reason(error)})"
            "; use the file as training wrote it"
        ) from error


def _refuse_unplain(text: str) -> None:
    """Reject references, tags, interpolations and deep nesting, which training never writes.

    References to references expand into any amount of memory, and OmegaConf resolves ``${...}``,
    which may read the environment.

    Raises:
        ValueError: Naming the line.
    """
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        begins = isinstance(event, yaml.CollectionStartEvent)
        depth += begins - isinstance(event, yaml.CollectionEndEvent)
        tag = getattr(event, "tag", None)
        if getattr(event, "anchor", None) or tag or depth > DEEPEST_CONFIG:
            what = "a tag" if tag else "a reference" if depth <= DEEPEST_CONFIG else "deep nesting"
        elif isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            what = "a value to be looked up, ${...}"
        else:
            continue
        raise ValueError(f"line {event.start_mark.line + 1}: expected plain values, got {what}")


def _reason(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return ascii(lines[0][:LONGEST_REASON])[1:-1]


def given_keys() -> list[str]:
    """Return the keys that the user gave on the command line for this job."""
    return [o.partition("=")[0].lstrip("+") for o in HydraConfig.get().overrides.task]


def sweeps() -> bool:
    """Return whether this job is one of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def run(
    config_name: str,
    schema: type[Schema],
    function: Callable[[Schema], Any],
    positional: str | None = None,
) -> None:
    """Run a function as a command: compose, check, call; exit 2 with one line on bad input.

    Args:
        config_name: Name of the primary YAML file.
        schema: The dataclass it is merged onto.
        function: What to run.
        positional: The key whose value is the first bare word among the arguments.
    """
    if any(word in help.COMPLETION for word in sys.argv[1:]):
        complete(config_name)
        return
    if positional:
        _name_positional(positional)

    def task(config: DictConfig) -> Any:
        # Caught here as well: Hydra would print a line of its own about an error in the job.
        with _one_line_errors(schema):
            plain = to_schema(config, schema)
            if sweeps():
                _give_own_folder(plain)
            return function(plain)

    try:
        with _one_line_errors(schema):
            raise_again()
            _refuse_mistakes(schema)
            _main(config_name, task)
    finally:
        # The interpreter's own shutdown has nothing to save.
        leave_at_once()


def complete(config_name: str) -> None:
    """Let Hydra answer a shell's completion, ``-sc install=bash`` and ``-sc query=bash``.

    Its scripts call the first word of a line, ``selflift``, and ignore subcommands; so the command
    is removed from the line here.

    Args:
        config_name: Name of the command and of its YAML file.
    """
    sys.argv[0] = "selflift"
    line = os.environ.get("COMP_LINE", "")
    os.environ["COMP_LINE"] = re.sub(rf"^(\s*\S+)\s+{config_name}(?=\s)", r"\1", line)
    if any(word.startswith("query") for word in sys.argv):
        # A half-typed line may be wrong; errors would clutter the prompt.
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere), suppress(Exception):
            _main(config_name, lambda config: None)
        return
    with _one_line_errors(object):
        _main(config_name, lambda config: None)


def _main(config_name: str, task: Callable[[DictConfig], Any]) -> None:
    # Without it Hydra prints its own, longer messages and exits with 1.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    folder = str(config_folder())
    hydra.main(version_base="1.3", config_path=folder, config_name=config_name)(task)()


def _refuse_mistakes(schema: type[Any]) -> None:
    structured = OmegaConf.structured(schema)
    required = sorted(OmegaConf.missing_keys(structured))
    found = help.mistake(sys.argv[1:], list(_keys(structured)), _options(), required)
    if found:
        raise ValueError(found)


def _options() -> dict[str, list[str]]:
    """Return all groups and the options of each."""
    return {
        folder.name: sorted(file.stem for file in folder.glob("*.yaml"))
        for folder in sorted(config_folder().iterdir())
        if folder.is_dir()
    }


def _name_positional(key: str) -> None:
    """Write the first bare word of the command line as ``key=word``."""
    flags = ("-m", "--multirun", "-r", "--resolve", "--run")
    for i, (before, word) in enumerate(pairwise(sys.argv), start=1):
        is_value = i > 1 and before.startswith("-") and before not in flags
        if re.fullmatch(r"[A-Za-z]\w*", word) and not is_value:
            sys.argv[i] = f"{key}={word}"
            return


def _give_own_folder(config: Any) -> None:
    """Give a job of a sweep a folder of its own: Hydra's, or a numbered one in the user's."""
    job = HydraConfig.get()
    numbered = str(Path(config.output_dir) / str(job.job.num))
    config.output_dir = numbered if "output_dir" in given_keys() else job.runtime.output_dir


@contextmanager
def _one_line_errors(schema: type[Any]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print(LINE, file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe, such as head, has left; Python must not flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (ValueError, OSError, HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if os.environ.get("SELFLIFT_TRACEBACK"):
            raise
        help.fail(_line(error, schema))


def _line(error: Exception, schema: type[Any]) -> str:
    line = "; ".join(part.strip() for part in str(error).splitlines() if part.strip())
    if isinstance(error, MissingConfigException) and error.options:
        name = str(error.missing_cfg_file or "")
        group, _, option = name.rpartition("/")
        close = difflib.get_close_matches(option, error.options, n=2)
        meant = " or ".join(f"{group}={other}" for other in close)
        hint = f"did you mean {meant}? " if meant else ""
        return f"config: no '{name}'; {hint}expected one of {', '.join(error.options)}"
    if isinstance(error, OverrideParseException):
        return (
            f"{line.split('; See https')[0]}; a value with signs such as = , ( ) # or quotes goes "
            "into quotes twice: 'input=\"a=b.json\"'"
        )
    if isinstance(error, yaml.YAMLError):
        return f"config: expected YAML, got a corrupt file; {line}"
    if isinstance(error, OSError):
        return line + OS_REMEDIES.get(error.errno or 0, "")
    unknown = re.match(r"Could not override '([^']+)'|Key '([^']+)' not in '\w+'", line)
    if unknown:
        full = re.search(r"\(key '([^']+)'\)", line)
        key = full[1] if full else unknown[1] or unknown[2]
        known = [*_keys(OmegaConf.structured(schema)), *_options()]
        close = help.nearest(key, list(dict.fromkeys(known)))
        meant = f"did you mean {' or '.join(close)}?" if close else "--cfg job shows all keys"
        return f"config: no key '{key}'; {meant}"
    return line


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        name = f"{prefix}{key}"
        yield name
        if not OmegaConf.is_missing(config, key) and isinstance(config[key], DictConfig):
            yield from _keys(config[key], f"{name}.")
