"""Measure training on very large pose sets: memory, seconds to the first step, speed.

Writes a made-up pose set (synthetic motion in four cameras, repeated with jitter until long enough;
100 subjects, of whom two are for validation), trains on it in a process of its own and prints what
that took:

    python scripts/measure_load.py FOLDER [POSES] [key=value ...]

Further arguments are keys of the training's config, such as ``trainer.poses_on_disk=true`` or
``loss.w_temporal=1``. ``--confidence`` writes confidences, ``--no-cameras`` leaves cameras out,
``--truth`` adds 3D; a set that lies in the folder already is used again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

SUBJECTS, VALIDATION_SUBJECTS = 100, 2
CLIPS, FRAMES, FPS = 40, 1500, 50.0
JITTER_PX = 3.0
STEPS = 300

# Run by itself: a process is charged for the memory of the one that starts it.
TRAIN = """
import json, resource, sys, time
started = time.perf_counter()
from hydra import compose, initialize_config_dir
from selflift.config import TrainConfig
from selflift.config.folder import config_folder
from selflift.cli.hydra_entry import to_schema
from selflift.train.trainer import Run
with initialize_config_dir(str(config_folder().resolve()), version_base=None):
    config = to_schema(compose("train", sys.argv[2:]), TrainConfig)
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = memory()
begun = time.perf_counter()
run = Run(config)
loaded, after = time.perf_counter(), memory()
moments = []
run.train(stop=lambda step: moments.append(time.perf_counter()) or False)
report = {
    "imports_s": begun - started, "load_s": loaded - begun, "first_step_s": moments[0] - begun,
    "steps_per_s": (len(moments) - 21) / (moments[-1] - moments[20]),
    "imports_MiB": before, "load_MiB": after, "peak_MiB": memory(),
    "poses": len(run.batches.poses.x),
}
open(sys.argv[1], "w").write(json.dumps(report))
"""


def write_set(path: Path, poses: int, confidence: bool, cameras: bool, truth: bool) -> None:
    """A made-up pose set of a given size."""
    import numpy as np

    from selflift.config import RigConfig, SyntheticConfig
    from selflift.data import synthetic
    from selflift.data.pose_set_writer import write_poses
    from selflift.data.rig import film_clip
    from selflift.skeleton import H36M_17

    config = SyntheticConfig(
        train_subjects=4, clips_per_subject=CLIPS // 4, frames_per_clip=FRAMES, fps=FPS
    )
    clips = synthetic.generate("train", config)
    takes = [take for clip in clips for take in film_clip(clip, RigConfig(), H36M_17.root)]
    rng = np.random.default_rng(0)
    length = min(FRAMES, max(poses // (4 * SUBJECTS), 1))
    with write_poses(path, H36M_17) as writer:
        number = 0
        while writer.rows < poses:
            take = takes[number % len(takes)]
            rows = slice(0, min(length, poses - writer.rows))
            x = take.poses_2d[rows]
            x = x + JITTER_PX * rng.standard_normal(x.shape, np.float32)
            sure = None
            if confidence:
                sure = rng.uniform(0.3, 1, x.shape[:2]).astype(np.float32)
                sure[:, 1:][rng.random((len(x), x.shape[1] - 1)) < 0.02] = 0
            subject = min(writer.rows * SUBJECTS // poses, SUBJECTS - 1)
            writer.add(
                replace(
                    take, subject=f"P{subject:03d}", clip=f"{number // 4}",
                    camera=f"{number}", poses_2d=x, frame=np.arange(len(x)), confidence=sure,
                    poses_3d=take.poses_3d[rows] if truth else None,
                    view=take.view if cameras else None,
                )
            )  # fmt: skip
            number += 1


def main() -> None:
    """Write the set if it isn't there, train on it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("poses", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--confidence", action="store_true")
    parser.add_argument("--no-cameras", action="store_true")
    parser.add_argument("--truth", action="store_true")
    options, keys = parser.parse_known_args()
    kind = "".join(
        word
        for word, is_on in (
            ("_confidence", options.confidence), ("_bare", options.no_cameras),
            ("_truth", options.truth),
        )
        if is_on
    )  # fmt: skip
    name = f"load_{options.poses}{kind}"
    path = options.folder / f"{name}.h5"
    if not path.is_file():
        started = time.perf_counter()
        write_set(path, options.poses, options.confidence, not options.no_cameras, options.truth)
        seconds, size = time.perf_counter() - started, path.stat().st_size
        print(f"written: {seconds:.0f} s, {size / 2**30:.2f} GiB")
    people = [f"P{i:03d}" for i in range(SUBJECTS)]
    val = people[-VALIDATION_SUBJECTS:]
    report = options.folder / f"{name}.json"
    import tempfile

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        arguments = [
            "data=files", f"data.root={options.folder}", f"data.name={name}",
            f"data.subjects.train=[{','.join(people[:-VALIDATION_SUBJECTS])}]",
            f"data.subjects.val=[{','.join(val)}]",
            f"trainer.steps={STEPS}", "trainer.validate_every=100000", "trainer.progress=false",
            f"output_dir={folder}/run",
        ]  # fmt: skip
        if options.confidence:
            arguments.append("model.lifter.confidences=true")
        if options.no_cameras:
            arguments.append("normalise.centre=translate")
        subprocess.run([sys.executable, "-c", TRAIN, str(report), *arguments, *keys], check=True)
    found = json.loads(report.read_text())
    print(json.dumps({key: round(value, 2) for key, value in found.items()}))


if __name__ == "__main__":
    main()
