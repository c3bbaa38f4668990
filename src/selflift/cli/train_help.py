"""What ``selflift train --help`` says."""

from __future__ import annotations

from selflift.cli.help import Usage

USAGE = Usage(
    command="train",
    about=(
        "Trains a lifter from 2D keypoints alone and writes a run folder: config.yaml, "
        "metrics.json, checkpoints, figures and TensorBoard files. Without arguments it trains on "
        "built-in synthetic bodies. Ctrl-C saves the run, which then goes on with resume=."
    ),
    overrides={
        "output_dir=DIR": "the run folder; by default outputs/, by date and time",
        "resume=RUN_DIR": "go on with a run that was stopped, with its own config",
        "resume=auto": "go on with the run in output_dir, or begin it: one command for a job that "
        "may be stopped and started again",
        "seed=1": "another seed",
        "data.root=DIR": "where the data lie; by default $SELFLIFT_DATA",
        "data.name=NAME": "which data there (data=files, data=cmu)",
        "trainer.steps=5000": "how long; the learning rate's schedule follows",
        "trainer.batch_size=512": "poses a step",
        "trainer.progress=false": "no progress bar",
        "model.lifter.width=1024": "a larger lifter",
        "model.lifter.confidences=true": "take poses with missing joints",
        "loss.w_adv=1": "weight of the adversarial term; likewise w_2d, w_3d, w_composite, "
        "w_bone, w_temporal",
        "optim.lr=5e-4": "learning rate of the lifter; lr_discriminator is the discriminators'",
        "view=paper": "how random views are drawn: with the paper's ranges, the cameras' known "
        "pitch, or a learned one",
        "device=cpu": "auto, cpu or cuda",
    },
    examples={
        "": "the built-in synthetic bodies; a few minutes on a CPU",
        "experiment=cmu data.root=DIR seed=0": "motion capture, filmed by virtual cameras",
        "data=files data.root=DIR data.name=mine": "DIR/mine_train.h5 and DIR/mine_val.h5, which "
        "selflift prepare writes",
        "resume=outputs/RUN": "go on",
        "-m experiment=cmu seed=0,1,2": "three seeds, one after the other",
    },
)
