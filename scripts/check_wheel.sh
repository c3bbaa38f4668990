#!/usr/bin/env bash
# Builds the wheel and uses it as a newcomer would: a fresh environment, an empty folder, no data.
# PYTHON names an interpreter that has the packages `build` and `hatchling`.
set -euo pipefail

python=${PYTHON:-python3}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
# Neither the checkout nor anybody's data may help out.
unset PYTHONPATH SELFLIFT_DATA

say() { printf '%s\n' "-- $*"; }
fail() { printf '%s\n' "check_wheel: $*" >&2; exit 1; }

build() { # FOLDER OUTPUT
  "$python" -m build --wheel --sdist --no-isolation --outdir "$2" "$1" >"$temporary/build.log" 2>&1 \
    || { cat "$temporary/build.log" >&2; fail "it does not build from $1"; }
}

say "build"
build "$root" "$temporary/dist"
wheel=$(echo "$temporary"/dist/selflift-*.whl)
sdist=$(echo "$temporary"/dist/selflift-*.tar.gz)

say "contents"
"$python" "$root/scripts/check_contents.py" "$wheel" "$sdist"

say "built again, from the source archive, elsewhere, later: the same bytes"
mkdir "$temporary/again"
tar -xzf "$sdist" -C "$temporary/again" --strip-components=1 --touch
(umask 077 && chmod -R go= "$temporary/again" && build "$temporary/again" "$temporary/dist2")
for file in "$wheel" "$sdist"; do
  cmp "$file" "$temporary/dist2/$(basename "$file")" || fail "$(basename "$file") is not reproducible"
done
(cd "$temporary/dist" && sha256sum -- *)

say "install into a fresh environment"
"$python" -m venv "$temporary/venv"
venv=$temporary/venv/bin/python
# The pins are of Python 3.11; elsewhere the lower bounds in pyproject.toml rule.
pins=()
if "$venv" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  pins=(-c "$root/constraints.txt")
fi
"$venv" -m pip install --quiet --disable-pip-version-check ${pins[@]+"${pins[@]}"} "$wheel"

mkdir "$temporary/empty"
cd "$temporary/empty"

say "the program selflift"
"$temporary/venv/bin/selflift" --version
"$temporary/venv/bin/selflift" train --help | grep -q 'experiment=h36m' || fail "train --help names no experiment"

say "compose a config"
"$venv" -m selflift.train experiment=h36m --cfg job >"$temporary/config.yaml"
grep -q '^data:' "$temporary/config.yaml" || fail "--cfg job printed no 'data:'"

say "missing data: one line and exit status 2"
status=0
"$venv" -m selflift.train experiment=h36m >"$temporary/out" 2>"$temporary/err" || status=$?
cat "$temporary/err"
[ "$status" -eq 2 ] || fail "expected exit status 2, got $status"
[ "$(grep -c '' "$temporary/err")" -eq 1 ] || fail "expected one line on standard error"
grep -q 'h36m\.h5' "$temporary/err" || fail "the line does not name the missing file"
! grep -q Traceback "$temporary/out" "$temporary/err" || fail "a traceback was printed"

say "train a little"
"$venv" -m selflift.train experiment=smoke output_dir=run

say "evaluate"
"$venv" -m selflift.eval checkpoint=run

say "convert files, train on them"
"$venv" - <<'PY'
import json
from pathlib import Path

import numpy as np

from selflift.config import SyntheticConfig
from selflift.data import synthetic
from selflift.skeleton import H36M_17, H36M_32

clips = list(synthetic.generate("train", SyntheticConfig(train_subjects=2, clips_per_subject=2)))
slots = [H36M_32.joints.index(joint) for joint in H36M_17.joints]
positions = {}
for i, clip in enumerate(clips):
    raw = np.zeros((len(clip.positions), 32, 3), np.float32)
    raw[:, slots] = clip.positions - clip.positions[:, :1].mean(0) * [1, 1, 0]
    positions.setdefault(("S1", "S9")[i // 2], {})[f"Walking {i % 2 + 1}"] = raw
np.savez("data_3d_h36m.npz", positions_3d=np.array(positions, dtype=object))
Path("video").mkdir()
for frame in range(5):
    joints = np.random.default_rng(frame).uniform(100, 900, (25, 3)).clip(max=[1000, 1000, 1])
    person = {"pose_keypoints_2d": joints.ravel().tolist()}
    Path(f"video/me_{frame:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
PY
"$venv" -m selflift.prepare h36m input=data_3d_h36m.npz output=h36m.h5
"$venv" -m selflift.prepare input=video output=mine.h5 skeleton=h36m_17
"$venv" -m selflift.train experiment=smoke data=h36m data.root=. 'data.subjects.train=[S1]' \
  'data.subjects.val=[S9]' output_dir=run_h36m
"$venv" -m selflift.eval checkpoint=run_h36m 'data.subjects=[S9]'

say "lift keypoints with the weights in the box"
"$venv" -m selflift.predict input=video output=out.npz 'render=[out.html,out.png]' keypoints.fps=25
[ -s out.npz ] && [ -s out.html ] && [ -s out.png ] || fail "predict wrote no files"

say "lift from Python"
"$venv" - <<'PY'
import sys
from pathlib import Path

import torch

import selflift
from selflift.models import Lifter

assert Path(selflift.__file__).is_relative_to(sys.prefix), selflift.__file__
lifter = Lifter.from_checkpoint("run/checkpoints/best.pt")
with torch.no_grad():
    X = lifter.lift(0.1 * torch.randn(17, 2))
assert X.shape == (17, 3) and X.isfinite().all(), X
found = selflift.load("cmu17")(100 * torch.rand(5, 17, 2) + 100)
assert found.lifted.all() and found.X_m.shape == (5, 17, 3), found
PY

say "the wheel works"
