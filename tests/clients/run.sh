#!/bin/sh
# Drives a running Latchkey with real clients as they come, unmodified. Prints a line for each.
#
#   tests/clients/run.sh            every client whose language is installed
#
# Needs the network (npm, PyPI, the Go module proxy) and a built `target/debug/latchkey`
# (or LATCHKEY_BIN). Everything is made in a temporary folder and removed at the end.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
binary=${LATCHKEY_BIN:-$here/../../target/debug/latchkey}
work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    chmod -R u+w "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# The server, on a free port that its log names.
(cd "$work" && exec env LATCHKEY_LISTEN=127.0.0.1:0 LATCHKEY_LOG_FORMAT=json \
    LATCHKEY_REGISTRATION_RATE=0 LATCHKEY_THROTTLE=off LATCHKEY_STORE="file:$work/data" LATCHKEY_KEYS="$work/keys" \
    LATCHKEY_ADMIN_CLIENT_ID=admin LATCHKEY_ADMIN_SECRET='a+b/c%d&e=f:g h' \
    "$binary" serve) >"$work/log" 2>&1 &
server=$!
port=
for _ in $(seq 200); do
    port=$(sed -n 's/.*"listen":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$work/log" | head -n 1)
    [ -z "$port" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -n "$port" ] || { cat "$work/log"; echo "the server did not start" >&2; exit 1; }
ISSUER=http://localhost:$port
export ISSUER

# A client with a secret, and one with a key that signs RS256.
json() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/key.pem" 2>/dev/null
openssl pkey -in "$work/key.pem" -pubout -out "$work/public.pem"
python3 - "$work" <<'P'
import json, sys
work = sys.argv[1]
pem = open(f"{work}/public.pem").read()
key = {"client_name": "key", "token_endpoint_auth_method": "private_key_jwt", "public_key_pem": pem}
json.dump(key, open(f"{work}/key.json", "w"))
json.dump(key | {"legacyAudience": 4102444800}, open(f"{work}/legacy.json", "w"))
json.dump({"client_name": "secret", "scope": "a b"}, open(f"{work}/secret.json", "w"))
P
admin=$(curl -sS "$ISSUER/oauth/token" -d grant_type=client_credentials -d client_id=admin \
    --data-urlencode 'client_secret=a+b/c%d&e=f:g h' | json access_token)
create() {
    curl -sS "$ISSUER/clients" -H "authorization: Bearer $admin" \
        -H 'content-type: application/json' -d @"$work/$1.json"
}
made=$(create secret)
CLIENT_ID=$(echo "$made" | json client_id)
CLIENT_SECRET=$(echo "$made" | json client_secret)
KEY_CLIENT_ID=$(create key | json client_id)
made=$(create legacy)
LEGACY_CLIENT_ID=$(echo "$made" | json client_id)
KEY_ID=$(echo "$made" | python3 -c 'import json,sys; print(json.load(sys.stdin)["jwks"]["keys"][0]["kid"])')
KEY_FILE=$work/key.pem
export CLIENT_ID CLIENT_SECRET KEY_CLIENT_ID LEGACY_CLIENT_ID KEY_ID KEY_FILE

failed=0
report() { # name, exit code, file with the output
    if [ "$2" -eq 0 ]; then
        sed 's/^/ok      /' "$3"
    else
        failed=1
        echo "FAILED  $1"
        sed 's/^/        /' "$3"
    fi
}
run() { # name, command …
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then report "$name" 0 "$work/out"; else report "$name" 1 "$work/out"; fi
}
have() { command -v "$1" >/dev/null 2>&1 || { echo "skipped $2: no $1 here"; return 1; }; }

# curl -u.
by_curl() {
    token=$(curl -sS -f -u "$CLIENT_ID:$CLIENT_SECRET" -d grant_type=client_credentials \
        "$ISSUER/oauth/token" | json access_token) || return 1
    curl -sS -f -o /dev/null -H "authorization: Bearer $token" "$ISSUER/tokeninfo" || return 1
    code=$(curl -sS -o /dev/null -w '%{http_code}' -u "$CLIENT_ID:wrong" \
        -d grant_type=client_credentials "$ISSUER/oauth/token")
    [ "$code" = 401 ] || return 1
    echo "curl -u: basic, refused when wrong"
}
run curl by_curl

if have npm "the npm clients" && have node "the npm clients"; then
    mkdir "$work/node"
    cp "$here"/node/* "$work/node/"
    if (cd "$work/node" && npm install --silent --no-audit --no-fund) >"$work/out" 2>&1; then
        for program in openid-client oauth4webapi simple-oauth2; do
            run "$program" node "$work/node/$program.mjs"
        done
    else
        report "npm install" 1 "$work/out"
    fi
fi

if have python3 "the Python clients"; then
    if python3 -m venv "$work/venv" >"$work/out" 2>&1 &&
        "$work/venv/bin/pip" install --quiet --disable-pip-version-check \
            -r "$here/python/requirements.txt" >"$work/out" 2>&1; then
        for program in authlib_client requests_oauthlib_client; do
            run "$program" "$work/venv/bin/python" "$here/python/$program.py"
        done
    else
        report "pip install" 1 "$work/out"
    fi
fi

if have go "the Go client"; then
    mkdir "$work/go"
    cp "$here"/go/* "$work/go/"
    export GOFLAGS=-mod=mod GOMODCACHE="$work/gomod"
    if (cd "$work/go" && go build -o client .) >"$work/out" 2>&1; then
        run golang.org/x/oauth2 "$work/go/client"
    else
        report "go build" 1 "$work/out"
    fi
fi

exit "$failed"
