import { headerHash } from "@dcx/protocol";
import { LightClient, type LightClientOptions } from "./light-client";
import { chainId, type KeyedValidator, makeBlock, makeValidator, sourceOf } from "./testing/signed-blocks";
import { type ShownBlock, verifyBlock } from "./verify";

const signal = new AbortController().signal;
const trust = { chainId, trustingPeriod: 3_600_000, clockDrift: 5_000 };
/** Block 1 is of second 1001. */
const now = 1_100_000;
const validators = Array.from({ length: 4 }, () => makeValidator());
const first = makeBlock(1n, validators, validators);

function client(blocks: readonly ShownBlock[], changes: Partial<LightClientOptions> = {}) {
  const source = sourceOf(new Map(blocks.map((block) => [block.header.height, block])));
  let stored: Uint8Array | undefined;
  const store = {
    read: () => stored,
    write: (block: Uint8Array) => {
      stored = block;
    },
  };
  const root = { height: 1n, hash: headerHash(first.header) };
  const options: LightClientOptions = { ...trust, root, source, store, now: () => now, ...changes };
  return { light: new LightClient(options), source, options };
}

/** Blocks 1 to `count`, where each block a validator leaves and another one comes. */
function rotating(count: number): ShownBlock[] {
  const pool: KeyedValidator[] = [...validators, ...Array.from({ length: count }, () => makeValidator())];
  return Array.from({ length: count }, (_, index) =>
    makeBlock(BigInt(index + 1), pool.slice(index, index + 4), pool.slice(index + 1, index + 5)),
  );
}

describe("a light client", () => {
  it("takes the block that is named, and skips to a later one of the same validators", async () => {
    const { light, source } = client([first, makeBlock(50n, validators, validators)]);
    expect((await light.header(50n, signal)).height).toBe(50n);
    expect(source.asked).toEqual([1n, 50n]);
  });

  it("goes by way of blocks between where too many validators have changed", async () => {
    const blocks = rotating(12);
    const [begin] = blocks;
    if (begin === undefined) throw new Error("no block");
    const root = { height: 1n, hash: headerHash(begin.header) };
    const { light, source } = client(blocks, { root });
    expect((await light.header(12n, signal)).height).toBe(12n);
    expect(source.asked.length).toBeLessThan(14);
    // What lies between is trusted too, and asked for no more than once.
    expect((await light.header(11n, signal)).height).toBe(11n);
  });

  it("refuses a first block that is not the one that is named", async () => {
    const { light } = client([makeBlock(1n, validators, validators, { appHash: Buffer.alloc(32, 9) })]);
    await expect(light.header(1n, signal)).rejects.toThrow(/not .* as chain.trust says/);
  });

  it("trusts the newest block where none is named, and remembers it", async () => {
    const { light, options } = client([first, makeBlock(2n, validators, validators)], { root: "first-use" });
    await light.header(2n, signal);
    const strangers = [makeValidator()];
    const forged = sourceOf(new Map([[3n, makeBlock(3n, strangers, strangers)]]));
    const again = new LightClient({ ...options, source: forged });
    await expect(again.header(3n, signal)).rejects.toThrow(/other validators/);
    const honest = sourceOf(new Map([[3n, makeBlock(3n, validators, validators)]]));
    expect((await new LightClient({ ...options, source: honest }).header(3n, signal)).height).toBe(3n);
  });

  it("shows no block before all that it trusts", async () => {
    const { light } = client([first, makeBlock(2n, validators, validators)], { root: "first-use" });
    await light.header(2n, signal);
    await expect(light.header(1n, signal)).rejects.toThrow(/before every block/);
  });

  it("goes on after a lie", async () => {
    const blocks = new Map([[1n, first]]);
    const source = sourceOf(blocks);
    const { light } = client([], { source });
    blocks.set(2n, makeBlock(2n, validators, validators, { signers: validators.slice(0, 2) }));
    await expect(light.header(2n, signal)).rejects.toThrow(/two thirds/);
    blocks.set(2n, makeBlock(2n, validators, validators));
    expect((await light.header(2n, signal)).height).toBe(2n);
  });
});

describe("a later block", () => {
  const trusted = { header: first.header, nextValidators: validators };
  const next = makeBlock(2n, validators, validators);
  const { commit, header } = next;
  const [signature, ...others] = commit.signatures;
  if (signature === undefined) throw new Error("no signature");
  const strangers = Array.from({ length: 4 }, () => makeValidator());
  const signatureChanged = Uint8Array.from(signature.signature, (byte, index) => (index === 0 ? byte ^ 1 : byte));

  it("follows with three of four signatures", () => {
    const shown = makeBlock(2n, validators, validators, { signers: validators.slice(1) });
    expect(verifyBlock(trusted, shown, trust, now)).toBe("verified");
  });

  it.each<[string, ShownBlock, RegExp]>([
    ["half of the signatures", makeBlock(2n, validators, validators, { signers: validators.slice(2) }), /two thirds/],
    ["a changed app hash", { ...next, header: { ...header, appHash: Buffer.alloc(32, 7) } }, /its commit names/],
    [
      "a changed signature",
      { ...next, commit: { ...commit, signatures: [{ ...signature, signature: signatureChanged }, ...others] } },
      /not valid/,
    ],
    [
      "another's signature",
      { ...next, commit: { ...commit, signatures: [others[0] ?? signature, ...others] } },
      /not valid/,
    ],
    ["the commit of another block", { ...next, commit: first.commit }, /the commit of 1/],
    ["another round in the commit", { ...next, commit: { ...commit, round: 0 } }, /not valid/],
    ["strangers as its validators", makeBlock(2n, strangers, strangers), /other validators/],
    [
      "validators of another power",
      { ...next, validators: validators.map((each) => ({ ...each, power: 99n })) },
      /not its own/,
    ],
    ["other next validators", { ...next, nextValidators: strangers }, /next validators/],
    ["fewer signatures than validators", { ...next, commit: { ...commit, signatures: others } }, /not one of its/],
    ["a time before the trusted one", makeBlock(2n, validators, validators, { seconds: 1_000n }), /not later/],
    ["a time in the future", makeBlock(2n, validators, validators, { seconds: 2_000n }), /future/],
    ["the same height", first, /not after/],
  ])("is refused with %s", (_what, shown, reason) => {
    expect(() => verifyBlock(trusted, shown, trust, now)).toThrow(reason);
  });

  it("is refused for another chain", () => {
    expect(() => verifyBlock(trusted, next, { ...trust, chainId: "dcx-other-1" }, now)).toThrow(/of chain dcx-light-1/);
  });

  it("is refused once the trusted one is too old", () => {
    const late = now + trust.trustingPeriod;
    const shown = makeBlock(2n, validators, validators, { seconds: BigInt(late / 1000) });
    expect(() => verifyBlock(trusted, shown, trust, late)).toThrow(/trusting period/);
  });

  it("that is far ahead needs more than a third of the validators that were trusted", () => {
    const mixed = (old: number) => [...validators.slice(0, old), ...strangers.slice(old)];
    const show = (old: number) => verifyBlock(trusted, makeBlock(9n, mixed(old), mixed(old)), trust, now);
    expect([show(0), show(1), show(2)]).toEqual(["too-far", "too-far", "verified"]);
  });

  it("that is far ahead counts each trusted validator once", () => {
    const [one] = validators;
    if (one === undefined) throw new Error("no validator");
    const doubled = [one, one, one, one];
    expect(verifyBlock(trusted, makeBlock(9n, doubled, doubled), trust, now)).toBe("too-far");
  });
});
