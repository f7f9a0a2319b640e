import { request } from "node:http";
import { targetOf } from "../node/rpc/http";
import { type ServedNode, startServedNode } from "./testing/served-node";

jest.setTimeout(120_000);

let served: ServedNode;

beforeAll(async () => {
  served = await startServedNode({ rest: {}, metrics: {} });
});

afterAll(() => served.close());

/** The status of the answer to a GET of exactly this target, which `fetch` would not send. */
function statusOf(url: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on("error", reject);
    call.end();
  });
}

const upgrade = {
  connection: "upgrade",
  upgrade: "websocket",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  "sec-websocket-version": "13",
};

// Each of them is no URL, or one of another host.
test.each(["//", "//[", "//x:y/z"])("a node answers a request for %s, and goes on", async (target) => {
  const { node } = served;
  const { restUrl = "", metricsUrl = "" } = node.clients;
  expect(await statusOf(restUrl, target)).toBe(404);
  expect(await statusOf(restUrl, target, { host: "attacker.example" })).toBe(403);
  expect(await statusOf(metricsUrl, target)).toBe(404);
  expect(await statusOf(node.rpcUrl, target, upgrade)).toBe(404);
  expect(await statusOf(node.rpcUrl, "/health")).toBe(200);
});

test.each([
  ["/a/b?c=d", "/a/b"],
  ["//", "//"],
  ["//evil.example/health", "//evil.example/health"],
  ["http://node.example/health", "/health"],
  ["http://[", "/http://["],
  ["*", "/*"],
])("the path of %s is %s", (target, path) => {
  expect(targetOf({ url: target }).pathname).toBe(path);
});
