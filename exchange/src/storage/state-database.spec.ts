import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ics23, verifyExistence, verifyNonExistence } from "@confio/ics23";
import { CommitmentProof } from "cosmjs-types/cosmos/ics23/v1/proofs";
import fc from "fast-check";
import { keyBytes } from "./keys";
import { sha256 } from "./sha256";
import { StateDatabase } from "./state-database";

const spec: ics23.IProofSpec = {
  leafSpec: {
    prefix: Uint8Array.of(0),
    hash: ics23.HashOp.SHA256,
    prehashKey: ics23.HashOp.SHA256,
    prehashValue: ics23.HashOp.SHA256,
    length: ics23.LengthOp.NO_PREFIX,
  },
  innerSpec: {
    childOrder: [0, 1],
    minPrefixLength: 1,
    maxPrefixLength: 1,
    childSize: 32,
    hash: ics23.HashOp.SHA256,
  },
};
// The verifier at hand compares keys as they are; the tree orders them by hash. So it is given the hashes as keys.
const hashedSpec: ics23.IProofSpec = {
  ...spec,
  leafSpec: {
    prefix: Uint8Array.of(0),
    hash: ics23.HashOp.SHA256,
    prehashKey: ics23.HashOp.NO_HASH,
    prehashValue: ics23.HashOp.SHA256,
    length: ics23.LengthOp.NO_PREFIX,
  },
};

const homes: string[] = [];
const databases: StateDatabase[] = [];

function openDatabase(home = mkdtempSync(join(tmpdir(), "dcx-state-"))): StateDatabase {
  homes.push(home);
  const database = new StateDatabase({ path: home, cachedPages: 8, cachedValues: 8 });
  databases.push(database);
  return database;
}

afterEach(async () => {
  for (const database of databases.splice(0)) await database.close();
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

test("nothing is under a key that is empty or longer than any can be, and a range may begin or end at one", () => {
  const database = openDatabase();
  const keys = ["a", "b", `b${"b".repeat(1_977)}`, "c"];
  database.commit(
    database.prepare(
      1n,
      keys.map((key) => [key, Uint8Array.of(1)]),
    ),
  );
  expect(database.get("")).toBeUndefined();
  expect([...database.range("", "b")].map(([key]) => key)).toEqual(["a"]);
  for (const length of [1_979, 3_000, 5_000, 100_000]) {
    const long = "b".repeat(length);
    const found = (start: string, end: string, reverse: boolean) =>
      [...database.range(start, end, { reverse })].map(([key]) => keys.indexOf(key));
    expect(database.get(long)).toBeUndefined();
    expect(found(long, "z", false)).toEqual([3]);
    expect(found("a", long, false)).toEqual([0, 1, 2]);
    expect(found(long, "z", true)).toEqual([3]);
    expect(found("a", long, true)).toEqual([2, 1, 0]);
    expect(database.prove(long).nonexist).toBeDefined();
  }
});

type Changes = [key: string, value: Uint8Array | undefined][];
const changes = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 60 }).map((n) => `key/${n}`),
    fc.option(fc.uint8Array({ minLength: 1, maxLength: 6 }), { nil: undefined }),
  ),
  { maxLength: 40 },
);

function commit(database: StateDatabase, height: bigint, batch: Changes): Uint8Array {
  const prepared = database.prepare(height, new Map(batch));
  database.commit(prepared);
  return prepared.appHash;
}

/** A proof as the verifier's own library reads it off the wire. */
function decoded(database: StateDatabase, key: string): ics23.CommitmentProof {
  return ics23.CommitmentProof.decode(CommitmentProof.encode(database.prove(key)).finish());
}

describe("the committed state", () => {
  test("has an app hash that depends on what it holds, not on how it came about", () => {
    fc.assert(
      fc.property(fc.array(changes, { minLength: 1, maxLength: 5 }), (batches) => {
        const stepwise = openDatabase();
        const model = new Map<string, Uint8Array>();
        let height = 0n;
        for (const batch of batches) {
          height += 1n;
          commit(stepwise, height, batch);
          for (const [key, value] of new Map(batch)) {
            if (value === undefined) model.delete(key);
            else model.set(key, value);
          }
        }
        const atOnce = openDatabase();
        commit(atOnce, 1n, [...model].reverse());
        expect(stepwise.last?.appHash).toEqual(atOnce.last?.appHash);
        expect(stepwise.root()).toEqual(stepwise.last?.appHash);
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect([...stepwise.range("key/", "key0")].map(([key, value]) => [key, [...value]])).toEqual(
          sorted.map(([key, value]) => [key, [...value]]),
        );
        expect([...stepwise.range("key/", "key0", { reverse: true, limit: 3 })].map(([key]) => key)).toEqual(
          sorted
            .map(([key]) => key)
            .reverse()
            .slice(0, 3),
        );
      }),
      { numRuns: 40 },
    );
  });

  test("proves every entry, and the absence of what it does not hold", () => {
    const database = openDatabase();
    const entries: Changes = Array.from({ length: 300 }, (_, n) => [`entry ${n}`, Buffer.from(`value ${n}`)]);
    const root = commit(database, 1n, entries);
    for (const [key, value] of entries) {
      const proof = decoded(database, key).exist;
      if (!proof) throw new Error(`no proof that ${key} exists`);
      verifyExistence(proof, spec, root, keyBytes(key), value ?? new Uint8Array());
    }
    for (let n = 300; n < 500; n++) {
      const proof = decoded(database, `entry ${n}`).nonexist;
      if (!proof) throw new Error(`no proof that entry ${n} does not exist`);
      for (const side of [proof.left, proof.right]) {
        if (!side?.key || !side.leaf) continue;
        side.key = sha256(side.key);
        side.leaf.prehashKey = ics23.HashOp.NO_HASH;
      }
      verifyNonExistence(proof, hashedSpec, root, sha256(keyBytes(`entry ${n}`)));
    }
  });

  test("is not what a block in progress has prepared, and is there again after it was closed", async () => {
    const home = mkdtempSync(join(tmpdir(), "dcx-state-"));
    const database = openDatabase(home);
    commit(database, 1n, [["a", Buffer.from("1")]]);
    const before = database.last?.appHash;
    const prepared = database.prepare(2n, [
      ["a", Buffer.from("2")],
      ["b", Buffer.from("3")],
    ]);
    expect(database.get("a")).toEqual(Buffer.from("1"));
    expect(database.get("b")).toBeUndefined();
    expect(database.root()).toEqual(before);
    database.commit(prepared);
    expect(database.get("b")).toEqual(Buffer.from("3"));
    await database.close();
    databases.splice(databases.indexOf(database), 1);
    const again = openDatabase(home);
    expect(again.last).toEqual({ height: 2n, appHash: prepared.appHash });
    expect(again.root()).toEqual(prepared.appHash);
    expect(again.get("a")).toEqual(Buffer.from("2"));
  });
});
