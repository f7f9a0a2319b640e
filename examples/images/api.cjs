"use strict";

// The second tier: answers with a greeting and says where it runs.
const http = require("node:http");

const server = http.createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(
    `${JSON.stringify({
      greeting: process.env.GREETING ?? "Hello",
      region: process.env.DCX_REGION ?? null,
      instance: process.env.DCX_INSTANCE ?? null,
      path: request.url,
    })}\n`,
  );
});
// Without a network of its own (isolation "none") an instance is given an address that no other one listens on.
server.listen(Number(process.env.PORT ?? 9000), process.env.DCX_BIND_ADDRESS ?? "0.0.0.0", () => {
  const { address, port } = server.address();
  console.log(`api listens on ${address}:${port}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => process.exit(0));
}
