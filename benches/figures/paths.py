"""Where things are, seen from the workspace."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "bench"
PEERS = ROOT / "benches" / "peers"
WRK_SCRIPT = ROOT / "benches" / "predict.lua"
SLUICE = Path(os.environ.get("BENCH_SLUICE") or ROOT / "target" / "release" / "sluice").resolve()
PYTHON = Path(sys.executable)
TWEETS = ROOT.parent / "shared" / "data" / "crisislex_t6_masked.csv.gz"
# The table of what weekly retraining reaches with scikit-learn.
REPLAY_REFERENCE = TWEETS.parent / "README.md"
