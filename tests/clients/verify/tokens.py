"""Makes tokens that a resource server must refuse, from a good one: FOLDER SERVER_KEY CLIENT_KEY."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys

folder, server_key, client_key = map(pathlib.Path, sys.argv[1:])
good = (folder / "good").read_text().strip()
(folder / "good").write_text(good)


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def rsa(key):
    return lambda signed: subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=signed, capture_output=True, check=True
    ).stdout


def with_public_key(signed):
    command = ["openssl", "pkey", "-in", server_key, "-pubout"]
    public = subprocess.run(command, capture_output=True, check=True).stdout
    return hmac.digest(public, signed, hashlib.sha256)


header, claims = map(decoded, good.split(".")[:2])


def make(name, sign=rsa(server_key), head=(), body=(), without=()):
    parts = [header | dict(head), claims | dict(body)]
    parts = [{k: v for k, v in part.items() if k not in without} for part in parts]
    signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    (folder / name).write_text(f"{signed}.{encoded(sign(signed.encode()))}")


# Nothing is wrong with what is made here, but for what the name says.
make("good-and-made-here")
make("expired", body={"iat": claims["iat"] - 7200, "exp": claims["iat"] - 3600})
make("of-another-issuer", body={"iss": "https://evil.example"})
make("without-issuer", without=["iss"])
make("without-expiry", without=["exp"])
make("without-type", without=["typ"])
make("id-token", head={"typ": "JWT"})
make("introspection-answer", head={"typ": "token-introspection+jwt"})
make("by-a-client", sign=rsa(client_key))
make("hmac-with-the-public-key", sign=with_public_key, head={"alg": "HS256"})
make("unsigned", sign=lambda signed: b"", head={"alg": "none"})
first, payload, signature = good.split(".")
changed = encoded(json.dumps(claims | {"permissions": ["latchkey:admin"]}).encode())
(folder / "changed").write_text(f"{first}.{changed}.{signature}")
