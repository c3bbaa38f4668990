#!/usr/bin/env bash
# MPI-INF-3DHP to pose sets: mpi_inf_3dhp_train.h5 (every 5th frame: 5 or 10 a second, by sequence)
# and mpi_inf_3dhp_test.h5.
#   scripts/prepare_mpi_inf_3dhp.sh FOLDER [OUTPUT_FOLDER]
# FOLDER holds S1 ... S8 (Seq1/annot.mat) and mpi_inf_3dhp_test_set/TS1 ... TS6 (annot_data.mat).
set -euo pipefail

folder=${1:?usage: prepare_mpi_inf_3dhp.sh FOLDER [OUTPUT_FOLDER]}
output=${2:-data}
python=${PYTHON:-python3}

"$python" -m selflift.prepare mpi_inf_3dhp_train input="'$folder'" every=5 \
  output="'$output/mpi_inf_3dhp_train.h5'"
"$python" -m selflift.prepare mpi_inf_3dhp_test input="'$folder/mpi_inf_3dhp_test_set'" \
  output="'$output/mpi_inf_3dhp_test.h5'"
