"""The checkpoint file format, and every way in which a file can be wrong."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from selflift.checkpoint import FORMAT, VERSION, Checkpoint, CheckpointError, load, save

METADATA = {"version": "0.1.0", "lifter": {"width": 8}, "step": 3, "sign": None, "scale": 1.5}
RECORD = {"format": FORMAT, "version": VERSION, "metadata": "{}", "lifter": {}, "state": {}}


class Payload:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def content(seed: int = 0) -> Checkpoint:
    generator = torch.Generator().manual_seed(seed)
    return Checkpoint(
        metadata=METADATA,
        lifter={
            "weight": torch.randn(64, 8, generator=generator),
            "count": torch.tensor(7),
            "half": torch.randn(3, generator=generator).bfloat16(),
        },
        state={
            "optim": {"state": {0: {"step": torch.tensor(2.0)}}, "groups": [{"lr": 1e-4}]},
            "rng": torch.get_rng_state(),
            "step": 12,
            "name": "run",
            "best": None,
        },
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good checkpoint."""
    save(tmp_path / "last.pt", content())
    return tmp_path / "last.pt"


def only_file(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


def test_load_returns_what_was_saved(path: Path) -> None:
    expected, got = content(), load(path)
    assert got.metadata == METADATA
    assert got.path == str(path)
    assert list(got.lifter) == list(expected.lifter)
    for name, tensor in expected.lifter.items():
        assert got.lifter[name].dtype == tensor.dtype
        assert torch.equal(got.lifter[name], tensor)
    assert got.state["optim"]["groups"] == [{"lr": 1e-4}]
    assert torch.equal(got.state["optim"]["state"][0]["step"], torch.tensor(2.0))
    assert torch.equal(got.state["rng"], expected.state["rng"])
    assert (got.state["step"], got.state["name"], got.state["best"]) == (12, "run", None)


def test_the_state_may_be_left_out(tmp_path: Path) -> None:
    save(tmp_path / "best.pt", Checkpoint(METADATA, {}))
    assert load(tmp_path / "best.pt").state == {}


def test_saved_weights_carry_no_graph(tmp_path: Path) -> None:
    weight = torch.randn(3, requires_grad=True)
    save(tmp_path / "a.pt", Checkpoint({}, {"weight": 2 * weight}))
    loaded = load(tmp_path / "a.pt").lifter["weight"]
    assert not loaded.requires_grad
    torch.testing.assert_close(loaded, 2 * weight.detach())


def test_an_optimizers_state_survives(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.randn(5))
    adam = torch.optim.Adam([weight], lr=0.1)
    weight.square().sum().backward()
    adam.step()
    save(tmp_path / "a.pt", Checkpoint({}, {}, {"adam": adam.state_dict()}))
    again = torch.optim.Adam([torch.nn.Parameter(weight.detach().clone())], lr=1.0)
    again.load_state_dict(load(tmp_path / "a.pt").state["adam"])
    assert again.param_groups[0]["lr"] == 0.1
    (old,), (new,) = adam.state.values(), again.state.values()
    assert torch.equal(old["exp_avg"], new["exp_avg"])


def test_folders_are_made(tmp_path: Path) -> None:
    target = tmp_path / "run" / "checkpoints" / "last.pt"
    save(target, content())
    assert load(target).metadata == METADATA
    assert only_file(target)


def test_saving_replaces_the_earlier_file(path: Path) -> None:
    save(path, content(seed=1))
    assert torch.equal(load(path).lifter["weight"], content(seed=1).lifter["weight"])
    assert only_file(path)


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed\nwriting")],
)
def test_a_write_that_fails_midway_keeps_the_earlier_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    before = path.read_bytes()

    def full_disk(record: object, file: object) -> None:
        file.write(b"half a checkpoint")
        raise error

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(CheckpointError, match="could not be written .* earlier file .* intact"):
        save(path, content(seed=1))
    assert path.read_bytes() == before
    assert only_file(path)


