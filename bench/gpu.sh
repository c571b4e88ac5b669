#!/usr/bin/env bash
# Everything there is to know of llariat on a machine with a GPU, without a network: is it right there, and how fast is it.
#   bench/gpu.sh check   [--minutes 9] [--out DIR]     the adapter, kernel tests, goldens of whole models, tuning
#   bench/gpu.sh measure [--minutes 9] [--out DIR]     the full benchmark, and PyTorch on the same weights where Python has it
# Two calls, each within its minutes; `all` is both in one. Node must be on the PATH and node_modules in place, as a clone
# has them after npm ci or an unpacked bundle has. What is left out for want of time or of a program is said.
# DIR (default .cache/gpu) gets the outputs and results.jsonl, whose lines bench/result.ts describes. SHAPE and ADAPTER choose the
# model (default by the device) and the adapter, TESTS the tests.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}
shift || true
minutes=9 out=.cache/gpu
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) echo "gpu.sh: got $1, needed --minutes N or --out DIR" >&2; exit 2 ;;
  esac
done
case $mode in check | measure | all) ;; *) echo "gpu.sh: got $mode, needed check, measure or all" >&2; exit 2 ;; esac
mkdir -p "$out"
end=$((SECONDS + minutes * 60))
failed=0
export LLARIAT_BENCH_DATE=${LLARIAT_BENCH_DATE:-$(date -u +%Y-%m-%dT%H:%M:%S.000Z)}
if [ -n "${ADAPTER:-}" ]; then export LLARIAT_ADAPTER=$ADAPTER; fi

# step NAME MOST COMMAND…: runs it for MOST percent of the minutes, or what is left of them if that is less.
step() {
  local name=$1 limit=$((minutes * 60 * $2 / 100)) left=$((end - SECONDS)) start=$SECONDS code
  shift 2
  if [ "$left" -lt "$limit" ]; then limit=$left; fi
  if [ "$limit" -lt 5 ]; then echo "$name: no time left"; return; fi
  echo "== $name (at most $limit s)"
  timeout -k 5 "$limit" "$@" > "$out/$name.txt" 2>&1
  code=$?
  tail -n 25 "$out/$name.txt"
  if [ $code -eq 124 ] || [ $code -eq 137 ]; then echo "$name: stopped after $limit s";
  elif [ $code -ne 0 ]; then echo "$name: failed with $code"; failed=1;
  else echo "$name: done in $((SECONDS - start)) s"; fi
}

tests() { node --import tsx test/run.ts "$@"; }
export -f tests

if [ "$mode" != measure ]; then
  step adapter 10 node --import tsx src/cli/index.ts info --model models/kv-llama
  # Kernels with every number of lanes that the device has, what is trusted on it, and whole models against transformers.
  step tests 70 bash -c "tests ${TESTS:-test/kernels test/device model/goldens engine/engine generate/expected}"
  if node --import tsx src/cli/index.ts --help 2> /dev/null | grep -q '^ *tune\b\|llariat tune'; then
    step tune 20 node --import tsx src/cli/index.ts tune --model models/kv-llama
  else
    echo "tune: this version has no such command"
  fi
fi

if [ "$mode" != check ]; then
  whole=$(((end - SECONDS) / 60))
  share=90
  python=${PYTHON:-python3}
  if "$python" -c 'import torch, transformers, sys; sys.exit(not torch.cuda.is_available())' > /dev/null 2>&1; then
    share=65
    torch=yes
  else
    echo "torch: $python has no PyTorch with CUDA and transformers; left out"
  fi
  shape=()
  if [ -n "${SHAPE:-}" ]; then shape=(--shape "$SHAPE"); fi
  step bench $share node --import tsx bench/run.ts --full "${shape[@]}" --json "$out/results.jsonl" \
    --minutes "$((whole > 1 ? whole * share / 100 : 1))"
  if [ -n "${torch:-}" ]; then
    for model in .cache/bench/*-f16; do
      [ -d "$model" ] || continue
      step "torch-$(basename "$model")" 15 "$python" bench/peers/torch_peer.py "$model"
      grep '^{' "$out/torch-$(basename "$model").txt" >> "$out/results.jsonl"
    done
  fi
fi
echo "outputs: $out"
exit $failed
