// oauth4webapi: discovery, basic, post and private_key_jwt, and its check of a JWT access token.
import { createPrivateKey, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import * as oauth from "oauth4webapi";

globalThis.crypto ??= webcrypto;
const { ISSUER, CLIENT_ID, CLIENT_SECRET, KEY_CLIENT_ID, KEY_ID, KEY_FILE } = process.env;
const der = createPrivateKey(readFileSync(KEY_FILE)).export({ type: "pkcs8", format: "der" });
const rs256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const key = await crypto.subtle.importKey("pkcs8", der, rs256, false, ["sign"]);

const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(ISSUER);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
const server = await oauth.processDiscoveryResponse(issuer, found);

async function grant(id, auth, parameters = {}) {
  const client = { client_id: id };
  const response = await oauth.clientCredentialsGrantRequest(
    server, client, auth, new URLSearchParams(parameters), insecure,
  );
  return oauth.processClientCredentialsResponse(server, client, response);
}

await grant(CLIENT_ID, oauth.ClientSecretBasic(CLIENT_SECRET));
const narrowed = await grant(CLIENT_ID, oauth.ClientSecretPost(CLIENT_SECRET), { scope: "a" });
await grant(KEY_CLIENT_ID, oauth.PrivateKeyJwt({ key, kid: KEY_ID }));

const jwks = await (await fetch(server.jwks_uri)).json();
const [header, , ] = narrowed.access_token.split(".");
const { kid, typ } = JSON.parse(Buffer.from(header, "base64url"));
if (typ !== "at+jwt" || !jwks.keys.some((known) => known.kid === kid)) throw new Error("kid, typ");

let failure;
try {
  await grant(CLIENT_ID, oauth.ClientSecretBasic("wrong"));
} catch (error) {
  failure = error;
}
// It shows the challenge where there is one.
if (!(failure instanceof oauth.WWWAuthenticateChallengeError || failure?.error === "invalid_client")) {
  throw new Error(`wrong secret: ${failure}`);
}
console.log("oauth4webapi: discovery, basic, post, private_key_jwt, refused when wrong");
