#!/usr/bin/env bash
# Measures a whole server over HTTP, against what the machine can do at all, in one run.
# Needs wrk and curl. Quote the ratios: they hold when the machine's speed drifts.
#
#   benches/load/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-8}

cargo build --release --bins --example baseline
bin=$PWD/target/release
here=$PWD/benches/load
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

rate() { wrk -t1 -c64 -d"${seconds}s" "$@" | tee "$work/wrk.log" | awk '/Requests\/sec/ {print $2}'
         if grep -q 'Non-2xx' "$work/wrk.log"; then grep 'Non-2xx' "$work/wrk.log" >&2; fi; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# start ALGORITHM PORT: a server with one worker, in a folder of its own
start() {
    mkdir -p "$1"
    (cd "$1" && exec "$bin/latchkey" serve --algorithm "$1" --listen "127.0.0.1:$2" --workers 1 \
        --registration-rate 0 --log-level warn) &
    server=$!
    until curl -sf "http://127.0.0.1:$2/-/ready" >/dev/null; do :; done
}
stop() { kill "$server"; wait "$server" || true; }
register() { curl -s "http://127.0.0.1:$1/register" -H 'content-type: application/json' -d "$2"; }

echo "machine: $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo), $(nproc) cores; one server worker, wrk -t1 -c64 -d${seconds}s"

start RS256 18080
client=$(register 18080 '{"client_name":"load"}')
id=$(member client_id <<<"$client"); secret=$(member client_secret <<<"$client")
form="grant_type=client_credentials&client_id=$id&client_secret=$secret"
token=$(curl -s http://127.0.0.1:18080/oauth/token -d "$form" | member access_token)
size=$(curl -s http://127.0.0.1:18080/tokeninfo -H "authorization: Bearer $token" | wc -c)
"$bin/examples/baseline" static 18081 "$size" & baseline=$!
until curl -sf http://127.0.0.1:18081/ >/dev/null; do :; done

for _ in 1 2 3; do
    plain=$(rate -H "authorization: Bearer $token" http://127.0.0.1:18081/)
    info=$(rate -H "authorization: Bearer $token" http://127.0.0.1:18080/tokeninfo)
    echo "tokeninfo: $info/s, static reply of $size bytes: $plain/s, ratio $(ratio "$info" "$plain")"
done
kill "$baseline"

for _ in 1 2 3; do
    raw=$("$bin/examples/baseline" sign RS256)
    issued=$(FORM=$form rate -s "$here/form.lua" http://127.0.0.1:18080/oauth/token)
    echo "token, warm secret, RS256: $issued/s, raw signatures: $raw/s, ratio $(ratio "$issued" "$raw")"
done

"$bin/latchkey" keypair --out client.pem >client.jwk 2>/dev/null
client=$(register 18080 "{\"client_name\":\"load\",\"token_endpoint_auth_method\":\"private_key_jwt\",\"public_key\":$(cat client.jwk)}")
id=$(member client_id <<<"$client")
for _ in 1 2 3; do
    "$bin/examples/baseline" assertions client.pem "$id" http://localhost:18080 $((seconds * 6000)) >assertions.txt
    raw=$("$bin/examples/baseline" sign RS256)
    issued=$(ASSERTIONS=$PWD/assertions.txt rate -s "$here/assertions.lua" http://127.0.0.1:18080/oauth/token)
    echo "token, private_key_jwt (RS256), durable jti: $issued/s, raw signatures: $raw/s, ratio $(ratio "$issued" "$raw")"
done

# Wrong secrets: their checksum is wrong, so no slow hash runs, and others hardly notice.
(while :; do FORM="${form}x" rate -s "$here/form.lua" http://127.0.0.1:18080/oauth/token >/dev/null 2>&1 || exit 0; done) &
flood=$!
alone=$issued
info=$(rate -H "authorization: Bearer $token" http://127.0.0.1:18080/tokeninfo)
echo "tokeninfo during a flood of wrong secrets on as many connections: $info/s"
kill "$flood" 2>/dev/null || true; pkill -f "oauth/token" 2>/dev/null || true
stop

start EdDSA 18082
client=$(register 18082 '{"client_name":"load"}')
id=$(member client_id <<<"$client"); secret=$(member client_secret <<<"$client")
form="grant_type=client_credentials&client_id=$id&client_secret=$secret"
for _ in 1 2 3; do
    raw=$("$bin/examples/baseline" sign EdDSA)
    issued=$(FORM=$form rate -s "$here/form.lua" http://127.0.0.1:18082/oauth/token)
    echo "token, warm secret, EdDSA: $issued/s, raw signatures: $raw/s, ratio $(ratio "$issued" "$raw")"
done
echo "memory of a server after load: $(awk '/VmRSS/ {print $2 / 1024 " MiB"}' "/proc/$server/status")"
stop

start RS256 18083
echo "memory of an idle server: $(awk '/VmRSS/ {print $2 / 1024 " MiB"}' "/proc/$server/status")"
stop
