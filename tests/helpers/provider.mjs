// A certified identity provider on this machine: whoever names themselves is signed in, with what PEOPLE says.
//
//   node provider.mjs PORT REDIRECT_URI TOKEN_SECONDS
//
// PEOPLE is read from standard input, one JSON object a line, each of which replaces the one before:
// {"login": {"name": ..., "email": ..., "email_verified": true, "groups": [...]}, ...}

import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const [port, redirect, seconds] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
let people = {};
createInterface({ input: process.stdin }).on("line", (line) => {
  people = JSON.parse(line);
  console.log("people");
});

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "squint",
      client_secret: "only for tests on this machine",
      redirect_uris: [redirect],
      post_logout_redirect_uris: [redirect],
    },
  ],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
  conformIdTokenClaims: false, // as most do, all claims are in the token
  findAccount: (_context, login) => ({
    accountId: login,
    claims: () => ({ sub: login, ...people[login] }),
  }),
  ttl: { IdToken: Number(seconds), Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600 },
  cookies: { keys: ["only for tests on this machine"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
