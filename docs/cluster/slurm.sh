#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The perceiver_bench authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs perceiver-bench under SLURM on two nodes of eight GPUs, one process a GPU:
#
#     sbatch docs/cluster/slurm.sh --mode=train --mesh=data:16 --workdir=/shared/run ...
#
# Change the two numbers of nodes and GPUs to yours. Tasks and GPUs of a node are the same number,
# and whole nodes are taken, because JAX gives the task with SLURM_LOCALID=i the node's GPU i.
#
#SBATCH --job-name=perceiver
#SBATCH --nodes=2
#SBATCH --gpus-per-node=8
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --output=%x-%j.log
# A requeued job goes on writing to its log.
#SBATCH --open-mode=append
# SLURM starts the job again after it was preempted or a node was lost ...
#SBATCH --requeue
# ... and five minutes before the time is over the processes, not this script, get SIGTERM.
#SBATCH --signal=TERM@300
set -uo pipefail

# Nobody is killed while all save together; who is left five minutes after the first to end is stuck.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --gpu-bind=none --kill-on-bad-exit=0 --wait=300 \
  perceiver-bench "$@" --distributed
status=$?

# 143: saved on SIGTERM. The job goes back into the queue, and then on from its checkpoint.
if ((status == 143)); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
