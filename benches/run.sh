#!/usr/bin/env bash
# Measures Sluice beside its peers: benches/run.sh [train|ingest|predict|cold|host|replay|all]…, default all.
# Sets up what is missing (Python packages under target/, wrk) and builds the release executable.
#   BENCH_VENV    a ready Python environment with benches/peers/requirements.txt [default: target/bench/venv]
#   BENCH_SLUICE  a ready executable [default: built here]
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${BENCH_VENV:-target/bench/venv}
wanted="$(cat benches/peers/requirements.txt)"
if [[ -z ${BENCH_VENV:-} && $(cat "$venv/installed.txt" 2> /dev/null) != "$wanted" ]]; then
  echo "installing the peers' packages into $venv" >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt >&2
  # Last: an installation that was interrupted starts again.
  printf '%s\n' "$wanted" > "$venv/installed.txt"
fi

if ! command -v wrk > /dev/null; then
  if [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null; then
    echo "installing wrk" >&2
    { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends wrk; } > /dev/null || true
  fi
  command -v wrk > /dev/null || echo "wrk is missing, the predict bench will be skipped: apt-get install wrk" >&2
fi

if [[ -z ${BENCH_SLUICE:-} ]]; then
  ./infra/onnxruntime.sh > /dev/null
  cargo build --release --locked --quiet --bin sluice
fi
exec "$venv/bin/python" -B benches/run.py "$@"
