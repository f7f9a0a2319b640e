"use strict";

// The first tier: its answer contains the second one's, so whoever sees it knows that the connection carries traffic.
const http = require("node:http");

const api = `http://${process.env.DCX_CONNECTION_API ?? "api:9000"}/`;

/** Resolves to what `api` answers; rejects when it does not within two seconds, or not with 200 and JSON. */
function askApi() {
  return new Promise((resolve, reject) => {
    const request = http.get(api, { timeout: 2000, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          if (response.statusCode !== 200) {
            throw new Error(`${api} answered ${response.statusCode}`);
          }
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on("timeout", () => request.destroy(new Error(`${api} did not answer within 2 s`)));
    request.on("error", reject);
  });
}

const server = http.createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  askApi().then(
    (answer) => {
      const own = {
        greeting: process.env.GREETING ?? "Hello",
        region: process.env.DCX_REGION ?? null,
        instance: process.env.DCX_INSTANCE ?? null,
      };
      response.end(`${JSON.stringify(request.url === "/healthz" ? { ok: true } : { ...own, api: answer })}\n`);
    },
    (error) => {
      response.statusCode = 503;
      response.end(`${JSON.stringify({ ok: false, error: error.message })}\n`);
    },
  );
});
// Without a network of its own (isolation "none") an instance is given an address that no other one listens on.
server.listen(Number(process.env.PORT ?? 8080), process.env.DCX_BIND_ADDRESS ?? "0.0.0.0", () => {
  const { address, port } = server.address();
  console.log(`web listens on ${address}:${port} and asks ${api}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => process.exit(0));
}
