import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { folder, start } from "./testing/started";

describe("plain HTTP", () => {
  const get = (port: number, host: string, path: string) =>
    new Promise<{ status: number | undefined; location: string | undefined; body: string }>((resolve, reject) => {
      request({ port, host: "127.0.0.1", path, headers: { host }, agent: false }, (response) => {
        let body = "";
        response.on("data", (data) => {
          body += data;
        });
        response.on("end", () => resolve({ status: response.statusCode, location: response.headers.location, body }));
      })
        .on("error", reject)
        .end();
    });

  it("leads to TLS at names that are served, answers challenges, and knows nothing else", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    const challenges = join(home, "challenges");
    mkdirSync(challenges);
    writeFileSync(join(challenges, "token_1"), "token_1.thumbprint");
    writeFileSync(join(home, "secret"), "a secret");
    const world = await start({ http: { host: "127.0.0.1", port: 0 }, challenges, port: 443 }, home);
    world.apply({});
    const { redirect } = JSON.parse(readFileSync(join(home, "ports.json"), "utf8"));
    const { hostname } = world.url();
    await expect(get(redirect, `${hostname}:80`, "/a?b=c")).resolves.toMatchObject({
      status: 308,
      location: `https://${hostname}/a?b=c`,
    });
    await expect(get(redirect, "other.example", "/")).resolves.toMatchObject({ status: 404 });
    const challenge = "/.well-known/acme-challenge";
    await expect(get(redirect, "other.example", `${challenge}/token_1`)).resolves.toMatchObject({
      status: 200,
      body: "token_1.thumbprint",
    });
    for (const path of [`${challenge}/../secret`, `${challenge}/..%2fsecret`, `${challenge}/none`]) {
      await expect(get(redirect, "other.example", path)).resolves.toMatchObject({ status: 404 });
    }
  });
});
