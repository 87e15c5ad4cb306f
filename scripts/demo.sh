#!/usr/bin/env bash
# Ingests docs/ and asks a question about it. Starts the service if none is running, and stops it again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/service.sh

have_service service:RAG demo
echo "\$ python -m rag ingest docs"
rag ingest docs --url "$url" --store default
question="What happens when the engine dies?"
echo "\$ python -m rag ask \"$question\""
rag ask "$question" --url "$url"
