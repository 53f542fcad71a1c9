"""requests-oauth2client: basic, post, and private_key_jwt with the issuer as `aud`; scopes as it sees them."""

import os

from jwskate import Jwk
from requests_oauth2client import (
    ClientSecretBasic,
    ClientSecretPost,
    InvalidClient,
    OAuth2Client,
    PrivateKeyJwt,
)

env = os.environ
endpoint = env["ISSUER"] + "/oauth/token"


def client(auth):
    return OAuth2Client(endpoint, auth=auth, testing=True)


key = Jwk.from_pem(open(env["KEY_FILE"]).read()) | {"alg": "RS256", "kid": env["KEY_ID"]}
for auth in [
    ClientSecretBasic(env["CLIENT_ID"], env["CLIENT_SECRET"]),
    ClientSecretPost(env["CLIENT_ID"], env["CLIENT_SECRET"]),
    PrivateKeyJwt(env["KEY_CLIENT_ID"], key, aud=env["ISSUER"]),
    PrivateKeyJwt(env["LEGACY_CLIENT_ID"], key),
]:
    for asked in ["a", None]:
        fetched = client(auth).client_credentials(scope=asked)
        assert fetched.scope == (asked or "a b"), fetched

try:
    client(ClientSecretBasic(env["CLIENT_ID"], "wrong")).client_credentials()
    raise SystemExit("a wrong secret was taken")
except InvalidClient:
    pass
print("requests-oauth2client: basic, post, private_key_jwt (its aud, legacyAudience), refused when wrong")
