"""What ``selflift eval --help`` says."""

from __future__ import annotations

from selflift.cli.help import Usage

USAGE = Usage(
    command="eval",
    about=(
        "Evaluates a lifter under named protocols: prints tables and writes metrics.json, tables "
        "as CSV, Markdown and LaTeX, the error of every pose, pictures, and a report as a web page "
        "that opens offline."
    ),
    overrides={
        "checkpoint=RUN_DIR": "a run folder (its best checkpoint), a file, or cmu17; "
        "[RUN0,RUN1]: trainings that differ in their seed, whose spread is reported",
        "compare=[OTHER_RUN]": "more checkpoints, each compared with the first, pose by pose",
        "protocols=[h36m-p2]": "which poses, joints and means; a wrong name is answered with the "
        "list",
        "split=test": "train, val or test",
        "poses=FILE.h5": "another pose set, whatever the checkpoint was trained on",
        "data.subjects=[S9,S11]": "these people of it",
        "output_dir=DIR": "where the results go; by default eval_SPLIT in the run folder",
        "skeleton_height_mm=1600": "the assumed length from ankles to head: it gives MPJPE its "
        "millimetres",
        "label_free=true": "also what can be known without 3D truth",
        "report=false": "no web page",
        "device=cpu": "auto, cpu or cuda",
    },
    examples={
        "checkpoint=outputs/RUN": "the test split of the data that it was trained on",
        "checkpoint=outputs/RUN poses=mine.h5": "poses of your own",
        "checkpoint=outputs/RUN 'protocols=[h36m-p1,h36m-p2]'": "two protocols, side by side",
        "'checkpoint=[RUN0,RUN1,RUN2]' 'compare=[OTHER]'": "three seeds, against another run",
    },
)
