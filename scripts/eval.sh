#!/usr/bin/env bash
# Evaluates evals/sets and $EVAL_SETS. Starts the service if none is running, and stops it again.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/service.sh

case " $EVAL_OPTIONS " in
*" --no-answers "*) target=bench.instant_bundle:RAG ;; # no language model is needed
*) target=service:RAG ;;
esac
have_service "$target" eval
# Word splitting is intended: both are lists.
# shellcheck disable=SC2086
rag eval evals/sets/* $EVAL_SETS --url "$url" --compare evals/baselines/own_docs.json $EVAL_OPTIONS \
    --config 'dense={"mode": "dense"}' --config 'keyword={"mode": "keyword"}' --config 'service={}'
