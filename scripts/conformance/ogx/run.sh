#!/bin/sh
# OGX's integration tests against a running service: run.sh FOLDER [pytest arguments]
#
# FOLDER is a checkout of llamastack/llama-stack. Its tests are copied to a temporary folder, with our fixtures.
# THE TESTS DELETE EVERY FILE AND VECTOR STORE THAT THEY CAN LIST: give them a service and a data folder of their own.
#
# RAG_URL: the service. PYTHON: an interpreter with ogx-client, openai, pytest, pytest-asyncio, langchain-openai,
# langgraph, numpy and mcp below version 2. OGX_TEXT_MODEL: the language model. `recorded_model.py` can be its server.
# The service must allow the tests' MCP servers: see `mcp_servers.py`.
# RAG_API_KEY, ALICE_TOKEN, BOB_TOKEN: if the service requires keys, an administrator's and two of different tenants.
# Without the latter two, the tests of access control are skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/tests"
cp "$folder/tests/__init__.py" "$copy/tests/" 2>/dev/null || touch "$copy/tests/__init__.py"
cp -R "$folder/tests/common" "$folder/tests/integration" "$copy/tests/"
rm -rf "$copy"/tests/integration/recordings "$copy"/tests/integration/*/recordings
cp "$here/conftest.py" "$here/clients.py" "$here/stand_ins.py" "$here/mcp_servers.py" "$copy/tests/integration/"
cp "$here/common.py" "$copy/tests/integration/fixtures/common.py"
cd "$copy"
printf '[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\npythonpath = .\n' >pytest.ini
suites="vector_io files conversations responses inference batches"
paths=
for suite in $suites; do paths="$paths tests/integration/$suite"; done
# shellcheck disable=SC2086
"${PYTHON:-python3}" -m pytest -q --continue-on-collection-errors --tb=line -p no:cacheprovider -rfEs "$@" ${OGX_TESTS:-$paths}
