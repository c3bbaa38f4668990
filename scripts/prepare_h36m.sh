#!/usr/bin/env bash
# Human3.6M in VideoPose3D's layout to pose sets: projected 2D (h36m.h5) and one per file of
# detections (h36m_cpn_ft_h36m_dbb.h5, ...).
#   scripts/prepare_h36m.sh FOLDER [OUTPUT_FOLDER]
# FOLDER holds data_3d_h36m.npz and any number of data_2d_h36m_*.npz.
set -euo pipefail

folder=${1:?usage: prepare_h36m.sh FOLDER [OUTPUT_FOLDER]}
output=${2:-data}
python=${PYTHON:-python3}

"$python" -m selflift.prepare h36m input="'$folder/data_3d_h36m.npz'" output="'$output/h36m.h5'"
for file in "$folder"/data_2d_h36m_*.npz; do
  [ -e "$file" ] || continue
  name=$(basename "$file" .npz)
  "$python" -m selflift.prepare h36m input="'$folder/data_3d_h36m.npz'" \
    h36m.keypoints="'$file'" output="'$output/${name#data_2d_}.h5'"
done
