#!/bin/sh
# The compliance tests of openresponses/openresponses against a running service: openresponses.sh FOLDER URL MODEL
#
# FOLDER is a checkout with the packages `tsx` and `zod` (version 3) in its node_modules: npm install --no-save tsx zod@3.
# Node 20 needs NODE_OPTIONS=--experimental-websocket for the tests of WebSocket mode.
# Prints the tests that failed, and how many passed, failed, and are about something that the service does not offer.
set -eu
folder=$1 url=${2:-http://localhost:3000/v1} model=${3:-smollm2-135m-instruct}
report=$(mktemp)
trap 'rm -f "$report"' EXIT
cd "$folder"
# Its exit status is 1 if any test failed.
NODE_OPTIONS="${NODE_OPTIONS:-}" node_modules/.bin/tsx bin/compliance-test.ts \
    --base-url "$url" --api-key "${RAG_API_KEY:-none}" --model "$model" --json >"$report" || [ -s "$report" ]
node - "$report" <<'JS'
const NOT_OFFERED = /^(image-input|offline-web-search)/;
const { results } = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
const failed = results.filter((result) => result.status === "failed");
const others = failed.filter((result) => NOT_OFFERED.test(result.id));
for (const result of failed) {
  const mark = others.includes(result) ? "not offered" : "failed";
  console.log(`${mark}: ${result.id}: ${(result.errors ?? []).join("; ").slice(0, 200)}`);
}
const passed = results.filter((result) => result.status === "passed").length;
console.log(`${passed} passed, ${failed.length - others.length} failed, ${others.length} not offered`);
process.exitCode = failed.length > others.length ? 1 : 0;
JS
