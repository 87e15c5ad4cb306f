#!/bin/sh
# Every API with curl.
#
#     sh examples/curl.sh [QUESTION]      a question without quotation marks
set -eu
url=${RAG_URL:-http://localhost:3000}
question=${1:-What happens when the engine dies?}
json='content-type: application/json'
key="authorization: Bearer ${RAG_API_KEY:-none}"

echo '--- passages'
curl -sS --fail-with-body "$url/retrieve" -H "$key" -H "$json" -d "{\"query\": \"$question\", \"top_k\": 1}"

printf '\n--- an answer from documents, as a stream of events\n'
curl -sSN --fail-with-body "$url/ask" -H "$key" -H "$json" -d "{\"question\": \"$question\", \"top_k\": 2, \"max_tokens\": 40}"

printf '\n--- the same through the API of OpenAI: model rag\n'
curl -sS --fail-with-body "$url/v1/chat/completions" -H "$key" -H "$json" \
    -d "{\"model\": \"rag\", \"messages\": [{\"role\": \"user\", \"content\": \"$question\"}], \"max_tokens\": 40}"

printf '\n--- the models that there are\n'
curl -sS --fail-with-body "$url/v1/models" -H "$key"
echo
