"""Where results go, and that they come together or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from selflift.lift.output_paths import all_or_none, check_places


@pytest.mark.parametrize(
    ("output", "render", "message"),
    [
        (None, None, "expected a file to write, got none; give output=out.npz"),
        ([], [], "expected a file to write, got none"),
        ("a.txt", None, "output 'a.txt': expected a file that ends in .npz, .*, got '.txt'"),
        ("a", None, "got ''"),
        ("a.png", None, "got '.png'; give it as render=a.png"),
        (None, "a.bvh", "render 'a.bvh': .* give it as output=a.bvh"),
        (3, None, "output: expected a file or a list of files, as in output=.a.npz., got 3"),
        ({"a": 1}, None, "expected a file or a list"),
        ([""], None, "expected a file or a list"),
        (["a.npz", "./a.npz"], None, "expected each file once, got it twice"),
        ("in.npz", None, "another file than the input"),
        ("folder.npz", None, "got a folder; add a name"),
        ("there.npz", None, "'there.npz': is there already; .* overwrite=true"),
        (None, ["there.html"], "'there.html': is there already"),
        ("pipe.npz", None, "got a device or a pipe"),
    ],
)
def test_wrong_places_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: object, render: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.npz").mkdir()
    for name in ("there.npz", "there.html"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(ValueError, match=message):
        check_places(output, render, Path("in.npz"), overwrite=False)
    if "already" in message:
        check_places(output, render, Path("in.npz"), overwrite=True)


def test_one_path_is_a_list_of_one() -> None:
    data, pictures = check_places("a.npz", ["b.HTML"], Path("in"), overwrite=False)
    assert data == [Path("a.npz")] and pictures == [Path("b.HTML")]


def test_files_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "new" / "deep" / "b.txt"
    with all_or_none() as place:
        place(first).write_text("a")
        place(second).write_text("b")
        assert not first.exists() and place(first).name == "a.txt"
    assert first.read_text() == "a" and second.read_text() == "b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "new"]
    assert [p.name for p in second.parent.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_whatever_fails_leaves_everything_as_it_was(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(type(error)), all_or_none() as place:
        place(tmp_path / "a.txt").write_text("a")
        place(tmp_path / "new" / "b.txt").write_text("b")
        raise error
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_by_the_files_own_name(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as raised, all_or_none() as place:
        raise OSError(errno.ENOSPC, "No space left on device", str(place(path)))
    assert raised.value.filename == str(path) and raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())
