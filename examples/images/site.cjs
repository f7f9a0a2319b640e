"use strict";

// One site of the follow-users example: answers with its region, and tells the management workload every second from
// which regions its clients came. Where a client is it says itself, in a header: a real site would look up its address.
const http = require("node:http");

const manager = `http://${process.env.DCX_CONNECTION_MANAGER}/clients`;
let clients = {};

const server = http.createServer((request, response) => {
  const from = request.headers["x-client-region"];
  if (from !== undefined) {
    clients[from] = (clients[from] ?? 0) + 1;
  }
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify({ region: process.env.DCX_REGION ?? null })}\n`);
});
server.listen(Number(process.env.PORT ?? 8080), process.env.DCX_BIND_ADDRESS ?? "0.0.0.0", () => {
  console.log(`site in ${process.env.DCX_REGION} reports to ${manager}`);
});

async function report() {
  const counts = clients;
  clients = {};
  if (Object.keys(counts).length > 0) {
    await fetch(manager, { method: "POST", body: JSON.stringify(counts), signal: AbortSignal.timeout(2000) });
  }
}

setInterval(() => report().catch((error) => console.error(`no report: ${error.message}`)), 1000);
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => process.exit(0));
}
