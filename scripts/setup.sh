#!/usr/bin/env bash
# Creates .venv with the packages of requirements-cpu.txt. Can be run again after an interruption.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer was not found: install it, or set PYTHON=/path/to/python3.11" >&2
    return 1
}

install() { .venv/bin/pip install -qq --disable-pip-version-check --no-deps --require-hashes "$@"; }

# Installs torch's CPU build with pip's own configuration if possible. PyTorch's index is only the fallback, because
# it would stall every download in a closed network.
install_torch() {
    install -r "$1" 2>/dev/null && return
    echo "  torch: no CPU build in pip's configured sources; trying PyTorch's index"
    install --extra-index-url https://download.pytorch.org/whl/cpu -r "$1"
}

python=$(find_python)
started=$SECONDS
echo "Setting up (once, about 3 minutes, 3.4 GB): .venv with $("$python" --version)"
"$python" -m venv .venv
torch=.venv/torch.txt
sed -n '/^torch==/,/[^\\]$/p' requirements-cpu.txt > "$torch"
echo "  $(sed -n 's/ .*//;1p' "$torch") ..."
install_torch "$torch"
echo "  $(grep -c '==' requirements-cpu.txt) pinned packages of requirements-cpu.txt ..."
install -r requirements-cpu.txt
echo "Set up in $((SECONDS - started)) s"
