#!/usr/bin/env bash
# Builds all targets and runs each behind its seeds: the same ten thousand executions every time, so
# that the same sources always give the same result, or new ones for FUZZ_SECONDS. Only one of both with
# an argument: smoke.sh [build | run]. The build needs cargo-fuzz on the path and a C++ compiler.
set -euo pipefail
cd "$(dirname "$0")"

build() {
  # What a fresh machine builds in minutes; the sanitizers are for unsafe code, of which hone has none.
  # Overflows and debug assertions are checked.
  cargo fuzz build --dev --sanitizer none
}

# Two targets at once: libFuzzer uses one processor.
run() {
  local found binaries
  binaries=target/$(rustc --version --verbose | sed -n 's/^host: //p')/debug
  found=$(mktemp -d)
  # shellcheck disable=SC2064 # this folder, whatever the name means later
  trap "rm -r '$found'" EXIT
  mkdir -p artifacts
  export found binaries
  export -f fuzz
  find fuzz_targets -name '*.rs' -printf '%f\n' | sed 's/\.rs$//' | sort |
    xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'fuzz {}'
}

# libFuzzer ends when more than max_total_time has passed by a clock of whole seconds.
fuzz() {
  local target=$1 extent="-seed=1 -runs=10000"
  [ -z "${FUZZ_SECONDS:-}" ] || extent="-max_total_time=$FUZZ_SECONDS"
  mkdir "$found/$target"
  # shellcheck disable=SC2086 # several arguments
  if ! "$binaries/$target" "$found/$target" "seeds/$target" -artifact_prefix="artifacts/$target-" \
    $extent -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$found/$target.log" 2>&1; then
    tail -n 40 "$found/$target.log"
    return 255
  fi
  printf '%-12s %s executions\n' "$target" "$(awk '/number_of_executed_units/ { print $2 }' "$found/$target.log")"
}

"${1:-build}"
[ $# -gt 0 ] || run
