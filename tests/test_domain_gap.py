"""The gap between two domains: its test holds its level and finds what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from selflift import checkpoint
from selflift.config import TrainConfig
from selflift.data.pose_set import PoseSet
from selflift.models import DomainAdapter, Lifter
from selflift.skeleton import H36M_17
from selflift.train.trainer import Run
from tests.train.test_trainer import small

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from domain_gap import domain_gap  # noqa: E402
from two_sample import Sample, accuracies, choose_rows, energy_test, split_by  # noqa: E402


def sample(seed: int, recordings: int = 12, name: str = "", shift: float = 0.0) -> Sample:
    """Poses that are much alike within a recording: few poses' worth of information each."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((recordings, 1, 17, 2))
    x = (centres + 0.1 * rng.standard_normal((recordings, 10, 17, 2))).reshape(-1, 17, 2)
    x[:, 3] += shift
    names = np.repeat([f"{name}clip{i}" for i in range(recordings)], 10)
    return Sample(torch.from_numpy(x).float(), names, np.repeat([f"{name}S"], len(names)))


def test_the_energy_distance_is_that_of_a_loop() -> None:
    a, b = sample(0, 3, "a"), sample(1, 4, "b")
    # A recording that both show: its poses must not be compared.
    b = replace(b, recording=np.where(b.recording == "bclip0", "aclip0", b.recording))

    def mean(one: Sample, other: Sample) -> float:
        return np.mean([
            np.linalg.norm((p - q).double().numpy())
            for p, r in zip(one.x, one.recording, strict=True)
            for q, s in zip(other.x, other.recording, strict=True)
            if r != s
        ])  # fmt: skip

    expected = 2 * mean(a, b) - mean(a, a) - mean(b, b)
    assert energy_test(a, b, 1, 0).distance == pytest.approx(expected, abs=1e-6)


def test_the_energy_test_holds_its_level_though_recordings_are_dependent() -> None:
    p = [energy_test(sample(2 * k, 8, "a"), sample(2 * k + 1, 8, "b"), 39, k).p for k in range(80)]
    # 5 % expected; permuting poses would reject nearly always.
    assert np.mean(np.array(p) <= 0.05) < 0.15
    assert np.mean(p) == pytest.approx(0.5, abs=0.12)


def test_the_null_is_centred_and_a_difference_stands_out_of_it() -> None:
    near = energy_test(sample(0, name="a"), sample(1, name="b"), 199, 0)
    assert abs(near.null_mean) < 0.05 * near.null_95 + 0.02
    far = energy_test(sample(0, name="a"), sample(1, name="b", shift=4.0), 199, 0)
    assert far.distance > far.null_95 and far.p == 1 / 200


def test_shared_recordings_change_sides_in_pairs_which_finds_a_small_shift() -> None:
    a, b = sample(0), sample(0, shift=1.0)
    paired = energy_test(a, b, 199, 0)
    apart = energy_test(a, replace(b, recording=np.char.add("b", b.recording)), 199, 0)
    assert paired.p <= 0.01 < apart.p


def test_an_energy_test_needs_two_recordings() -> None:
    with pytest.raises(ValueError, match="at least 2 recordings .* got 1 in the second"):
        energy_test(sample(0), sample(1, recordings=1, name="b"), 9, 0)


def test_a_fresh_classifier_finds_a_shift_and_only_that() -> None:
    same, linear = accuracies(sample(0, 40, "a"), sample(1, 40, "b"), "h36m_17", 2, 0)
    # On recordings that it knows it would score 1: they are different poses.
    assert all(0.3 < accuracy < 0.7 for accuracy in same + linear)
    far, linear = accuracies(sample(0, 40, "a"), sample(1, 40, "b", shift=6.0), "h36m_17", 2, 0)
    assert min(far) > 0.85 and min(linear) > 0.65


def test_classifiers_are_split_by_subject_where_there_are_enough() -> None:
    one = sample(0)
    many = replace(one, subject=np.array([f"S{i % 4}" for i in range(len(one.x))]))
    assert split_by(many, many) == "subject"
    assert split_by(one, many) == "recording"


def test_one_complete_pose_is_chosen_per_second_of_a_clip_and_camera(make_pose_set) -> None:
    poses: PoseSet = make_pose_set(clips=2, frames=60)
    confidence = np.ones(poses.poses_2d.shape[:2], np.float32)
    confidence[poses.frame % 4 == 0, 5] = 0
    rows = choose_rows(replace(poses, confidence=confidence), 10**6, np.random.default_rng(0))
    assert (confidence[rows] > 0).all()
    seconds = (poses.frame / poses.fps).astype(int)
    keys = list(zip(poses.clip.index[rows], poses.camera.index[rows], seconds[rows], strict=True))
    assert len(set(keys)) == len(keys)
    every = set(zip(poses.clip.index, poses.camera.index, seconds, strict=True))
    assert set(keys) == every
    with pytest.raises(ValueError, match="all lack joints"):
        choose_rows(replace(poses, confidence=confidence * 0), 5, np.random.default_rng(0))


