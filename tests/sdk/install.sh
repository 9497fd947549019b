#!/usr/bin/env bash
# Installs the clients of the SDKs' tests, as they are pinned: install.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")"
folder=$1
[ -x "$folder/uv/bin/uv" ] || {
  python3 -m venv "$folder/uv"
  "$folder/uv/bin/pip" -q install uv==0.13.9
}

# python NAME FOLDER-OF-ITS-REQUIREMENTS
python() {
  "$folder/uv/bin/uv" venv --quiet --allow-existing "$folder/$1"
  "$folder/uv/bin/uv" pip sync --quiet --python "$folder/$1/bin/python" --require-hashes "$2/requirements.txt"
}
# Some clients want an earlier major version of `openai` than the others.
python newest python
python openai2 python/openai2
npm --prefix node ci --silent --no-audit --no-fund
