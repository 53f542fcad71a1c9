// MSAL: discovery as OpenID Connect, over https alone; a secret, and a key by certificate.
import { readFileSync } from "node:fs";
import { ConfidentialClientApplication, ProtocolMode } from "@azure/msal-node";

const { TLS_ISSUER, TLS_CLIENT_ID, TLS_CLIENT_SECRET, TLS_PS256_CLIENT_ID, KEY_FILE, CERTIFICATE_FILE } = process.env;
const fetched = (clientId, credential) =>
  new ConfidentialClientApplication({
    auth: { clientId, authority: TLS_ISSUER, knownAuthorities: [new URL(TLS_ISSUER).host], ...credential },
    system: { protocolMode: ProtocolMode.OIDC },
  }).acquireTokenByClientCredential({ scopes: ["a"] });

const { createHash, X509Certificate } = await import("node:crypto");
const certificate = new X509Certificate(readFileSync(CERTIFICATE_FILE));
const thumbprintSha256 = createHash("sha256").update(certificate.raw).digest("hex");
const privateKey = readFileSync(KEY_FILE, "utf8");
for (const [id, credential] of [
  [TLS_CLIENT_ID, { clientSecret: TLS_CLIENT_SECRET }],
  // PS256, which the registration says.
  [TLS_PS256_CLIENT_ID, { clientCertificate: { thumbprintSha256, privateKey } }],
]) {
  const token = await fetched(id, credential);
  if (token.tokenType !== "Bearer" || !token.accessToken) throw new Error(JSON.stringify(token));
}
let refused;
try {
  await fetched(TLS_CLIENT_ID, { clientSecret: "wrong" });
} catch (error) {
  refused = error.errorCode;
}
if (refused !== "invalid_client") throw new Error(`wrong secret: ${refused}`);
console.log("MSAL for Node: discovery, post, private_key_jwt PS256 (legacyAudience), refused when wrong");
