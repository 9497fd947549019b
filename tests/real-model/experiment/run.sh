#!/usr/bin/env bash
# Fills and reads the experiment's pools. Usage: run.sh HONE FOLDER PART…
# Each part goes on where it was interrupted: easy, easy-cool, arithmetic, gsm ask a model; report asks nobody.
set -euo pipefail
hone=$1 folder=$2
here=$(cd "$(dirname "$0")" && pwd)
"$here/install.sh" "$folder"
"$folder/venv/bin/python" "$here/sets.py" "$folder" "$folder"/reasoning_gym-*.whl

# serving MODEL COMMAND…: runs the command with $base, where the model answers.
server= # not local: the trap must still know it when the function is gone
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT
serving() {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$folder/venv/bin/python" "$here/../serve.py" "$folder/$1.gguf" "$port" >"$folder/server.log" 2>&1 &
  server=$!
  base=http://127.0.0.1:$port
  until curl -sf "$base/health" >/dev/null; do
    kill -0 "$server"
    sleep 1
  done
  "${@:2}"
  kill "$server"
  wait "$server" || true
  server=
}
# pool SET MODEL OPTION…
pool() {
  "$hone" eval --dataset "$folder/$1.jsonl" --base-url "$base/v1" --auth none --model "$2" --pool "$folder/$1.pool.jsonl" --seed 14 --concurrency 4 \
    "${@:3}"
}
# reading SET OPTION…
reading() {
  if [ ! -f "$folder/$1.pool.jsonl" ]; then
    echo "$1: no samples yet"
    return
  fi
  "$hone" eval --dataset "$folder/$1.jsonl" --from-pool "$folder/$1.pool.jsonl" --seed 14 --out "$folder/$1-report" --learn "$folder/$1-quality.json" \
    "${@:2}" | tee "$folder/$1-report.txt"
}

for part in "${@:3}"; do
  case $part in
  easy) serving model pool easy smollm2-135m --max-tokens 64 --samples 8 --temperatures 0,0.8 ;;
  easy-cool) serving model pool easy smollm2-135m --max-tokens 64 --samples 8 --temperatures 0,0.3,0.7,0.8 ;;
  arithmetic) serving qwen pool arithmetic qwen2.5-coder-1.5b --max-tokens 200 --samples 5 --temperatures 0,0.7 --kinds text,program ;;
  gsm) serving qwen pool gsm qwen2.5-coder-1.5b --max-tokens 300 --samples 5 --temperatures 0,0.7 --kinds text,program ;;
  report)
    reading easy --hypotheses logprob-t2-5@0.8:vote-5@0.8,logprob-t4-5@0.8:vote-5@0.8,logprob-t2-5@0.3
    reading arithmetic --hypotheses pal:vote-5@0.7
    reading gsm --by-category --hypotheses pal:vote-5@0.7
    ;;
  *)
    echo "run.sh: no part is called $part" >&2
    exit 2
    ;;
  esac
done
