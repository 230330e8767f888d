#!/usr/bin/env bash
# The study on a real Slurm of one node, by hand: bash tests/cluster/slurm.sh (root on Debian; overwrites /etc/slurm/slurm.conf; 12 minutes).
#
# Two settings, trained twice: by Snakemake alone, and by its Slurm executor, where one job is killed and then the node is lost while
# jobs run. Both must leave the same errors to the last digit.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH
STUDY=(study --quiet host reason --config preset=smoke "settings=[full,no_frame]" "seeds=[0]" steps=${STEPS:-1200} minutes=30)
say() { printf '\n== %s  %s\n' "$(date +%T)" "$*"; }

say "Slurm of one node"
command -v slurmctld slurmd munged > /dev/null || apt-get install -y -qq slurmctld slurmd slurm-client munge
pip install --quiet "snakemake-executor-plugin-slurm==2.8.0"
pkill -9 slurmd || true; pkill -9 slurmctld || true; sleep 1
mkdir -p /etc/slurm /run/munge /var/spool/slurmctld /var/spool/slurmd && chown munge: /run/munge
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$(hostname)
SlurmUser=root
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdTimeout=15
ReturnToService=2
JobRequeue=1
NodeName=$(hostname) CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
pgrep munged > /dev/null || runuser -u munge -- munged
rm -rf /var/spool/slurmctld/*; slurmctld; slurmd; sleep 3
sinfo

say "the study without a cluster"
rm -rf runs/study/smoke results/local results/slurm; mkdir -p results
snakemake --cores 2 "${STUDY[@]}" name=local > results/local.log 2>&1

say "the study on Slurm"
snakemake --executor slurm --jobs 2 --default-resources slurm_partition=debug --slurm-no-account --slurm-status-command squeue \
  --slurm-init-seconds-before-status-checks 4 --latency-wait 20 "${STUDY[@]}" name=slurm > results/slurm.log 2>&1 &
snakemake=$!

running() { pgrep -f "papermill.*results/slurm/study/$1"; }
wait_for() { until "$@" > /dev/null; do sleep 1; kill -0 $snakemake; done; }
steps_of() { tail -1 "runs/study/smoke/$1_steps${STEPS:-1200}_seed0/metrics.jsonl" 2> /dev/null | grep -o '"step": [0-9]*' | grep -o '[0-9]*'; }
trained() { [ "$(steps_of "$1" || echo 0)" -ge "$2" ] && grep -q '"phase": "train"' "runs/study/smoke/$1_steps${STEPS:-1200}_seed0/metrics.jsonl"; }

wait_for trained full 600
say "full is at step $(steps_of full): its job is killed"
for process in $(pgrep -f "papermill.*results/slurm/study/full"); do pkill -9 -P "$process" || true; kill -9 "$process" || true; done
sleep 5
wait_for running full
say "full runs again, from step $(steps_of full)"
wait_for trained full 1200
say "full is at step $(steps_of full), no_frame at $(steps_of no_frame || echo its end): the node is lost"
pkill -9 slurmd || true; pkill -9 slurmstepd || true; pkill -9 -f "results/slurm/study" || true; pkill -9 -f ipykernel || true
until sinfo -h -o %T | grep -q down; do sleep 2; done
squeue
say "the node comes back"
slurmd
wait $snakemake
say "done"
tail -2 results/slurm.log
python - <<'CHECK'
import json, pathlib
for setting in ("full", "no_frame"):
    one, other = (json.loads(pathlib.Path(f"results/{name}/study/{setting}_seed0.json").read_text())["raw_by_clip"] for name in ("local", "slurm"))
    assert one == other, f"{setting}: not the same errors"
    print(f"{setting}: the same errors on all {len(one)} clips")
CHECK
