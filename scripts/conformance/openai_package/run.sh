#!/bin/sh
# The API tests of the `openai` package against a running service: run.sh FOLDER [pytest arguments]
#
# FOLDER is the package's source, with its tests: pip download --no-deps --no-binary openai openai==VERSION, unpacked.
# TEST_MODEL, TEST_EMBEDDING_MODEL: models of the service, in the place of OpenAI's.
# Left out: the tests of aiohttp as the HTTP library, and those without strict validation, which repeat the others.
#
# TEST_API_BASE_URL: the service, with /v1. PYTHON: an interpreter with the package, pytest, pytest-asyncio and pytest-xdist.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
shift
export PYTHONPATH="$here"
tests=tests/api_resources
exec "${PYTHON:-python3}" -m pytest -q --tb=line -p no:cacheprovider -p real_ids -k "not aiohttp and not loose" "$@" \
    $tests/test_models.py $tests/chat $tests/test_completions.py $tests/test_embeddings.py $tests/test_files.py \
    $tests/test_vector_stores.py $tests/vector_stores $tests/responses $tests/test_responses.py $tests/conversations \
    $tests/test_conversations.py $tests/test_batches.py $tests/test_uploads.py $tests/uploads