@pytest.mark.skipif(os.name != "posix", reason="a file where a folder should be, POSIX")
def test_an_output_folder_that_is_a_file_is_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="could not be written .*choose another output_dir"):
        save(path / "last.pt", content())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none.pt': no such file; .*RUN_DIR/checkpoints/best"):
        load(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="no such file"):
        load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match="last.pt': expected a selflift checkpoint.*corrupt"):
        load(path)


@pytest.mark.parametrize("at", range(0, 4))
def test_a_damaged_header_is_refused(path: Path, at: int) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 0x10
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="last.pt': expected a selflift checkpoint"):
        load(path)


def test_a_flipped_bit_in_the_weights_is_refused(path: Path) -> None:
    weight = content().lifter["weight"].numpy().tobytes()
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(weight) + 100] ^= 0x01
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="last.pt': expected a selflift checkpoint.*corrupt"):
        load(path)


def test_flipped_bits_anywhere_never_pass_unnoticed_into_the_weights(path: Path) -> None:
    whole = path.read_bytes()
    expected = content().lifter
    generator = torch.Generator().manual_seed(0)
    for at in torch.randint(len(whole), (150,), generator=generator).tolist():
        damaged = bytearray(whole)
        damaged[at] ^= 0x04
        path.write_bytes(damaged)
        try:
            lifter = load(path).lifter
        except CheckpointError:
            continue
        assert all(torch.equal(lifter[name], expected[name]) for name in expected)


def test_text_is_refused(path: Path) -> None:
    path.write_text("not a checkpoint\n" * 100)
    with pytest.raises(CheckpointError, match="corrupt, cut short or something else"):
        load(path)


def test_another_zip_archive_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="can't be read safely"):
        load(path)


@pytest.mark.parametrize(
    "record", [{"weight": torch.zeros(3)}, [1, 2], torch.zeros(3), {**RECORD, "format": "other"}]
)
def test_another_file_written_by_torch_is_refused(path: Path, record: object) -> None:
    torch.save(record, path)
    with pytest.raises(CheckpointError, match=f"expected format '{FORMAT}', got another file"):
        load(path)


@pytest.mark.parametrize("version", [0, VERSION + 1, "one", None])
def test_another_version_is_refused(path: Path, version: object) -> None:
    torch.save({**RECORD, "version": version}, path)
    with pytest.raises(CheckpointError, match=f"version {VERSION}, got {version!r}; install the"):
        load(path)


@pytest.mark.parametrize("entry", ["metadata", "lifter", "state"])
def test_a_missing_entry_is_refused(path: Path, entry: str) -> None:
    torch.save({k: v for k, v in RECORD.items() if k != entry}, path)
    with pytest.raises(CheckpointError, match=f"without a valid '{entry}'"):
        load(path)


@pytest.mark.parametrize(
    "wrong", [{"metadata": "{broken"}, {"metadata": 3}, {"lifter": 3}, {"state": "text"}]
)
def test_an_entry_of_another_kind_is_refused(path: Path, wrong: dict) -> None:
    torch.save({**RECORD, **wrong}, path)
    with pytest.raises(CheckpointError, match="expected the entries metadata, lifter and state"):
        load(path)


def test_a_file_cannot_run_code(path: Path, tmp_path: Path) -> None:
    live, trap = tmp_path / "live", tmp_path / "trap"
    pickle.loads(pickle.dumps(Payload(live)))
    assert live.is_dir(), "the payload itself is to work"
    torch.save({**RECORD, "state": {"x": Payload(trap)}}, path)
    with pytest.raises(CheckpointError, match="can't be read safely .*use the run's other one"):
        load(path)
    path.write_bytes(pickle.dumps({**RECORD, "state": {"x": Payload(trap)}}))
    with pytest.raises(CheckpointError):
        load(path)
    assert not trap.exists()


def test_the_error_is_a_value_error() -> None:
    assert issubclass(CheckpointError, ValueError)
