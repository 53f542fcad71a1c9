#!/usr/bin/env bash
# Sends a running server what openapi.yaml allows and forbids, and checks that it answers as written there.
#
#   tests/schemathesis/run.sh [PATH_OF_LATCHKEY]
#
# Without a path it takes target/release/latchkey, else target/debug/latchkey. Needs python3 with venv, and
# PyPI for the first step; SCHEMATHESIS=/path/to/schemathesis uses one that is there. SEED, EXAMPLES
# and SECONDS_AT_MOST bound the run and make it repeatable. Everything stays on the loopback address.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=4.32.5
seed=${SEED:-20260101}
examples=${EXAMPLES:-60}
seconds=${SECONDS_AT_MOST:-240}

binary=${1:-target/release/latchkey}
[ -x "$binary" ] || binary=target/debug/latchkey
[ -x "$binary" ] || { echo "build latchkey first: cargo build --release" >&2; exit 2; }

folder=$(mktemp -d)
server=
finish() {
    status=$?
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ] && [ -f "$folder/log" ]; then
        echo "the last lines of the server's log:" >&2
        tail -n 5 "$folder/log" >&2
    fi
    cd /
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT

# Nothing but what is set here: no settings of the caller, no proxy before the loopback address.
for name in $(compgen -e | grep '^LATCHKEY_' || true); do unset "$name"; done
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost

python3 -m venv "$folder/venv"
if [ -z "${SCHEMATHESIS:-}" ]; then
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
    SCHEMATHESIS=$folder/venv/bin/schemathesis
fi

LATCHKEY_REGISTRATION_RATE=0 LATCHKEY_THROTTLE=off "$binary" serve --listen 127.0.0.1:0 --log-format json \
    --store "file:$folder/data" --keys "$folder/keys" 2> "$folder/log" &
server=$!

# Where it listens, once it is ready.
url=$("$folder/venv/bin/python" - "$folder/log" "$server" <<'PYTHON'
import json, os, sys, time

log, server = sys.argv[1], int(sys.argv[2])
for _ in range(600):
    for line in open(log, encoding="utf-8"):
        try:
            event = json.loads(line)
        except ValueError:
            continue  # half a line
        if event.get("message") == "ready":
            print("http://" + event["listen"])
            sys.exit(0)
    try:
        os.kill(server, 0)
    except OSError:
        sys.exit("the server ended before it was ready")
    time.sleep(0.1)
sys.exit("the server was not ready after a minute")
PYTHON
)

# What the operations are called with: a token that may change any client but itself, its like and the
# administrator, so that no call ends it; and a client that has something to ask for.
eval "$("$folder/venv/bin/python" - "$url" "$folder/data/admin.json" <<'PYTHON'
import base64, json, shlex, sys, urllib.request

url, admin = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))

def post(path, body, kind, authorization):
    headers = {"content-type": kind, "authorization": authorization}
    return json.load(urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=30))

def token_of(client):
    pair = f"{client['client_id']}:{client['client_secret']}".encode()
    return post("/oauth/token", b"grant_type=client_credentials", "application/x-www-form-urlencoded",
                "Basic " + base64.b64encode(pair).decode())["access_token"]

def create(members):
    body = json.dumps({"client_name": "schemathesis", **members}).encode()
    return post("/clients", body, "application/json", "Bearer " + token_of(admin))

caller = create({"permissions": ["latchkey:clients:read", "latchkey:clients:write", "latchkey:decide"]})
client = create({"scope": "read write", "audience": ["orders"]})
for name, value in [("ADMIN_TOKEN", token_of(caller)), ("CLIENT_ID", client["client_id"]),
                    ("CLIENT_SECRET", client["client_secret"]), ("REGISTRATION_TOKEN", client["registration_access_token"])]:
    print(f"export {name}={shlex.quote(value)}")
PYTHON
)"

# From the temporary folder, where it may leave its notes.
config=$PWD/tests/schemathesis/schemathesis.toml
cd "$folder"
"$SCHEMATHESIS" --config-file "$config" run "$url/documentation/json" \
    --url "$url" --checks all --seed "$seed" --max-examples "$examples" --max-time "$seconds" \
    --request-timeout 30 --continue-on-failure
