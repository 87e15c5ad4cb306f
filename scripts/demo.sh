#!/usr/bin/env bash
# Feeds docs/ and asks one question about it; starts the service when none answers, and stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."
url="http://localhost:$PORT"
log="$RAG_DATA_DIR/demo.log"
service=

stop() {
    [ -n "$service" ] || return 0
    echo "Stopping the service ..."
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
}
trap stop EXIT

rag() { .venv/bin/python -m rag "$@"; }

start() {
    rag prepare
    mkdir -p "$RAG_DATA_DIR"
    echo "Starting the service (a minute or two; its log is in $log) ..."
    .venv/bin/bentoml serve service:RAG --host "$HOST" --port "$PORT" >"$log" 2>&1 &
    service=$!
    for _ in $(seq 300); do
        rag status --url "$url" >/dev/null 2>&1 && return
        kill -0 "$service" 2>/dev/null || break
        sleep 1
    done
    echo "The service did not get ready. The end of $log:" >&2
    tail -n 20 "$log" >&2
    return 1
}

rag status --url "$url" >/dev/null 2>&1 || start
echo "\$ python -m rag ingest docs"
rag ingest docs --url "$url" --store default
question="What happens when the engine dies?"
echo "\$ python -m rag ask \"$question\" --top-k 2 --max-tokens 80"
rag ask "$question" --top-k 2 --max-tokens 80 --url "$url"
