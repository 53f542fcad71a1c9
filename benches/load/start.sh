#!/usr/bin/env bash
# Measures the time from start to ready, and the memory when idle, on an embedded store with many
# clients. Needs python3 and curl.
#
#   benches/load/start.sh [CLIENTS]
set -euo pipefail
cd "$(dirname "$0")/../.."
clients=${1:-100000}

cargo build --release --bin latchkey
bin=$PWD/target/release/latchkey
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

ready() { until curl -sf http://127.0.0.1:18090/-/ready >/dev/null; do sleep 0.01; done; }
start() { "$bin" serve --listen 127.0.0.1:18090 --log-level warn & server=$!; ready; }
stop() { kill "$server"; wait "$server" || true; }

start
curl -s http://127.0.0.1:18090/register -H 'content-type: application/json' -d '{"client_name":"many"}' >/dev/null
stop

# Copies of the client that was registered, under other names.
python3 - "$clients" <<'PYTHON'
import sqlite3, sys, time
store = sqlite3.connect("data/latchkey.db")
[document] = store.execute("SELECT document FROM clients WHERE privileged = 0").fetchone()
known = document.split('"clientId":"')[1].split('"')[0]
now = int(time.time() * 1000)
rows = ((f"many{n}", now, 0, document.replace(known, f"many{n}")) for n in range(int(sys.argv[1])))
with store:
    store.executemany("INSERT INTO clients (client_id, updated_at, privileged, document) VALUES (?, ?, ?, ?)", rows)
PYTHON

for _ in 1 2 3 4 5; do
    # Timed by the shell, so with the starting of curl in it.
    began=$(date +%s%N)
    start
    echo "$clients clients: ready after $((($(date +%s%N) - began) / 1000000)) ms, $(awk '/VmRSS/ {printf "%.0f", $2 / 1024}' "/proc/$server/status") MiB"
    stop
done
