# For scripts that need the service: starts it if none is running, and stops it at exit. Source this file in the root
# folder, with HOST, PORT and RAG_DATA_DIR set.
url="http://localhost:$PORT"
service=

stop() {
    [ -n "$service" ] || return 0
    echo "Stopping the service ..."
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
}
trap stop EXIT

rag() { .venv/bin/python -m rag "$@"; }

have_service() { # BentoML target, name of the log file
    local log="$RAG_DATA_DIR/$2.log"
    rag status --url "$url" >/dev/null 2>&1 && return
    rag prepare
    mkdir -p "$RAG_DATA_DIR"
    echo "Starting the service (a minute or two; its log is in $log) ..."
    .venv/bin/bentoml serve "$1" --host "$HOST" --port "$PORT" >"$log" 2>&1 &
    service=$!
    for _ in $(seq 300); do
        rag status --url "$url" >/dev/null 2>&1 && return
        kill -0 "$service" 2>/dev/null || break
        sleep 1
    done
    echo "The service did not become ready. Last lines of $log:" >&2
    tail -n 20 "$log" >&2
    return 1
}
