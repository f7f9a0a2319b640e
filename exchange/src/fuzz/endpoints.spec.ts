import { Client, credentials, status as GrpcStatus, Metadata, type ServiceError } from "@grpc/grpc-js";
import fc from "fast-check";
import pino from "pino";
import { methods as calledMethods, httpRulesOf } from "../gateway/definitions";
import { type ServedNode, startServedNode } from "../gateway/testing/served-node";
import { methods, parameterNames } from "../node/rpc/methods";
import { get, post, tell, write } from "./testing/knocking";
import { damage, decisions } from "./testing/mutations";
import { calls } from "./testing/requests";
import { count, patience, report, runs } from "./testing/runs";
import { shapeOf } from "./testing/shapes";

jest.setTimeout(patience);

/** A node with everything that it serves strangers; what it says of defects of its own is collected. */
let served: ServedNode;
let client: Client;
let appHash: string;
const defects: string[] = [];

const json = (text: string): unknown => JSON.parse(text);

async function appHashNow(): Promise<string> {
  const { body } = await post(served.node.rpcUrl, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "status" }));
  return /"latest_app_hash":"([0-9A-F]+)"/.exec(body)?.[1] ?? "none";
}

beforeAll(async () => {
  const logger = pino({ level: "error" }, { write: (line: string) => void defects.push(line) });
  served = await startServedNode({ rest: {}, grpc: {}, metrics: {} }, logger);
  client = new Client(served.node.clients.grpcAddress ?? "", credentials.createInsecure());
  appHash = await appHashNow();
});

afterEach(async () => {
  expect(defects.splice(0)).toEqual([]);
  expect(await appHashNow()).toBe(appHash);
});

afterAll(async () => {
  report("endpoints");
  client.close();
  await served.close();
});

const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    "",
    "0",
    "-1",
    "1e999",
    "999999999999999999999",
    "9223372036854775807",
    "0x",
    "0xzz",
    "\0",
    "\ud800",
    "tx.height=1",
    "tx.height>9999999999999999999999 AND tx.hash='00'",
    "message.sender='' AND a.b CONTAINS 'x'",
    `tm.event='Tx'${" AND tx.height>0".repeat(200)}`,
    "'".repeat(3_000),
    "/dcx.exchange.v1.Query/Totals",
    "/store/dcx/key",
    "/app/simulate",
    "ff".repeat(5_000),
    "A".repeat(5_000),
    0,
    -1,
    1.5,
    2 ** 53,
    1e308,
    true,
    null,
    [],
    {},
    { toString: 1 },
    JSON.parse('{"__proto__":{"a":1}}'),
  ),
  fc.string({ unit: "binary" }),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString("hex")),
  fc.jsonValue(),
);

const rpcNames = [...Object.keys(methods), "subscribe", "unsubscribe", "unsubscribe_all"];
const rpcCall = fc
  .record({
    method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...rpcNames) }, { weight: 1, arbitrary: fc.string() }),
    values: fc.array(hostile, { maxLength: 6 }),
    list: fc.boolean(),
    id: fc.oneof(fc.nat(), fc.string(), fc.constantFrom(null, undefined, {}, 1.5)),
    version: fc.constantFrom("2.0", "2.0", "2.0", "1.0", 2),
  })
  .map(({ method, values, list, id, version }) => {
    const names = Object.hasOwn(parameterNames, method) ? (parameterNames[method] ?? []) : ["a"];
    const named = Object.fromEntries(values.flatMap((value, index) => (index in names ? [[names[index], value]] : [])));
    return { jsonrpc: version, id, method, params: list ? values : named };
  });
const rpcBody = fc.oneof(
  { weight: 8, arbitrary: rpcCall.map((one) => JSON.stringify(one)) },
  { weight: 1, arbitrary: fc.array(rpcCall, { maxLength: 5 }).map((some) => JSON.stringify(some)) },
  { weight: 1, arbitrary: fc.tuple(rpcCall, decisions).map(([one, named]) => damaged(JSON.stringify(one), named)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20_000 }).map((depth) => "[".repeat(depth)) },
);

function damaged(text: string, named: readonly number[]): string {
  return Buffer.from(damage(Buffer.from(text), named, Buffer.from('{"a":[1,"\\ud800"]}'))).toString("latin1");
}

function expectRpcAnswer(text: string): void {
  const answer = json(text);
  for (const one of Array.isArray(answer) ? answer : [answer]) expect(one).toMatchObject({ jsonrpc: "2.0" });
}

test("JSON-RPC answers every body", async () => {
  await fc.assert(
    fc.asyncProperty(rpcBody, async (body) => {
      count();
      const { status, body: text } = await post(served.node.rpcUrl, body);
      expect(status).toBe(200);
      expectRpcAnswer(text);
    }),
    runs(500),
  );
});

