#!/usr/bin/env bash
# Feeds docs/ and asks one question about it; starts the service when none answers, and stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/service.sh

have_service service:RAG demo
echo "\$ python -m rag ingest docs"
rag ingest docs --url "$url" --store default
question="What happens when the engine dies?"
echo "\$ python -m rag ask \"$question\" --top-k 2 --max-tokens 80"
rag ask "$question" --top-k 2 --max-tokens 80 --url "$url"
