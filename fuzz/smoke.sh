#!/usr/bin/env bash
# Every target for a second or two behind its seeds, a minute in all, or for FUZZ_SECONDS each, after
# the build. Needs cargo-fuzz on the path and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")"

# What a fresh machine builds in minutes; the sanitizers are for unsafe code, of which hone has none. Overflows and debug assertions are checked.
cargo fuzz build --dev --sanitizer none

binaries=target/$(rustc --version --verbose | sed -n 's/^host: //p')/debug
found=$(mktemp -d)
mkdir -p artifacts
trap 'rm -r "$found"' EXIT
# libFuzzer ends when more than max_total_time has passed by a clock of whole seconds.
for target in $(cargo fuzz list); do
  mkdir "$found/$target"
  if ! "$binaries/$target" "$found/$target" "seeds/$target" -artifact_prefix="artifacts/$target-" \
    -max_total_time="${FUZZ_SECONDS:-1}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$found/log" 2>&1; then
    tail -n 40 "$found/log"
    exit 1
  fi
  printf '%-12s %s executions\n' "$target" "$(awk '/number_of_executed_units/ { print $2 }' "$found/log")"
done
