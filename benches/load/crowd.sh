#!/usr/bin/env bash
# Measures a crowd: many clients register with a secret, the server is started anew, and each of them
# wants a token at once. Needs curl and python3.
#
#   benches/load/crowd.sh [CLIENTS]
set -euo pipefail
cd "$(dirname "$0")/../.."
clients=${1:-10000}

cargo build --release --bins
cargo build --release -p baseline
bin=$PWD/target/release
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

start() {
    "$bin/latchkey" serve --listen 127.0.0.1:18095 --registration-rate 0 --throttle off --log-level warn & server=$!
    until curl -sf http://127.0.0.1:18095/-/ready >/dev/null; do sleep 0.01; done
}
stop() { kill "$server"; wait "$server" || true; }
memory() { echo "memory: $(awk '/VmRSS/ {printf "%.0f", $2 / 1024}' "/proc/$server/status") MiB"; }
post() { "$bin/baseline" post 18095 "$@"; }

start
echo "registering with a secret, 64 connections:"
seq "$clients" | sed 's/.*/{"client_name":"crowd"}/' | post /register application/json 64 >registered.txt
python3 - <<'PYTHON'
import json
with open("forms.txt", "w") as forms:
    for line in open("registered.txt"):
        client = json.loads(line)
        forms.write(f"grant_type=client_credentials&client_id={client['client_id']}&client_secret={client['client_secret']}\n")
PYTHON
memory
stop
start
for round in cold warm; do
    echo "tokens, $round, 64 connections:"
    post /oauth/token application/x-www-form-urlencoded 64 <forms.txt >tokens.txt
done
memory
stop
