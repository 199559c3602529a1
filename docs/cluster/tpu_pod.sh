#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs perceiver-bench on every host of a Cloud TPU slice, one process a host:
#
#     TPU_NAME=slice ZONE=us-central2-b docs/cluster/tpu_pod.sh --mode=train --mesh=auto ...
#
# The hosts have the package in ~/perceiver (python3 -m venv) and share the folder of --workdir.
set -euo pipefail

: "${TPU_NAME:?the name of the TPU slice is due}" "${ZONE:?the zone of the TPU slice is due}"
printf -v command ' %q' perceiver/bin/perceiver-bench "$@" --distributed
exec gcloud compute tpus tpu-vm ssh "$TPU_NAME" --zone="$ZONE" --worker=all --command="${command# }"
