"""Authlib: basic, post, and private_key_jwt, whose `aud` is the URL that it is given."""

import os

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

env = os.environ
endpoint = env["ISSUER"] + "/oauth/token"


def token(session, **more):
    fetched = session.fetch_token(endpoint, grant_type="client_credentials", **more)
    info = session.get(env["ISSUER"] + "/tokeninfo")
    assert info.status_code == 200, info.text
    assert fetched["token_type"] == "Bearer"
    return fetched


for method in ["client_secret_basic", "client_secret_post"]:
    session = OAuth2Session(env["CLIENT_ID"], env["CLIENT_SECRET"], token_endpoint_auth_method=method)
    assert token(session)["scope"] == "a b"

key = open(env["KEY_FILE"]).read()
for headers in [None, {"kid": env["KEY_ID"]}]:
    method = PrivateKeyJWT(endpoint, headers=headers)
    session = OAuth2Session(env["LEGACY_CLIENT_ID"], key, token_endpoint_auth_method=method)
    token(session)
session = OAuth2Session(env["KEY_CLIENT_ID"], key, token_endpoint_auth_method=PrivateKeyJWT(env["ISSUER"]))
token(session)

try:
    OAuth2Session(env["CLIENT_ID"], "wrong").fetch_token(endpoint, grant_type="client_credentials")
    raise SystemExit("a wrong secret was taken")
except OAuthError as refused:
    assert refused.error == "invalid_client", refused
print("Authlib: basic, post, private_key_jwt (its aud, legacyAudience), refused when wrong")
