#!/usr/bin/env bash
# A folder of motion capture, one folder per split, to filmed pose sets.
#   scripts/prepare_mocap.sh FOLDER NAME [OUTPUT_FOLDER]
# FOLDER holds train, val and test, each with ASF/AMC or BVH files of people of its own; then
#   python -m selflift.train data=files data.name=NAME
set -euo pipefail

folder=${1:?usage: prepare_mocap.sh FOLDER NAME [OUTPUT_FOLDER]}
name=${2:?usage: prepare_mocap.sh FOLDER NAME [OUTPUT_FOLDER]}
output=${3:-data}
python=${PYTHON:-python3}

for split in train val test; do
  "$python" -m selflift.prepare mocap input="'$folder/$split'" every=2 \
    output="'$output/${name}_$split.h5'"
done
