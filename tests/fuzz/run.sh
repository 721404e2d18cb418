#!/usr/bin/env bash
# Runs the fuzz targets from the committed corpus, each for some seconds, as many at once as there are cores.
#
#   tests/fuzz/run.sh [seconds for each target, default 10] [target...]
#
# What it finds goes to target/fuzz, never into the committed corpus. Ends with 1 when an input crashes a target.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-10}
shift || true
targets=("$@")

# The stable toolchain is enough: coverage comes from an LLVM pass that it has. Sanitizers would need a nightly one.
# Not even cfg(fuzzing) is set: what runs is the code of the product.
build=(cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --no-cfg-fuzzing --codegen-units 16)
bin=target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release

command -v cargo-fuzz > /dev/null || cargo install cargo-fuzz --locked --quiet
if ! cargo fetch --locked --quiet --manifest-path tests/fuzz/Cargo.toml; then
  echo "tests/fuzz/Cargo.lock is behind the manifests: run 'cargo update --workspace --manifest-path tests/fuzz/Cargo.toml' and commit it" >&2
  exit 1
fi
if ((${#targets[@]})); then
  for target in "${targets[@]}"; do "${build[@]}" "$target"; done
else
  "${build[@]}"
  mapfile -t targets < <(cargo fuzz list --fuzz-dir tests/fuzz)
fi

# One target, one line.
run() {
  local target=$1 scratch=target/fuzz/runs/$1 log=target/fuzz/runs/$1/log status=ok
  mkdir -p "$scratch/corpus" "$scratch/artifacts"
  # Uploads and stores write small files all the time: in memory, where the system has a place for that.
  local tmp
  tmp=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
  local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$scratch/artifacts/")
  if [[ -f tests/fuzz/dict/$target.dict ]]; then
    options+=(-dict="tests/fuzz/dict/$target.dict")
  fi
  # New inputs go to the first folder of the corpus.
  if ! TMPDIR=$tmp "$bin/$target" "${options[@]}" "$scratch/corpus" "tests/fuzz/corpus/$target" > "$log" 2>&1; then
    status="CRASH $(sed -n 's/.*Test unit written to //p' "$log" | tail -1), see $log"
  fi
  rm -rf "$tmp"
  local executions rate corpus
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  corpus=$(sed -n 's/.* corp: \([0-9]*\).*/\1/p' "$log" | tail -1)
  printf '%-16s %10s executions %8s/s %6s inputs  %s\n' "$target" "${executions:-?}" "${rate:-?}" "${corpus:-?}" "$status"
  [[ $status == ok ]]
}
export -f run
export seconds bin

printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'run {}'
