#!/usr/bin/env bash
# Fetches the ONNX Runtime library once: the official PyPI wheel, pinned by SHA-256, unpacked into a per-user cache.
# Prints the path of the library. Needs python3 with pip. `sluice` looks there by itself (docs/reference/onnxruntime.md).
set -euo pipefail

version=1.31.1
declare -A wheels=(
  [x86_64]="1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536"
  [aarch64]="0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc"
)

machine=$(uname -m)
digest=${wheels[$machine]:-}
if [[ -z $digest ]]; then
  echo "onnxruntime.sh: no pinned wheel for $machine; set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.24 or newer" >&2
  exit 1
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/onnxruntime-$version
library=$cache/libonnxruntime.so.$version
if [[ -f $library ]]; then
  echo "$library"
  exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.unpack.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "fetching ONNX Runtime $version (24 MB) from PyPI" >&2
# The wheel of one CPython version serves every program: only its shared library is used.
printf 'onnxruntime==%s --hash=sha256:%s\n' "$version" "$digest" > "$work/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --python-version 3.12 --implementation cp --platform "manylinux_2_27_$machine" --platform "manylinux_2_28_$machine" \
  --dest "$work" --requirement "$work/requirements.txt" >&2

python3 - "$work" "$version" <<'PYTHON'
import pathlib, sys, zipfile

work, version = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name, target in [
        (f"onnxruntime/capi/libonnxruntime.so.{version}", f"libonnxruntime.so.{version}"),
        ("onnxruntime/LICENSE", "LICENSE"),
        ("onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.txt"),
    ]:
        (work / target).write_bytes(archive.read(name))
PYTHON

mv "$work/LICENSE" "$work/ThirdPartyNotices.txt" "$cache/"
# Last and atomic: whoever sees the library sees all of it.
mv "$work/libonnxruntime.so.$version" "$library"
echo "$library"
