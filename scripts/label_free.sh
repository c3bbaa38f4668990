#!/usr/bin/env bash
# The 16 short runs of the README's rank correlations, and the table: about 12 CPU minutes.
#   scripts/label_free.sh [OUTPUT_FOLDER]      needs cmu17, see data/README.md
set -euo pipefail

output=${1:-outputs/label_free}
python=${PYTHON:-python3}

one() {
  name=$1
  shift
  "$python" -m selflift.train experiment=cmu loss.w_composite=0 loss.w_bone=0 optim.lr=2e-4 \
    trainer.batch_size=256 trainer.progress=false \
    trainer.validate_every=100000 device=cpu output_dir="$output/$name" "$@"
}

for steps in 100 300 800 1500; do
  one "both_$steps" trainer.steps="$steps" seed="$steps"
  one "cycle_$steps" trainer.steps="$steps" seed="$((steps + 1))" loss.w_adv=0
  one "adversary_$steps" trainer.steps="$steps" seed="$((steps + 2))" loss.w_2d=0 loss.w_3d=0
done
one both_no_sign trainer.steps=300 seed=7 sign.check=false
one adversary_no_sign trainer.steps=300 seed=8 sign.check=false loss.w_2d=0 loss.w_3d=0
one paper_views trainer.steps=300 seed=9 view=paper
one known_views trainer.steps=300 seed=10 view=known

"$python" "$(dirname "${BASH_SOURCE[0]}")/label_free.py" "$output"/* --checkpoint last
