// simple-oauth2: basic in both of its encodings, and post.
import { ClientCredentials } from "simple-oauth2";

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;
const config = (id, secret, options) => ({
  client: { id, secret },
  auth: { tokenHost: ISSUER, tokenPath: "/oauth/token" },
  options,
});
const ways = [
  { authorizationMethod: "header", credentialsEncodingMode: "strict" },
  { authorizationMethod: "header", credentialsEncodingMode: "loose" },
  { authorizationMethod: "body" },
  { authorizationMethod: "body", bodyFormat: "form" },
];
for (const options of ways) {
  const token = await new ClientCredentials(config(CLIENT_ID, CLIENT_SECRET, options)).getToken({ scope: ["a", "b"] });
  if (token.expired() || token.token.token_type !== "Bearer") throw new Error("token");
}
const operator = config("admin", "a+b/c%d&e=f:g h", ways[0]);
await new ClientCredentials(operator).getToken({});
let status;
try {
  await new ClientCredentials(config(CLIENT_ID, "wrong", ways[0])).getToken({});
} catch (error) {
  status = error.output?.statusCode;
}
if (status !== 401) throw new Error(`wrong secret: ${status}`);
console.log("simple-oauth2: basic (strict and loose), post, refused when wrong");