test("JSON-RPC answers every message over a WebSocket, and text or not", async () => {
  const message = fc.oneof(
    { weight: 5, arbitrary: rpcBody as fc.Arbitrary<string | Uint8Array> },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
      count(messages.length);
      const answers = await tell(served.node.rpcUrl, messages);
      for (const answer of answers) expectRpcAnswer(answer);
      expect(answers.length).toBeGreaterThan(messages.length);
      expect(answers.some((answer) => answer.includes('"the last"'))).toBe(true);
    }),
    runs(80),
  );
});

const targetPart = fc.oneof(
  fc.constantFrom("", "..", "%", "%00", "%ED%A0%80", "%2f", "//", "0", "-1", "99999999999999999999", "x".repeat(4_000)),
  fc.string({ unit: "binary" }).map((text) => encodeURIComponent(Buffer.from(text).toString())),
  fc.string({ unit: fc.integer({ min: 33, max: 255 }).map((code) => String.fromCharCode(code)) }),
);
const rest = calledMethods.flatMap((method) =>
  httpRulesOf(method).map(({ verb, template }) => ({ verb, template, fields: shapeOf(method.input.typeName) })),
);
const restTarget = fc
  .record({
    rule: fc.constantFrom(...rest),
    parts: fc.array(targetPart, { minLength: 1, maxLength: 3 }),
    queries: fc.array(fc.tuple(fc.nat(), targetPart), { maxLength: 4 }),
  })
  .map(({ rule: { template, fields }, parts, queries }) => {
    let used = 0;
    const path = template.replace(/\{[^}]*\}/g, () => parts[used++ % parts.length] ?? "");
    const named = queries.map(([which, value]) => {
      const field = fields.length === 0 ? undefined : fields[which % fields.length];
      const inner = field?.within?.(new Uint8Array());
      const below = inner === undefined || inner.length === 0 ? "" : `.${inner[which % inner.length]?.name}`;
      return `${field?.name ?? "a.b.c"}${below}=${value}`;
    });
    return `${path}${named.length === 0 ? "" : `?${named.join("&")}`}`;
  });

/** Whatever the target: an answer that is HTTP, and no admission of a defect. Node refuses what is not even HTTP. */
function expectHttp(text: string, target: string): void {
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? "0");
  if (status === 0 || status >= 500) {
    if (/^HTTP\/1\.1 501/.test(text)) return;
    throw new Error(`${target}: ${text.slice(0, 300)}`);
  }
}

test("REST answers every target", async () => {
  await fc.assert(
    fc.asyncProperty(restTarget, async (target) => {
      count();
      expectHttp(await get(served.node.clients.restUrl ?? "", target), target);
    }),
    runs(600),
  );
});

test("REST answers every body of what is sent with POST", async () => {
  const paths = rest.filter(({ verb }) => verb === "POST").map(({ template }) => template);
  const tree = fc.oneof(
    fc.record({ tx_bytes: hostile, mode: hostile, tx: hostile }, { requiredKeys: [] }),
    fc.jsonValue(),
  );
  const body = fc.oneof(
    tree.map((one) => JSON.stringify(one)),
    fc.tuple(tree, decisions).map(([one, named]) => damaged(JSON.stringify(one), named)),
  );
  expect(paths.length).toBeGreaterThan(0);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), body, async (path, sent) => {
      count();
      const { status, body: text } = await post(served.node.clients.restUrl ?? "", sent, path);
      if (status >= 500 && status !== 501) throw new Error(`${path}: ${status} ${text}`);
      expect(json(text)).toBeInstanceOf(Object);
    }),
    runs(300),
  );
});

test("every port answers bytes that are no HTTP, or ends the connection", async () => {
  const { restUrl = "", metricsUrl = "", grpcAddress = "" } = served.node.clients;
  const start = fc.constantFrom(
    "",
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  );
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 500 }), async (head, bytes) => {
      for (const url of [served.node.rpcUrl, restUrl, metricsUrl, `http://${grpcAddress}`]) {
        count();
        await write(url, Buffer.concat([Buffer.from(head), bytes]));
      }
    }),
    runs(80),
  );
});

test("gRPC answers every request of every method", async () => {
  const defectCodes: readonly number[] = [GrpcStatus.INTERNAL, GrpcStatus.UNKNOWN, GrpcStatus.UNAVAILABLE];
  const height = fc.constantFrom(undefined, undefined, undefined, "0", "-1", "99999999999999999999", "x");
  await fc.assert(
    fc.asyncProperty(calls, height, async ({ method, path, request }, at) => {
      if (method.parent.name.startsWith("Msg") || method.parent.name.startsWith("ABCI")) return;
      count();
      const metadata = new Metadata();
      if (at !== undefined) metadata.set("x-cosmos-block-height", at);
      const code = await codeOf(path, request, metadata);
      if (code !== undefined && defectCodes.includes(code)) throw new Error(`${path}: status ${code}`);
    }),
    runs(600),
  );
});

/** Undefined: it is answered. */
function codeOf(path: string, request: Uint8Array, metadata: Metadata): Promise<number | undefined> {
  const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
  const options = { deadline: Date.now() + 20_000 };
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      asIs,
      (bytes) => bytes,
      request,
      metadata,
      options,
      (error: ServiceError | null) => {
        resolve(error?.code);
      },
    );
  });
}
