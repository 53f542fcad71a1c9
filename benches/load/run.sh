#!/usr/bin/env bash
# Measures a whole server over HTTP, against what the machine can do at all, in one run.
# Needs wrk and curl. Quote the ratios: they hold when the machine's speed drifts.
#
#   [ROUNDS=7] benches/load/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-4}

cargo build --release --bins
cargo build --release -p baseline
bin=$PWD/target/release
here=$PWD/benches/load
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# Ratios of several short rounds, one after the other, and their median.
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
rounds=${ROUNDS:-7}
connections=64
rate() { wrk -t1 -c"$connections" -d"${seconds}s" "$@" | tee "$work/wrk.log" | awk '/Requests\/sec/ {print $2}'
         if grep -q 'Non-2xx' "$work/wrk.log"; then grep 'Non-2xx' "$work/wrk.log" >&2; fi; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
# compare WHAT COMMAND AGAINST COMMAND: both rates, in turn
prepare=:
compare() {
    : >"$work/ratios"; : >"$work/rates"; : >"$work/others"
    for _ in $(seq "$rounds"); do
        "$prepare"
        a=$("$2"); b=$("$4")
        echo "$a" >>"$work/rates"; echo "$b" >>"$work/others"; ratio "$a" "$b" >>"$work/ratios"; echo >>"$work/ratios"
    done
    printf '%-45s %9.0f/s   %-28s %9.0f/s   ratio %s  (%s to %s)\n' "$1" "$(median <"$work/rates")" "$3" \
        "$(median <"$work/others")" "$(median <"$work/ratios")" "$(sort -n "$work/ratios" | head -1)" "$(sort -n "$work/ratios" | tail -1)"
}
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

echo '{ "/orders": { "GET": { "authorization": { "expression": "!(permissions.banned)", "public": false } } } }' >policy.json

# start ALGORITHM PORT [POLICY]: a server with one worker, in a folder of its own
start() {
    mkdir -p "$1${3:-}"
    (cd "$1${3:-}" && exec "$bin/latchkey" serve --algorithm "$1" --listen "127.0.0.1:$2" --workers 1 \
        --policy-file "$work/${3:-policy.json}" --registration-rate 0 --throttle off --log-level warn) &
    server=$!
    until curl -sf "http://127.0.0.1:$2/-/ready" >/dev/null; do sleep 0.05; done
}
stop() { kill "$server"; wait "$server" || true; }
# rules NUMBER: a policy of as many rules, one of them for /orders
rules() {
    awk -v number="$1" 'BEGIN {
        printf "{"
        for (i = 1; i < number; i++) printf "\"/area%d/{id}/part%d\": { \"GET\": { \"authorization\": { \"expression\": \"groups.g%d\", \"public\": false } } },\n", i % 100, i, i
        print "\"/orders\": { \"GET\": { \"authorization\": { \"expression\": \"!(permissions.banned)\", \"public\": false } } } }"
    }'
}
# grant PORT: a new client, and its token
grant() {
    client=$(register "$1" '{"client_name":"load"}')
    id=$(member client_id <<<"$client"); secret=$(member client_secret <<<"$client")
    form="grant_type=client_credentials&client_id=$id&client_secret=$secret"
    token=$(curl -s "http://127.0.0.1:$1/oauth/token" -d "$form" | member access_token)
}
register() { curl -s "http://127.0.0.1:$1/register" -H 'content-type: application/json' -d "$2"; }

echo "machine: $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo), $(nproc) cores; one server worker, wrk -t1 -c64 -d${seconds}s"

