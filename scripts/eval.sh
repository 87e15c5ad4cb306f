#!/usr/bin/env bash
# Evaluates evals/sets and $EVAL_SETS; starts the service when none answers, and stops what it started.
set -euo pipefail
cd "$(dirname "$0")/.."
url="http://localhost:$PORT"
log="$RAG_DATA_DIR/eval.log"
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
    case " $EVAL_OPTIONS " in
    *" --no-answers "*) target=bench.instant_bundle:RAG ;; # nobody asks the language model
    *) target=service:RAG ;;
    esac
    rag prepare
    mkdir -p "$RAG_DATA_DIR"
    echo "Starting the service (a minute or two; its log is in $log) ..."
    .venv/bin/bentoml serve "$target" --host "$HOST" --port "$PORT" >"$log" 2>&1 &
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
# Word splitting is meant: both are lists.
# shellcheck disable=SC2086
rag eval evals/sets/* $EVAL_SETS --url "$url" --compare evals/baselines/own_docs.json $EVAL_OPTIONS \
    --config 'dense={"mode": "dense"}' --config 'keyword={"mode": "keyword"}' --config 'service={}'
