"""Measure time and memory of converting, loading and evaluating a full-size Human3.6M.

Writes a made-up file of the real one's size and layout (7 subjects, 527,000 frames, 32 joints, so
2.1 million poses from four cameras), converts it as a user would, loads the result as training and
evaluation do, evaluates a lifter on its 602,160 test poses by every metric, and prints seconds and
peak memory of each:

    python scripts/measure_scale.py [FOLDER]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FRAMES = 527_000
TAKES_PER_ACTION = 2

LOAD = """
import sys, time
from selflift.data.pose_set import PoseSet
started = time.perf_counter()
poses = PoseSet.load(sys.argv[1], sys.argv[2].split(","))
print(f"{len(poses):,} poses in {time.perf_counter() - started:.1f} s")
"""


def write_raw(path: Path) -> None:
    """A made-up ``data_3d_h36m.npz``: synthetic motion with noise, repeated until long enough."""
    # Not at the top: a process is charged for the memory of the one that starts it.
    from selflift.config import SyntheticConfig
    from selflift.data import synthetic
    from selflift.formats.h36m.h36m_cameras import SUBJECTS
    from selflift.formats.h36m.h36m_protocol import ACTIONS
    from selflift.skeleton import H36M_17, H36M_32

    config = SyntheticConfig(
        train_subjects=len(SUBJECTS), clips_per_subject=4, frames_per_clip=1500, fps=50.0
    )
    clips = list(synthetic.generate("train", config))
    slots = [H36M_32.joints.index(joint) for joint in H36M_17.joints]
    recordings = [f"{action} {n + 1}" for action in ACTIONS for n in range(TAKES_PER_ACTION)]
    length = FRAMES // (len(SUBJECTS) * len(recordings))
    positions: dict[str, dict[str, np.ndarray]] = {}
    rng = np.random.default_rng(0)
    for s, subject in enumerate(SUBJECTS):
        own = [clip for clip in clips if clip.subject == clips[s * 4].subject]
        positions[subject] = {}
        for recording in recordings:
            motion = own[int(rng.integers(len(own)))].positions
            rows = (np.arange(length) + int(rng.integers(len(motion)))) % len(motion)
            raw = np.zeros((length, H36M_32.num_joints, 3), np.float32)
            noise = 0.002 * rng.standard_normal((length, len(slots), 3))
            raw[:, slots] = motion[rows] - motion[:, :1].mean(0) * [1, 1, 0] + noise
            positions[subject][recording] = raw
    np.savez_compressed(path, positions_3d=np.array(positions, dtype=object))


def measured(title: str, *command: str) -> None:
    """Run a command, print how long it took and the most memory it held."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, *command], stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            sys.exit(f"{title}: failed")
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
        print(f"{title}: {seconds:.0f} s ({cpu:.0f} CPU s), at most {peak:.2f} GiB")
        output.seek(0)
        print("".join(f"    {line}" for line in output.readlines()[-14:]))


def main() -> None:
    """Write, convert, load."""
    if sys.argv[1:2] == ["--write"]:
        return write_raw(Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        raw, out = Path(temporary) / "data_3d_h36m.npz", Path(temporary) / "h36m.h5"
        subprocess.run([sys.executable, __file__, "--write", str(raw)], check=True)
        print(f"{raw.name}: {raw.stat().st_size / 1e6:.0f} MB")
        measured("import alone", "-c", "import selflift.prepare")
        measured(
            "convert", "-m", "selflift.prepare", "h36m", f"input={raw}", f"output={out}",
            "picture=false",
        )  # fmt: skip
        measured("load test", "-c", LOAD, str(out), "S9,S11")
        measured("load train", "-c", LOAD, str(out), "S1,S5,S6,S7,S8")
        run = Path(temporary) / "run"
        subprocess.run(
            [sys.executable, "-m", "selflift.train", "experiment=smoke",
             "trainer.progress=false", f"output_dir={run}"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        measured("evaluate", "-m", "selflift.eval", f"checkpoint={run}", "data.source=files",
                 f"data.root={temporary}", "data.name=h36m", "data.subjects=[S9,S11]",
                 "protocols=[h36m-p2]")  # fmt: skip


if __name__ == "__main__":
    main()
