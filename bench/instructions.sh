#!/usr/bin/env bash
# Counts with callgrind how many instructions hone takes in user space for a relayed request, a
# streamed event, a strategy's sub-call, and what is translated between dialects.
# Usage: instructions.sh [--quick] [--only PART,…] [--dumps FOLDER] [HONE]
#
# HONE is a binary to count; without it this checkout is built. See BENCHMARKS.md.
set -euo pipefail

# Paths that were given are the caller's, so that nothing below changes folders.
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

hone= options=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) options+=("$1") ;;
    --dumps) options+=("$1" "${2:?a folder}") && shift ;;
    --only) options+=("$1" "${2:?parts}") && shift ;;
    -*) sed -n 4p "$0" | cut -c3- >&2 && exit 2 ;;
    *) hone=$1 ;;
  esac
  shift
done

# Some containers have a valgrind that cannot run there.
try=(valgrind --quiet --tool=callgrind --callgrind-out-file=/dev/null true)
if ! command -v callgrind_control >/dev/null || ! "${try[@]}" 2>/dev/null; then
  echo "valgrind cannot be had here, so no instructions are counted."
  exit 0
fi

target=${CARGO_TARGET_DIR:-$root/target}
build=(cargo build --manifest-path "$root/Cargo.toml" --release --locked)
if [ -z "$hone" ]; then
  # Lines for callgrind_annotate. A build without them has the same counts.
  CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none \
    "${build[@]}" --bin hone
  hone=$target/release/hone
fi
"${build[@]}" --package hone-bench

exec python3 "$here/instructions.py" ${options[@]+"${options[@]}"} "$hone" "$target/release"
