// Says of each token what the code of the manual says of it: TOKEN_FILE …
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { verify } from "./snippet.mjs";

for (const path of process.argv.slice(2)) {
  try {
    const claims = await verify(readFileSync(path, "utf8").trim());
    if (!Array.isArray(claims.permissions)) throw new Error("no claims");
    console.log(basename(path), "accepted");
  } catch (error) {
    console.log(basename(path), "refused");
    console.error(`${basename(path)}: ${error}`);
  }
}
