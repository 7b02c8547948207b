#!/bin/bash
#SBATCH --job-name=wherewhen
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.log
# The whole chain on a Slurm cluster, a trial a job. On the login node, in the project's folder, on a
# file system that all nodes see:
#
#     KEDRO_ENV=mars TRIALS=10 OPTIONS=--gres=gpu:1 deploy/slurm.sh
#
# submits three steps that follow each other: what all trials share, the trials, tables and figures.
# A job that is preempted, or put back after a node failed, goes on where it was killed.
set -euo pipefail
trials=${TRIALS:-1} kedro=${KEDRO:-uv run kedro}

run() { $kedro run ${PARAMETERS:+--params "$PARAMETERS"} "$@"; }  # in the environment KEDRO_ENV

case ${1:-submit} in
submit)
    send() { sbatch --parsable ${OPTIONS:-} "$@"; }
    shared=$(send "$0" shared)
    each=$(send --dependency="afterok:$shared" --array="0-$((trials - 1))${AT_ONCE:+%$AT_ONCE}" "$0" trial)
    last=$(send --dependency="afterok:$each" "$0" report)
    echo "$shared $each $last"
    ;;
shared) run --to-outputs cubes,splits ;;
trial) run --namespaces "$(printf 'trial_%02d' "$SLURM_ARRAY_TASK_ID")" ;;
report) run ;;
*)
    echo "$0: unknown step $1: expected none, shared, trial or report" >&2
    exit 2
    ;;
esac
