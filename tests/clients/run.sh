#!/bin/sh
# Drives a running Latchkey with real clients as they come, unmodified, and has resource servers verify
# its tokens as deploy/resource-servers/README.md says. Prints a line for each.
#
#   tests/clients/run.sh            all whose language is installed
#
# Needs the network (npm, PyPI, the Go module proxy, Maven Central, crates.io, NuGet) and a built
# `target/debug/latchkey` (or LATCHKEY_BIN). Everything is made in a temporary folder and removed at
# the end, but for what cargo builds, which goes to target/clients.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
binary=${LATCHKEY_BIN:-$here/../../target/debug/latchkey}
work=$(mktemp -d)
servers=
stop() {
    for server in $servers; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    chmod -R u+w "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# A server of its own in a folder, on a free port that its log names.
serve() { # name, setting …
    folder=$work/$1
    shift
    mkdir "$folder"
    (cd "$folder" && exec env LATCHKEY_LISTEN=127.0.0.1:0 LATCHKEY_LOG_FORMAT=json \
        LATCHKEY_REGISTRATION_RATE=0 LATCHKEY_THROTTLE=off \
        LATCHKEY_STORE="file:$folder/data" LATCHKEY_KEYS="$folder/keys" \
        LATCHKEY_ADMIN_CLIENT_ID=admin LATCHKEY_ADMIN_SECRET='a+b/c%d&e=f:g h' "$@" \
        "$binary" serve) >"$folder/log" 2>&1 &
    server=$!
    servers="$servers $server"
    port=
    for _ in $(seq 200); do
        port=$(sed -n 's/.*"message":"ready".*"listen":"127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$folder/log" 2>/dev/null | head -n 1)
        [ -z "$port" ] || break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    [ -n "$port" ] || { cat "$folder/log"; echo "the server did not start" >&2; exit 1; }
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$work/tls.key" -out "$work/tls.pem" 2>/dev/null
# MSAL takes no authority without a path, so the port must be known before.
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
TLS_ISSUER=https://localhost:$port/tenant
serve tls LATCHKEY_LISTEN="127.0.0.1:$port" LATCHKEY_ISSUER="$TLS_ISSUER" LATCHKEY_SERVICE_PREFIX=/tenant \
    LATCHKEY_TLS_CERTIFICATE="$work/tls.pem" LATCHKEY_TLS_KEY="$work/tls.key"
TLS_FILE=$work/tls.pem
serve plain
ISSUER=http://localhost:$port
export ISSUER TLS_ISSUER TLS_FILE

# Clients with a secret, and with a key that signs RS256.
json() { python3 -c 'import json,sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/key.pem" 2>/dev/null
openssl pkey -in "$work/key.pem" -pubout -out "$work/public.pem"
openssl req -x509 -new -key "$work/key.pem" -days 2 -subj /CN=client -out "$work/certificate.pem"
python3 - "$work" <<'P'
import json, sys
work = sys.argv[1]
pem = open(f"{work}/public.pem").read()
secret = {"client_name": "secret", "scope": "a b"}
key = {"client_name": "key", "token_endpoint_auth_method": "private_key_jwt", "public_key_pem": pem, "scope": "a b"}
legacy = key | {"legacyAudience": 4102444800}
clients = {
    "secret": secret, "key": key, "legacy": legacy,
    "ps256": legacy | {"token_endpoint_auth_signing_alg": "PS256"},
    "orders": secret | {"audience": ["orders", "billing"], "permissions": ["read:orders"]},
    "billing": secret | {"audience": ["billing"]},
}
for name, metadata in clients.items():
    json.dump(metadata, open(f"{work}/{name}.json", "w"))
P
ask() { curl -sS --cacert "$work/tls.pem" "$@"; }
create() { # issuer, name
    admin=$(ask "$1/oauth/token" -d grant_type=client_credentials -d client_id=admin \
        --data-urlencode 'client_secret=a+b/c%d&e=f:g h' | json access_token)
    ask "$1/clients" -H "authorization: Bearer $admin" \
        -H 'content-type: application/json' -d @"$work/$2.json"
}
made=$(create "$ISSUER" secret)
CLIENT_ID=$(echo "$made" | json client_id)
CLIENT_SECRET=$(echo "$made" | json client_secret)
made=$(create "$TLS_ISSUER" secret)
TLS_CLIENT_ID=$(echo "$made" | json client_id)
TLS_CLIENT_SECRET=$(echo "$made" | json client_secret)
TLS_LEGACY_CLIENT_ID=$(create "$TLS_ISSUER" legacy | json client_id)
TLS_PS256_CLIENT_ID=$(create "$TLS_ISSUER" ps256 | json client_id)
KEY_CLIENT_ID=$(create "$ISSUER" key | json client_id)
made=$(create "$ISSUER" legacy)
LEGACY_CLIENT_ID=$(echo "$made" | json client_id)
KEY_ID=$(echo "$made" | python3 -c 'import json,sys; print(json.load(sys.stdin)["jwks"]["keys"][0]["kid"])')
KEY_FILE=$work/key.pem
CERTIFICATE_FILE=$work/certificate.pem
export CLIENT_ID CLIENT_SECRET KEY_CLIENT_ID LEGACY_CLIENT_ID KEY_ID KEY_FILE CERTIFICATE_FILE
export TLS_CLIENT_ID TLS_CLIENT_SECRET TLS_LEGACY_CLIENT_ID TLS_PS256_CLIENT_ID

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
. "$here/verify/each.sh"

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
    cp "$here"/node/* "$here/verify/driver.mjs" "$work/node/"
    if (cd "$work/node" && npm install --silent --no-audit --no-fund) >"$work/out" 2>&1; then
        for program in openid-client oauth4webapi simple-oauth2; do
            run "$program" node "$work/node/$program.mjs"
        done
        run "MSAL for Node" env NODE_EXTRA_CA_CERTS="$TLS_FILE" node "$work/node/msal.mjs"
        snippet jose "$work/node/snippet.mjs"
        verifies jose node "$work/node/driver.mjs"
    else
        report "npm install" 1 "$work/out"
    fi
fi

if have python3 "the Python clients"; then
    if python3 -m venv "$work/venv" >"$work/out" 2>&1 &&
        "$work/venv/bin/pip" install --quiet --disable-pip-version-check \
            -r "$here/python/requirements.txt" >"$work/out" 2>&1; then
        for program in "$here"/python/*_client.py; do
            run "$(basename "$program" _client.py)" "$work/venv/bin/python" "$program"
        done
        mkdir "$work/python"
        cp "$here/verify/driver.py" "$work/python/"
        for name in pyjwt authlib; do
            snippet "$name" "$work/python/by_$name.py"
            verifies "$name" "$work/venv/bin/python" "$work/python/driver.py" "by_$name"
        done
    else
        report "pip install" 1 "$work/out"
    fi
fi

if have go "the Go clients"; then
    mkdir "$work/go" "$work/go-verify"
    cp "$here"/go/* "$work/go/"
    cp "$here"/verify/go/* "$work/go-verify/"
    snippet go-oidc "$work/go-verify/snippet.go"
    export GOFLAGS=-mod=mod GOMODCACHE="$work/gomod"
    if (cd "$work/go" && go build -o client .) >"$work/out" 2>&1; then
        run golang.org/x/oauth2 "$work/go/client"
    else
        report "go build" 1 "$work/out"
    fi
    if (cd "$work/go-verify" && go build -o verify .) >"$work/out" 2>&1; then
        verifies go-oidc "$work/go-verify/verify"
    else
        report "go build of go-oidc" 1 "$work/out"
    fi
fi

if have mvn "the Java clients" && have javac "the Java clients"; then
    mkdir "$work/java"
    cp "$here"/java/* "$here/verify/Driver.java" "$work/java/"
    snippet spring "$work/java/ResourceServer.java"
    if (cd "$work/java" && mvn --quiet --batch-mode -Dmaven.repo.local="$work/m2" \
        dependency:build-classpath -Dmdep.outputFile=classpath &&
        javac -cp "$(cat classpath)" ./*.java) >"$work/out" 2>&1; then
        run "Spring Security and Nimbus" java -cp "$work/java:$(cat "$work/java/classpath")" Clients
        verifies "Spring Security" java -cp "$work/java:$(cat "$work/java/classpath")" Driver
    else
        report "mvn and javac" 1 "$work/out"
    fi
fi

if have cargo "the Rust clients"; then
    cp -r "$here/rust" "$work/rust"
    snippet jsonwebtoken "$work/rust/src/snippet.rs"
    export CARGO_TARGET_DIR="$here/../../target/clients"
    if (cd "$work/rust" && cargo build --quiet) >"$work/out" 2>&1; then
        run openidconnect "$CARGO_TARGET_DIR/debug/client"
        verifies jsonwebtoken "$CARGO_TARGET_DIR/debug/verify"
    else
        report "cargo build" 1 "$work/out"
    fi
fi

if have dotnet "the .NET resource server"; then
    cp -r "$here/verify/dotnet" "$work/dotnet"
    snippet dotnet "$work/snippet.cs"
    # The code of the manual is in the middle of a program.
    sed -e "/^\/\/ The code of the manual\.$/r $work/snippet.cs" "$here/verify/dotnet/Program.cs" >"$work/dotnet/Program.cs"
    DOTNET_MAJOR=$(dotnet --version | cut -d . -f 1)
    export DOTNET_MAJOR DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NUGET_PACKAGES="$work/nuget"
    if (cd "$work/dotnet" && dotnet build --output out) >"$work/out" 2>&1; then
        verifies "ASP.NET Core" dotnet "$work/dotnet/out/verify.dll"
    else
        report "dotnet build" 1 "$work/out"
    fi
fi

envoy=$here/../../.venv/bin/envoy
[ -x "$envoy" ] || envoy=envoy
if have "$envoy" "Envoy's jwt_authn"; then
    snippet envoy "$work/envoy.yaml"
    verifies "Envoy jwt_authn" python3 "$here/verify/envoy.py" "$envoy" "$work/envoy.yaml"
fi
exit "$failed"
