"""Pages name what is there: config keys, code, files, figures, their values; commands compose."""

from __future__ import annotations

import importlib
import re
import shlex
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from selflift.cli import hydra_entry
from selflift.config import EvalConfig, PredictConfig, PrepareConfig, TrainConfig

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
METHOD = DOCS / "method.md"
GROUPS = {field.name for field in fields(TrainConfig)}
SCHEMAS = {
    "train": TrainConfig, "eval": EvalConfig, "predict": PredictConfig, "prepare": PrepareConfig,
}  # fmt: skip
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted(DOCS.glob("*.md"))]
COMMAND = re.compile(
    r"^\s*(?:\|[^|]*\|[^|]*\| `)?(?:torchrun [^|]*-m selflift\.|python -m selflift\.|selflift )"
    r"(train|eval|predict|prepare)( [^`]*)?"
)
FILE_ENDINGS = (".py", ".md", ".yaml", ".pt", ".json", ".sh")
# Files that a run writes: no part of the repository.
WRITTEN_BY_RUNS = {"best.pt", "last.pt", "metrics.json", "config.yaml"}

pytestmark = pytest.mark.skipif(not METHOD.is_file(), reason="an installation without docs/")


@cache
def composed(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
        config = compose("train", list(overrides))
    return OmegaConf.to_container(OmegaConf.structured(hydra_entry.to_schema(config, TrainConfig)))


def value(config: object, key: str) -> object:
    """The value of a dotted key; raises KeyError where there is none."""
    for part in key.split("."):
        if not isinstance(config, dict):
            raise KeyError(key)
        config = config[part]
    return config


def is_code(name: str) -> bool:
    """Whether ``losses.bone_constancy`` or ``geometry.camera`` is something of selflift's."""
    name = "selflift." + name.removeprefix("selflift.")
    for module, attribute in ((name, None), name.rsplit(".", 1)):
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        if attribute is None or hasattr(found, attribute):
            return True
    return False


def mistakes(text: str) -> list[str]:
    """Dotted names and files in backticks that don't exist; overrides that don't compose."""
    wrong = []
    for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        for word in span.split():
            key, _, given = word.partition("=")
            if word in WRITTEN_BY_RUNS or word.startswith("--"):
                continue
            if word.endswith((*FILE_ENDINGS, "/")):
                here = (ROOT / word, ROOT / "src" / "selflift" / word)
                wrong += [] if any(path.exists() for path in here) else [word]
            elif not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", key):
                continue
            elif key.split(".")[0] in GROUPS:
                try:
                    value(composed(word) if given else composed(), key)
                except Exception:  # whatever Hydra says of it
                    wrong.append(word)
            elif not given and not is_code(key):
                wrong.append(word)
    return wrong


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Every command that a page shows in a line of its own, and its overrides."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        shown = COMMAND.match(line)
        if shown is None or "..." in line or "$" in line or "KEY=" in line or "key=value" in line:
            continue
        words = shlex.split(shown[2] or "", comments=True)
        overrides = [word for word in words if "=" in word and not word.startswith(("hydra", "-"))]
        if "-m" in words:
            # A sweep: its first job.
            overrides = [o.split(",")[0] for o in overrides if "(" not in o]
        found.append((shown[1], overrides))
    return found


def broken_links(text: str, folder: Path) -> list[str]:
    """Links and pictures that lead nowhere; headings are compared as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            wrong += [] if target[1:] in anchors else [target]
        elif "://" not in target and not (folder / target.split("#")[0]).exists():
            wrong.append(target)
    return wrong


def rows(text: str) -> list[tuple[str, str, str]]:
    """Key, default and the paper's value of each row of a table that has these columns."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 7 and re.fullmatch(r"`\w+(\.\w+)+`", cells[2]):
            found.append((cells[2].strip("`"), cells[3], cells[4]))
    return found


def as_written(given: object) -> str:
    return str(given).lower() if isinstance(given, bool) else str(given)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_command_that_is_shown_composes(page: Path) -> None:
    for command, overrides in commands(page.read_text(encoding="utf-8")):
        schema = SCHEMAS[command]
        with initialize_config_dir(str(hydra_entry.config_folder()), version_base="1.3"):
            given = [*overrides, *(f"{key}=x" for key in ("input", "output", "checkpoint"))]
            keys = {field.name for field in fields(schema)}
            known = [o for o in given if o in overrides or o.split("=")[0] in keys - {
                o.split("=")[0] for o in overrides
            }]  # fmt: skip
            hydra_entry.to_schema(compose(command, known), schema)  # type: ignore[arg-type]


def test_commands_are_found() -> None:
    text = (
        "    python -m selflift.train -m seed=0,1 hydra/launcher=joblib loss.w_2d=2 # what\n"
        "selflift predict input=a 'output=[b.npz,c.bvh]'\n"
        "| a | b | `selflift eval checkpoint=c` |\n"
        "torchrun --nproc_per_node=8 -m selflift.train experiment=h36m\nselflift train ...\n"
    )
    assert commands(text) == [
        ("train", ["seed=0", "loss.w_2d=2"]),
        ("predict", ["input=a", "output=[b.npz,c.bvh]"]),
        ("eval", ["checkpoint=c"]),
        ("train", ["experiment=h36m"]),
    ]
    assert sum(len(commands(page.read_text(encoding="utf-8"))) for page in PAGES) > 60


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_links_and_figures_are_there(page: Path) -> None:
    assert broken_links(page.read_text(encoding="utf-8"), page.parent) == []


def test_config_keys_code_and_files_in_the_method_exist() -> None:
    assert mistakes(METHOD.read_text(encoding="utf-8")) == []


def test_values_in_the_method_are_the_configs() -> None:
    table = rows(METHOD.read_text(encoding="utf-8"))
    default, paper = composed(), composed("experiment=h36m_paper")
    expected = [
        (key, as_written(value(default, key)), as_written(value(paper, key))) for key, *_ in table
    ]
    assert table == expected
    # Every weight, and every option of the groups that the page tells in full.
    told = {key for key, *_ in table}
    for group in ("loss", "view", "sign", "temporal", "composite", "normalise"):
        keys = {f"{group}.{field}" for field in value(default, group)}  # type: ignore[attr-defined]
        assert keys - told == set()


def test_figures_of_the_method_are_small_and_shown() -> None:
    text = METHOD.read_text(encoding="utf-8")
    figures = sorted((DOCS / "figures").glob("method_*.png"))
    assert figures
    for figure in figures:
        assert f"](figures/{figure.name})" in text
        assert figure.stat().st_size <= 150_000, figure.name


def test_a_wrong_page_is_found_out() -> None:
    page = (
        "`loss.w_4d` `sign.chek=false` `losses.absent` `absent.py` `loss.w_2d=many` `loss.w_2d`"
        " `method.losses.correction_size` `method/views.py` `normalise.scale=set`"
    )
    wrong = ["loss.w_4d", "sign.chek=false", "losses.absent", "absent.py", "loss.w_2d=many"]
    assert mistakes(page) == wrong
    links = "# 1 A's `b`\n[a](#1-as-b) [b](#c) ![c](figures/absent.png) [d](figures)"
    assert broken_links(links, DOCS) == ["#c", "figures/absent.png"]
