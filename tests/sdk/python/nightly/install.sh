#!/usr/bin/env bash
# Installs the programs and libraries of the nightly's sessions, each by itself, and says which cannot
# be had here: install.sh UV FOLDER
set -uo pipefail
uv=$1 folder=$2
mkdir -p "$folder"

# python NAME PACKAGE…
python() {
  "$uv" venv --quiet --allow-existing "$folder/$1" &&
    "$uv" pip install --quiet --python "$folder/$1/bin/python" "${@:2}" || echo "$1: cannot be had here"
}
# node NAME PACKAGE
node() {
  npm --prefix "$folder/$1" install --silent --no-audit --no-fund "$2" || echo "$1: cannot be had here"
}

python litellm 'litellm[proxy]==1.108.7'
python llm llm==0.36
python aider aider-chat==0.86.2
python providers anthropic==2.14.0 pytest==9.2.0 pytest-asyncio==1.5.0
node qwen @qwen-code/qwen-code@0.24.4
node opencode opencode-ai@1.18.33
