// openid-client: discovery, basic, post, private_key_jwt and registration.
import { createPrivateKey, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import * as client from "openid-client";

globalThis.crypto ??= webcrypto;
const { ISSUER, CLIENT_ID, CLIENT_SECRET, KEY_CLIENT_ID, KEY_ID, KEY_FILE } = process.env;
const der = createPrivateKey(readFileSync(KEY_FILE)).export({ type: "pkcs8", format: "der" });
const rs256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const key = await crypto.subtle.importKey("pkcs8", der, rs256, false, ["sign"]);

async function grant(algorithm, id, secret, auth) {
  const config = await client.discovery(new URL(ISSUER), id, secret, auth, {
    algorithm,
    execute: [client.allowInsecureRequests],
  });
  const tokens = await client.clientCredentialsGrant(config);
  const resource = new URL(`${ISSUER}/tokeninfo`);
  const info = await client.fetchProtectedResource(config, tokens.access_token, resource, "GET");
  if (info.status !== 200 || (await info.json()).client_id !== id) throw new Error("tokeninfo");
  return tokens;
}

const scoped = await grant("oauth2", CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET));
if (scoped.scope !== "a b") throw new Error(`scope ${scoped.scope}`);
await grant("oidc", CLIENT_ID, CLIENT_SECRET, client.ClientSecretPost(CLIENT_SECRET));
await grant("oauth2", KEY_CLIENT_ID, undefined, client.PrivateKeyJwt({ key, kid: KEY_ID }));
await grant("oauth2", KEY_CLIENT_ID, undefined, client.PrivateKeyJwt(key));

let code;
try {
  await grant("oauth2", CLIENT_ID, undefined, client.ClientSecretBasic("wrong"));
} catch (error) {
  code = error.error ?? error.cause?.[0]?.parameters?.error ?? error.code;
}
if (!code) throw new Error("a wrong secret was taken");

const registered = await client.dynamicClientRegistration(
  new URL(ISSUER),
  { client_name: "by openid-client", grant_types: ["client_credentials"], response_types: [] },
  undefined,
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] },
);
await client.clientCredentialsGrant(registered);
console.log("openid-client: discovery, basic, post, private_key_jwt, registration, refused when wrong");
