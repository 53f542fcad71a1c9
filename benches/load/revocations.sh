#!/usr/bin/env bash
# Measures /tokeninfo, the time from start to ready and the memory with many revocations held: three
# servers, of which each in turn is asked. Needs wrk, python3 and curl.
#
#   [ROUNDS=7] benches/load/revocations.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-4}
rounds=${ROUNDS:-7}

cargo build --release --bin latchkey
bin=$PWD/target/release/latchkey
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
ready() { until curl -sf "http://127.0.0.1:$1/-/ready" >/dev/null; do sleep 0.01; done; }

# start HELD PORT: a server in the folder of that name
start() {
    mkdir -p "$1"
    (cd "$1" && exec "$bin" serve --algorithm EdDSA --listen "127.0.0.1:$2" --workers 1 --log-level warn) &
    server=$!
    ready "$2"
}

# hold COUNT: as many revoked tokens in the store of that name, put there past the server.
hold() {
    python3 - "$1" <<'PYTHON'
import base64, json, os, sqlite3, sys, time
held = int(sys.argv[1])
store = sqlite3.connect(f"{held}/data/latchkey.db")
now = int(time.time())
def rows():
    for _ in range(held):
        jti = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        yield f"token:{jti}", now * 1000, now + 36000, json.dumps({"kind": "token", "jti": jti})
with store:
    store.executemany("INSERT INTO revocations (name, created_at, until, revoked) VALUES (?, ?, ?, ?)", rows())
PYTHON
}

port=18100
declare -A ports tokens servers
for held in 0 1000 1000000; do
    port=$((port + 1))
    start "$held" "$port"
    kill "$server"; wait "$server" || true
    hold "$held"
    began=$(date +%s%N)
    start "$held" "$port"
    printf '%8d held: ready after %5d ms, %4.0f MiB\n' "$held" $((($(date +%s%N) - began) / 1000000)) \
        "$(awk '/VmRSS/ {print $2 / 1024}' "/proc/$server/status")"
    client=$(curl -s "http://127.0.0.1:$port/register" -H 'content-type: application/json' -d '{"client_name":"load"}')
    form="grant_type=client_credentials&client_id=$(member client_id <<<"$client")&client_secret=$(member client_secret <<<"$client")"
    tokens[$held]=$(curl -s "http://127.0.0.1:$port/oauth/token" -d "$form" | member access_token)
    ports[$held]=$port; servers[$held]=$server
done

for _ in $(seq "$rounds"); do
    for held in 0 1000 1000000; do
        wrk -t1 -c64 -d"${seconds}s" -H "authorization: Bearer ${tokens[$held]}" "http://127.0.0.1:${ports[$held]}/tokeninfo" |
            awk '/Requests\/sec/ {print $2}' >>"rates.$held"
    done
done
for held in 0 1000 1000000; do
    printf '%8d held: /tokeninfo %9.0f a second  (%.0f to %.0f)\n' "$held" "$(median <"rates.$held")" \
        "$(sort -n "rates.$held" | head -1)" "$(sort -n "rates.$held" | tail -1)"
done
