#!/usr/bin/env bash
# Installs Chromium for the tests of the page, if it is missing and this can be done. Without it these tests are skipped,
# or fail if REQUIRE_BROWSER is set. CHROMIUM is the path of a Chromium elsewhere.
set -euo pipefail

[ ! -x "${CHROMIUM:-/usr/bin/chromium}" ] || exit 0
if [ -z "${CHROMIUM:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the tests of the page ..."
    install=(apt-get install --yes --quiet --quiet --no-install-recommends chromium)
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" >/dev/null 2>&1 || { apt-get update --quiet --quiet && "${install[@]}" >/dev/null; } || true
fi
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] ||
    echo "There is no browser, so the tests of the page are skipped: install Chromium, or set CHROMIUM to its path." >&2
