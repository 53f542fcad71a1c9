"""MSAL: discovery as OpenID Connect, over https alone; a secret, and a key by thumbprint and by certificate."""

import os

import msal

env = os.environ
env["REQUESTS_CA_BUNDLE"] = env["TLS_FILE"]


def application(ident, credential):
    return msal.ConfidentialClientApplication(
        ident, client_credential=credential, oidc_authority=env["TLS_ISSUER"]
    )


key = open(env["KEY_FILE"]).read()
certificate = open(env["CERTIFICATE_FILE"]).read()
for ident, credential in [
    (env["TLS_CLIENT_ID"], env["TLS_CLIENT_SECRET"]),
    # RS256, with an `x5t` and without a `kid`.
    (env["TLS_LEGACY_CLIENT_ID"], {"private_key": key, "thumbprint": "A1" * 20}),
    # PS256, which the registration says.
    (env["TLS_PS256_CLIENT_ID"], {"private_key": key, "public_certificate": certificate}),
]:
    fetched = application(ident, credential).acquire_token_for_client(["a"])
    assert fetched.get("token_type") == "Bearer" and fetched.get("scope") == "a", fetched

for ident, credential in [
    (env["TLS_CLIENT_ID"], "wrong"),
    (env["TLS_LEGACY_CLIENT_ID"], {"private_key": key, "public_certificate": certificate}),
]:
    refused = application(ident, credential).acquire_token_for_client(["a"])
    assert refused["error"] == "invalid_client", refused
print("MSAL: discovery, post, private_key_jwt RS256 and PS256 (legacyAudience), refused when wrong")
