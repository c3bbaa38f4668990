"""The command's own promises: pictures replace nothing, and a signal is never lost."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selflift.cli.prepare import prepare
from selflift.config import PrepareConfig
from selflift.data.recording import Recordings, Report, Take
from selflift.formats.registry import SOURCES, Source
from selflift.skeleton import H36M_17

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    hook = sys.unraisablehook
    # Whoever started the tests may have had some of them ignored, as nohup does with SIGHUP.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    sys.unraisablehook = hook
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


class Dying:
    """Raises a signal while it is deleted, where Python drops what the handler raises."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)


def config(
    monkeypatch: pytest.MonkeyPatch, folder: Path, number: int | None = None
) -> PrepareConfig:
    def read() -> Iterator[Take]:
        poses = np.random.default_rng(0).uniform(0, 900, (5, 17, 2)).astype(np.float32)
        for clip in ("a", "b"):
            yield Take("S1", "walk", clip, "camera", poses, np.arange(5), 25.0)
            if number is not None:
                Dying(number)

    def opened(path: Path, config: PrepareConfig) -> Recordings:
        return Recordings("made_up", H36M_17, read(), 2, {}, Report())

    monkeypatch.setitem(SOURCES, "made_up", Source("made_up", "", lambda path: False, opened))
    (folder / "input").touch()
    return PrepareConfig(
        source="made_up", input=str(folder / "input"), output=str(folder / "out.h5"), progress=False
    )


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, SystemExit),
        (signal.SIGHUP, SystemExit),
    ],
)
def test_a_signal_that_python_drops_still_ends_the_conversion(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    number: int,
    error: type[BaseException],
) -> None:
    with pytest.raises(error) as raised:
        prepare(config(monkeypatch, tmp_path, number))
    if isinstance(raised.value, SystemExit):
        assert raised.value.code == 128 + number
    assert capsys.readouterr().err == ""
    assert [p.name for p in tmp_path.iterdir()] == ["input"]


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    prepare(config(monkeypatch, tmp_path, signal.SIGHUP))
    assert (tmp_path / "out.h5").is_file() and (tmp_path / "out.png").is_file()


def test_a_picture_replaces_nothing_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = config(monkeypatch, tmp_path)
    (tmp_path / "out.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match="out.png': is there already; .* picture=false"):
        prepare(made)
    assert (tmp_path / "out.png").read_bytes() == b"mine"
    assert not (tmp_path / "out.h5").exists()
    made.picture = False
    prepare(made)
    assert (tmp_path / "out.png").read_bytes() == b"mine"


def test_poses_are_not_named_like_their_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = config(monkeypatch, tmp_path)
    made.output = str(tmp_path / "out.png")
    with pytest.raises(
        ValueError, match="another ending than that of the picture .* end it in .h5"
    ):
        prepare(made)
    assert [p.name for p in tmp_path.iterdir()] == ["input"]
