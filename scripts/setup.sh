#!/usr/bin/env bash
# Make the machine ready: Debian packages, then .venv from requirements.lock with this project in it, editable.
# scripts/setup.sh STAMP    (STAMP is touched when all is there)
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=$1
venv=.venv
log=build/setup.log

needed=(ca-certificates python3 python3-dev python3-venv libpython3.11 make perl g++ ccache iverilog git tshark)
waves=(liblz4-dev zlib1g-dev) # for FST waves of Verilator; everything else runs without
browser=(chromium)            # for the test of report.html, which is skipped without
optional=("${waves[@]}" "${browser[@]}")

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# Run a step quietly; on failure show the end of its output.
step() {
    local what=$1 start=$SECONDS
    shift
    say "$what ..."
    if ! "$@" >>"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        fail "$what: failed (all of its output is in $log)"
    fi
    say "$what: done, $((SECONDS - start)) s"
}

missing() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

install_packages() {
    command -v dpkg-query >/dev/null || { say "not a Debian system: taking for granted ${needed[*]}"; return; }
    local absent wanted
    mapfile -t absent < <(missing "${needed[@]}")
    mapfile -t wanted < <(missing "${needed[@]}" "${optional[@]}")
    ((${#wanted[@]})) || return 0
    if ((EUID == 0)); then
        export DEBIAN_FRONTEND=noninteractive
        step "apt-get update" apt-get update
        step "apt-get install ${wanted[*]}" apt-get install -y --no-install-recommends "${wanted[@]}"
    elif ((${#absent[@]})); then
        fail "Debian packages are missing; run: sudo apt-get install --no-install-recommends ${wanted[*]}"
    else
        say "no FST waves from Verilator, or no test of pages in a browser, until: sudo apt-get install ${wanted[*]}"
    fi
}

# The first Python that cocotb can live in: 3.11 or later, with venv and a shared libpython.
find_python() {
    local python
    for python in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        if "$python" - <<'PY' 2>/dev/null; then
import ctypes.util, ensurepip, sys, sysconfig, venv
version = sysconfig.get_config_var("LDVERSION") or sysconfig.get_config_var("VERSION")
shared = sysconfig.get_config_var("Py_ENABLE_SHARED") or ctypes.util.find_library(f"python{version}")
sys.exit(sys.version_info < (3, 11) or not shared)
PY
            command -v "$python"
            return
        fi
        if [[ $python == "${PYTHON:-}" ]]; then break; fi
    done
    fail "no usable ${PYTHON:-python3}: it must be 3.11 or later, with venv and a shared libpython; name one with PYTHON=path"
}

mkdir -p build
: >"$log"
install_packages
python=$(find_python)
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    step "$venv from $python ($("$python" -V))" "$python" -m venv "$venv"
fi
pip=("$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off)
step "Python packages from requirements.lock" "${pip[@]}" --require-hashes -r requirements.lock
step "ringwire, editable" "${pip[@]}" --no-deps --no-build-isolation -e .
touch "$stamp"