def config_of(folder: Path) -> TrainConfig:
    """A run whose source is the target as a detector with another definition finds it."""
    config = small(folder, steps=1)
    config.data.synthetic.clips_per_subject = 4
    config.sign.margin = 1.0
    config.model.adapter.width, config.model.adapter.num_blocks = 16, 1
    config.model.domain_discriminator.width = 16
    domain = config.domain
    domain.share, domain.adapter, domain.steps = 0.5, "first", 1
    domain.data = replace(config.data)
    domain.data.noise = replace(config.data.noise, kind="detector", drop=0.0, hip_shift=0.3)
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gap") / "run"
    Run(config_of(folder)).train()
    return folder


def with_adapter(run: Path, folder: Path, change: torch.Tensor) -> Path:
    """The run with an adapter that adds the linear map ``change`` of the pose, ``(2 J, 2 J)``."""
    content = checkpoint.load(run / "checkpoints" / "last.pt")
    config = content.metadata["config"]
    config["model"]["adapter"] = {"width": 4 * len(change), "num_blocks": 0, "norm": "none"}
    adapter = DomainAdapter(width=4 * len(change), num_blocks=0, norm="none")
    first, eye = adapter.trunk[0], torch.eye(len(change))
    with torch.no_grad():
        # relu(x) - relu(-x) = x
        first.weight.copy_(torch.cat([eye, -eye, 0 * eye, 0 * eye]))
        nn.init.zeros_(first.bias)
        adapter.head.weight.copy_(torch.cat([change, -change, 0 * eye, 0 * eye], dim=1))
    state = {**content.state, "networks": {"adapter": adapter.state_dict()}}
    checkpoint.save(folder / "checkpoints" / "last.pt", replace(content, state=state))
    return folder


def undo_hips() -> torch.Tensor:
    """The inverse of moving each hip outward by 0.3 hip-to-hip distances, less the identity."""
    A = torch.eye(17)
    left, right = 1, 4
    for one, other in ((left, right), (right, left)):
        A[one, one] += 0.3
        A[one, other] -= 0.3
    return torch.kron((torch.linalg.inv(A) - torch.eye(17)).contiguous(), torch.eye(2))


QUICK = {"permutations": 19, "classifiers": 1, "poses": 60}


def test_an_adapter_that_does_nothing_closes_nothing(run: Path, tmp_path: Path) -> None:
    found = domain_gap(with_adapter(run, tmp_path, torch.zeros(34, 34)), **QUICK)
    assert found.before == found.after
    assert found.correction == 0
    assert found.shift.undone == 0 and found.shift.before == found.shift.after
    assert found.floor is not None


def test_the_exact_inverse_of_the_definition_undoes_all_of_it(run: Path, tmp_path: Path) -> None:
    found = domain_gap(with_adapter(run, tmp_path, undo_hips()), **QUICK)
    assert found.shift.undone == pytest.approx(1, abs=0.1)
    joints = H36M_17.joints
    hips = [joints[1], joints[4]]
    for hip in hips:
        assert found.shift.joints_after[hip] < 0.7 * found.shift.joints_before[hip]
        assert found.joints[hip] > 3 * found.joints[joints[10]]
    assert found.after.energy.distance < 0.5 * found.before.energy.distance


def test_the_gap_is_a_function_of_the_seed(run: Path) -> None:
    first = domain_gap(run, **QUICK)
    torch.rand(7)
    assert domain_gap(run, **QUICK) == first
    assert domain_gap(run, **QUICK, seed=1) != first


def test_a_domain_without_the_split_is_measured_on_its_training_split_and_it_says_so(
    tmp_path: Path, make_pose_set
) -> None:
    config = config_of(tmp_path / "run")
    make_pose_set(clips=4, frames=30).save(tmp_path / "poses_train.h5")
    config.domain.data = replace(config.data, source="files", root=str(tmp_path))
    Run(config).train()
    found = domain_gap(tmp_path / "run", **QUICK)
    assert any("source: measured on its training split" in note for note in found.notes)
    assert found.shift is None
    assert domain_gap(tmp_path / "run", split="train", **QUICK).floor is None


def test_a_checkpoint_without_an_adapter_is_refused(tmp_path: Path) -> None:
    lifter = Lifter(width=8, num_blocks=0)
    metadata = {"lifter": {"skeleton": "h36m_17"}, "config": asdict(TrainConfig())}
    content = checkpoint.Checkpoint(metadata, lifter.state_dict())
    with pytest.raises(checkpoint.CheckpointError, match=r"expected a domain adapter .*last\.pt"):
        DomainAdapter.from_content(content)
    odd = {"networks": {"adapter": DomainAdapter(width=8).state_dict()}}
    with pytest.raises(checkpoint.CheckpointError, match="got a mismatch"):
        DomainAdapter.from_content(replace(content, state=odd))


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "domain_gap.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_script_prints_a_table_and_writes_json_beside(run: Path) -> None:
    options = [f"--{key}={value}" for key, value in QUICK.items()]
    done = run_script(str(run), *options)
    assert done.returncode == 0, done.stderr
    assert "| energy distance |" in done.stdout and "| share of the definition" in done.stdout
    record = json.loads((run / "domain_gap.json").read_text())
    assert record["seed"] == 0 and record["before"]["energy"]["p"] > 0


def test_the_script_answers_bad_input_with_one_line_and_status_2(tmp_path: Path) -> None:
    done = run_script(str(tmp_path), "--permutations", "0")
    assert done.returncode == 2
    assert "--permutations: expected a whole number above 0, got '0'" in done.stderr
    done = run_script(str(tmp_path / "none"))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("domain_gap: checkpoint") and done.stderr.count("\n") == 1
