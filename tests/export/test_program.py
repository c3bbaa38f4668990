"""Programs of torch.export: written, loaded, compared."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from selflift import device
from selflift.export import check, export_program
from tests.export.lifters import answer, asked, assert_same, pose_lifter

ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize("kind", ["all heads", "plain"])
def test_a_saved_program_gives_the_pose_lifters_numbers(tmp_path: Path, kind: str) -> None:
    lifter, path = pose_lifter(kind), tmp_path / "folder" / "lifter.pt2"
    # Nothing that tracing makes up may be kept for those who compute.
    device._resident.cache_clear()
    assert export_program(lifter, path) < 1e-5
    program = torch.export.load(path).module()
    for batch, seed in ((1, 10), (2, 11), (33, 12)):
        inputs = asked(lifter, batch, seed)
        assert_same(program(*inputs), answer(lifter, inputs))
    assert list(path.parent.iterdir()) == [path]
    with zipfile.ZipFile(path) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(word.encode() in whole for word in (ROOT, "site-packages", "/home/me"))


def test_a_program_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="apart; nothing was written"):
        export_program(pose_lifter("plain"), tmp_path / "lifter.pt2")
    assert list(tmp_path.iterdir()) == []