start RS256 18080
grant 18080
size=$(curl -s http://127.0.0.1:18080/tokeninfo -H "authorization: Bearer $token" | wc -c)
"$bin/baseline" static 18081 "$size" & baseline=$!
until curl -sf http://127.0.0.1:18081/ >/dev/null; do sleep 0.05; done
info() { rate -H "authorization: Bearer $token" http://127.0.0.1:18080/tokeninfo; }
plain() { rate -H "authorization: Bearer $token" http://127.0.0.1:18081/; }

for connections in 64 16; do
    compare "tokeninfo, token seen before, $connections connections" info "static reply of $size bytes" plain
done
connections=64
kill "$baseline"

# A decision for a gateway costs little more than the token itself.
auth() { rate -H "authorization: Bearer $token" -H 'original-request-method: GET' -H 'original-request-uri: /orders/7?x=1' http://127.0.0.1:18080/auth; }
forward_auth() { rate -H "authorization: Bearer $token" -H 'x-original-method: GET' -H 'x-original-uri: /orders/7?x=1' http://127.0.0.1:18080/forward-auth; }
compare "auth, token seen before" auth "tokeninfo" info
compare "forward-auth, token seen before" forward_auth "tokeninfo" info

raw() { "$bin/baseline" sign "$1" "$seconds"; }
raw_rsa() { raw RS256; }
raw_eddsa() { raw EdDSA; }
port=18080
by_secret() { FORM=$form rate -s "$here/form.lua" "http://127.0.0.1:$port/oauth/token"; }
by_secret >/dev/null
compare "token, warm secret, RS256" by_secret "signatures by aws-lc alone" raw_rsa

"$bin/latchkey" keypair --out client.pem >client.jwk 2>/dev/null
secret_client=$id
client=$(register 18080 "{\"client_name\":\"load\",\"token_endpoint_auth_method\":\"private_key_jwt\",\"public_key\":$(cat client.jwk)}")
id=$(member client_id <<<"$client")
fresh_assertions() { "$bin/baseline" assertions client.pem "$id" http://localhost:18080 $((seconds * 5000)) >assertions.txt; }
by_assertion() { ASSERTIONS=$PWD/assertions.txt rate -s "$here/assertions.lua" http://127.0.0.1:18080/oauth/token; }
prepare=fresh_assertions
for connections in 64 16; do
    compare "token, private_key_jwt RS256, $connections connections" by_assertion "signatures by aws-lc alone" raw_rsa
done
connections=64
prepare=:

# Wrong secrets: their checksum is wrong, so no slow hash runs. The same load of good requests beside
# them is the comparison: half of the connections are the flood's either way.
port=18080
bystander() { wrk -t1 -c32 -d"${seconds}s" -H "authorization: Bearer $token" http://127.0.0.1:18080/tokeninfo | awk '/Requests\/sec/ {print $2}'; }
beside() { FORM=$1 wrk -t1 -c32 -d"$((seconds + 1))s" -s "$here/form.lua" "$2" >/dev/null & bystander; wait $!; }
wrong() { beside "grant_type=client_credentials&client_id=$secret_client&client_secret=${secret}x" http://127.0.0.1:18080/oauth/token; }
cheap() { beside "" http://127.0.0.1:18080/-/healthz; }
compare "tokeninfo beside a flood of wrong secrets" wrong "tokeninfo beside a flood of 405s" cheap
stop

start EdDSA 18082
grant 18082
port=18082
by_secret >/dev/null
compare "token, warm secret, EdDSA" by_secret "signatures by aws-lc alone" raw_eddsa
echo "memory of a server after load: $(awk '/VmRSS/ {print $2 / 1024 " MiB"}' "/proc/$server/status")"
stop

rules 10 >ten.json; rules 10000 >many.json
start RS256 18084 ten.json; ten=$server; grant 18084; of_ten=$token
start RS256 18085 many.json; grant 18085; of_many=$token
orders() { rate -H "authorization: Bearer $2" -H 'original-request-method: GET' -H 'original-request-uri: /orders/7?x=1' "http://127.0.0.1:$1/auth"; }
ask_ten() { orders 18084 "$of_ten"; }
ask_many() { orders 18085 "$of_many"; }
compare "auth, 10,000 rules" ask_many "auth, 10 rules" ask_ten
stop; server=$ten; stop

start RS256 18083
echo "memory of an idle server: $(awk '/VmRSS/ {print $2 / 1024 " MiB"}' "/proc/$server/status")"
stop
