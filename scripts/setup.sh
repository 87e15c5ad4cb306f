#!/usr/bin/env bash
# Makes .venv with the pinned CPU set. Safe to run again after an interruption: what is there is kept.
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
    echo "Python 3.11 or newer is needed and was not found: install it, or name it with PYTHON=/path/to/python3.11" >&2
    return 1
}

install() { .venv/bin/pip install -qq --disable-pip-version-check --no-deps "$@"; }

# torch's CPU build: through pip's own configuration where there is one. The PyTorch project's index
# is asked only after that: in a closed network it would stall every download.
install_torch() {
    install "$1" 2>/dev/null && return
    echo "  torch: pip's own sources have no CPU build; asking the PyTorch project's index"
    install --extra-index-url https://download.pytorch.org/whl/cpu "$1"
}

python=$(find_python)
started=$SECONDS
echo "Setting up (once, about 3 minutes, 3.4 GB): .venv with $("$python" --version)"
"$python" -m venv .venv
torch=$(grep '^torch==' requirements-cpu.txt)
echo "  $torch ..."
install_torch "$torch"
echo "  $(grep -c '==' requirements-cpu.txt) pinned packages of requirements-cpu.txt ..."
install -r requirements-cpu.txt
echo "Set up in $((SECONDS - started)) s"
