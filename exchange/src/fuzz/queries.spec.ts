import { type DescMethod, fromBinary } from "@bufbuild/protobuf";
import { SimulateRequest } from "cosmjs-types/cosmos/tx/v1beta1/service";
import type { RequestQuery } from "cosmjs-types/tendermint/abci/types";
import fc from "fast-check";
import { methods, pathOf } from "../gateway/definitions";
import { edgesOf } from "./testing/edges";
import { Judge } from "./testing/judge";
import { damage, decisions, mutate } from "./testing/mutations";
import { type Prepared, prepareChain } from "./testing/prepared-chain";
import { calls, defect } from "./testing/requests";
import { count, patience, report, runs } from "./testing/runs";
import { type Sample, samples } from "./testing/samples";
import { shapeOf } from "./testing/shapes";

jest.setTimeout(patience);

let prepared: Prepared;
let all: readonly Sample[];
let before: string;

beforeAll(async () => {
  prepared = prepareChain();
  all = await samples();
  before = prepared.chain.appHash;
});

afterAll(async () => {
  report("queries");
  await prepared.close();
});

afterEach(() => {
  expect(prepared.chain.appHash).toBe(before);
});

/** Asks, and expects an answer or a refusal that somebody has thought of. */
function ask(asked: Partial<RequestQuery> & Pick<RequestQuery, "path" | "data">) {
  count();
  const answer = prepared.chain.application.query({ height: 0n, prove: false, ...asked });
  if (defect.test(answer.log)) throw new Error(`${asked.path}: ${answer.log}`);
  return answer;
}

/** Whoever asks with texts that are none finds them in the answer again. */
function isUnicode(method: DescMethod, request: Uint8Array): boolean {
  try {
    fromBinary(method.input, request);
    return true;
  } catch {
    return false;
  }
}

test("any method's request is answered with its response, or refused", () => {
  const codes = new Set<number>();
  fc.assert(
    fc.property(calls, ({ method, path, request }) => {
      const { code, value } = ask({ path, data: request });
      codes.add(code);
      if (code === 0 && isUnicode(method, request)) fromBinary(method.output, value);
    }),
    runs(1_500),
  );
  expect(codes.size).toBeGreaterThan(3);
});

test("likewise one with an integer at an edge", () => {
  for (const method of methods)
    for (const { what, bytes } of edgesOf(new Uint8Array(), shapeOf(method.input.typeName)))
      try {
        const { code, value } = ask({ path: pathOf(method), data: bytes });
        if (code === 0) fromBinary(method.output, value);
      } catch (cause) {
        throw new Error(`${pathOf(method)}, ${what}`, { cause });
      }
});

test("any path, key and height are", () => {
  const path = fc.oneof(
    fc.constantFrom("/store/dcx/key", "/store/dcx/subspace", "", "/", "/app/simulate", "constructor", "__proto__"),
    fc.string({ unit: "binary", maxLength: 60 }),
  );
  const height = fc.constantFrom(0n, 1n, -1n, prepared.chain.height, 2n ** 63n - 1n, -(2n ** 63n));
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.nat(10_000).map((length) => new Uint8Array(length).fill(98)),
  );
  fc.assert(
    fc.property(path, data, height, fc.boolean(), (one, bytes, at, prove) => {
      ask({ path: one, data: bytes, height: at, prove });
    }),
    runs(400),
  );
});

test("a simulation is answered or refused, whatever is simulated", () => {
  const judge = new Judge(prepared.chain);
  let simulated = 0;
  fc.assert(
    fc.property(fc.nat(1_000), decisions, fc.boolean(), (which, named, whole) => {
      const sample = all[which % all.length];
      if (sample === undefined) throw new Error("there are no samples");
      const { typeUrl, value, signer } = sample;
      const changed = { typeUrl, value: mutate(value, shapeOf(typeUrl.slice(1)), named, []) };
      const signed = judge.sign(judge.parts([changed], signer), signer);
      const txBytes = whole ? signed : damage(signed, named, value);
      const data = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes })).finish();
      if (ask({ path: "/cosmos.tx.v1beta1.Service/Simulate", data }).code === 0) simulated += 1;
    }),
    runs(400),
  );
  expect(simulated).toBeGreaterThan(0);
});
