"""requests-oauthlib: basic by `auth`, and post by `include_client_id`."""

import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError  # noqa: E402
from requests.auth import HTTPBasicAuth  # noqa: E402
from requests_oauthlib import OAuth2Session  # noqa: E402

env = os.environ
endpoint = env["ISSUER"] + "/oauth/token"
ident, secret = env["CLIENT_ID"], env["CLIENT_SECRET"]


def session(**more):
    return OAuth2Session(client=BackendApplicationClient(client_id=ident, **more))


for way in [
    {"auth": HTTPBasicAuth(ident, secret)},
    {"client_secret": secret},
    {"client_secret": secret, "include_client_id": True},
]:
    asking = session(scope=["a", "b"])
    fetched = asking.fetch_token(endpoint, **way)
    assert fetched["token_type"] == "Bearer" and fetched["expires_in"] == 36000, fetched
    assert asking.get(env["ISSUER"] + "/tokeninfo").status_code == 200

try:
    session().fetch_token(endpoint, auth=HTTPBasicAuth(ident, "wrong"))
    raise SystemExit("a wrong secret was taken")
except InvalidClientError:
    pass
print("requests-oauthlib: basic, post, refused when wrong")
