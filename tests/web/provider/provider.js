// SPDX-License-Identifier: AGPL-3.0-or-later
// A school's OpenID Connect provider on a loopback port, with its own pages for signing in and for consent. Any password does.
// node provider.js PORT PEOPLE_FILE: the file holds each account's claims, and is read at each sign-in. A hub on any port of this
// machine may be signed in to.
// It must only ever run for a test: its client's secret is known to everybody.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [port, people] = process.argv.slice(2);
const back = "http://127.0.0.1/sign-in/federated/back";
const { default: Provider } = await import(pathToFileURL(`${process.env.NODE_MODULES}/oidc-provider/lib/index.js`));

async function findAccount(_context, id) {
  const known = JSON.parse(readFileSync(people, "utf8"))[id];
  return known && { accountId: id, claims: async () => ({ sub: id, ...known }) };
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "hub", client_secret: "known to both", redirect_uris: [back], application_type: "native" }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  cookies: { keys: ["only for a test"] },
  pkce: { required: () => true },
  findAccount,
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
