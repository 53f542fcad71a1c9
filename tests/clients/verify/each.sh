# What resource servers do with tokens: read by ../run.sh, whose functions and variables it uses.

manual=$here/../../deploy/resource-servers/README.md

# The code of the manual, with the address of this server.
snippet() { # name, file
    awk -v info="verify=$1" '
        /^```/ { if (on) exit; on = ($NF == info); next }
        on' "$manual" | sed "s#https://auth\.example#$ISSUER#g" >"$2"
    [ -s "$2" ] || { echo "there is no code $1 in $manual" >&2; exit 1; }
}

# Tokens to verify, a file each: those that are called good are to be accepted, and no others.
mkdir "$work/tokens"
fetch() { # client id, client secret
    ask -f -u "$1:$2" -d grant_type=client_credentials "$ISSUER/oauth/token" | json access_token
}
for name in orders billing; do
    made=$(create "$ISSUER" "$name")
    fetch "$(echo "$made" | json client_id)" "$(echo "$made" | json client_secret)" >"$work/$name.token"
done
mv "$work/orders.token" "$work/tokens/good"
mv "$work/billing.token" "$work/tokens/for-another-audience"
fetch "$CLIENT_ID" "$CLIENT_SECRET" >"$work/tokens/without-audience"
python3 "$here/verify/tokens.py" "$work/tokens" "$work"/plain/keys/*.pem "$KEY_FILE"
for token in "$work"/tokens/*; do
    case $(basename "$token") in
    good*) echo "$(basename "$token") accepted" ;;
    *) echo "$(basename "$token") refused" ;;
    esac
done >"$work/expected"

# The command says of each file whether it accepts the token in it.
verifies() { # name, command …
    name=$1
    shift
    "$@" "$work"/tokens/* >"$work/verdicts" 2>"$work/out" || true
    if cmp -s "$work/expected" "$work/verdicts"; then
        refused=$(grep -c ' refused$' "$work/verdicts")
        echo "$name: verifies a token, refuses $refused that are no good" >"$work/out"
        report "$name" 0 "$work/out"
    else
        diff "$work/expected" "$work/verdicts" >>"$work/out" || true
        report "$name" 1 "$work/out"
    fi
}
