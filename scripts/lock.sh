#!/usr/bin/env bash
# Renew requirements.lock from pyproject.toml. uv.lock, which names the index it was made from, stays out of the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
[[ -x $uv ]] || { echo "lock: needs uv; run: .venv/bin/pip install uv" >&2; exit 1; }
"$uv" lock
"$uv" export --quiet --all-groups --no-emit-project --no-header --format requirements-txt --output-file requirements.lock
