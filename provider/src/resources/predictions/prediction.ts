import { ModelNetwork } from "../../network/model/model-network";
import type { ActualDeployment } from "../../network/snapshot";
import { type Kept, ModelEngine } from "../../server/model/engine";
import { appendKey } from "../../wire/path";
import { Secret, Unknown, type Value, type ValueMap } from "../../wire/value";
import { isList, isMap, withoutMarks } from "../inputs/shape";

/** A network on which everything that `properties.ts` generates can be had, and an engine in front of it. */
export async function world(): Promise<{ readonly network: ModelNetwork; readonly engine: ModelEngine }> {
  const network = new ModelNetwork();
  const gold = { tier: "gold" };
  network.addDatacenter("sierra", "us-west", 10n ** 18n, gold);
  network.addDatacenter("sable", "us-west", 2n * 10n ** 18n, gold);
  network.addDatacenter("tide", "us-east", 10n ** 18n, gold);
  network.addDatacenter("tern", "us-east", 2n * 10n ** 18n, gold);
  // By its size, as on an exchange.
  network.feeOf = (transaction) =>
    1000n +
    BigInt(JSON.stringify(transaction, (_key, value) => (typeof value === "bigint" ? `${value}` : value)).length);
  return { network, engine: await ModelEngine.start(network) };
}

/** What became of a deployment between two looks at it. */
export interface Become {
  readonly transactions: readonly string[];
  readonly ordersOpened: number;
  readonly leasesMoved: number;
  readonly leasesClosed: number;
}

/** What a change costs, in micro-units. */
export interface Costs {
  /** Of each transaction. */
  readonly fees: readonly number[];
  /** A block, once it is done: at most, where it is foretold. Absent: nothing is said of it, for no lease is touched. */
  readonly perBlock: number | undefined;
}

const WORDS = {
  "submit-deployment": "SubmitDeployment",
  "update-deployment": "UpdateDeployment",
  "cancel-deployment": "CancelDeployment",
} as const;

/** What a preview says that will become of a deployment, by its words. */
export function foretold(said: string): Become {
  const number = (pattern: RegExp): number => Number(pattern.exec(said)?.[1] ?? 0);
  const listed = /\d+ transactions?: (.*?)(?:; \d| {4})/.exec(said)?.[1] ?? "";
  const shared = /^(UpdateDeployment), in one transaction with/m.exec(said)?.[1];
  const transactions = [...listed.matchAll(/[A-Z][a-z]+Deployment/g)].map(([name]) => name);
  return {
    transactions: shared === undefined ? transactions : [shared],
    ordersOpened: number(/(\d+) orders? opens?/),
    leasesMoved: number(/(\d+) leases? moves?/),
    leasesClosed: number(/(\d+) leases? closes?/),
  };
}

/** What a preview says that a change will cost. */
export function foretoldCosts(said: string): Costs {
  const [, block] = /cost [^\n]*?([\d.]+)u a block\)/.exec(said) ?? [];
  return {
    fees: [...said.matchAll(/fee about ([\d.]+)/g)].map(([, tokens]) => Math.round(Number(tokens) * 1e6)),
    perBlock: / → nothing/.test(said) ? 0 : block === undefined ? undefined : Number(block),
  };
}

/** What it has cost since so many transactions were sent. */
export function costsSince(network: ModelNetwork, sent: number, after: ActualDeployment): Costs {
  return { fees: network.fees.slice(sent).map(Number), perBlock: costPerBlock(after) };
}

/** What its leases cost now, in micro-units. */
export function costPerBlock({ infrastructures }: ActualDeployment): number {
  const rates = Object.values(infrastructures).map(({ lease }) => lease?.rate ?? 0n);
  return Number(rates.reduce((sum, rate) => sum + rate, 0n)) / 1e18;
}

/** Fails where a change costs something else than a preview says, but for a digit more or less of a number. */
export function expectForetoldCosts(preview: Costs, came: Costs): void {
  expect(preview.fees).toHaveLength(came.fees.length);
  for (const [index, fee] of preview.fees.entries()) {
    expect(Math.abs(fee - (came.fees[index] ?? 0))).toBeLessThanOrEqual(2);
  }
  if (preview.perBlock !== undefined) {
    expect(came.perBlock).toBeLessThanOrEqual(preview.perBlock);
  }
}

export function transactionsSince(network: ModelNetwork, sent: number): readonly string[] {
  return network.transactions.slice(sent).map(({ kind }) => WORDS[kind]);
}

/** What has become of a deployment since `before`, by what the network keeps, and what was sent meanwhile. */
export function become(transactions: readonly string[], before: ActualDeployment, after: ActualDeployment): Become {
  const names = Object.keys(before.infrastructures);
  const generation = (deployment: ActualDeployment, name: string): number | undefined =>
    deployment.infrastructures[name]?.lease?.generation;
  const had = names.filter((name) => generation(before, name) !== undefined);
  return {
    transactions,
    ordersOpened: Object.keys(after.infrastructures)
      .map((name) => opened(generation(before, name), generation(after, name)))
      .reduce((sum, one) => sum + one, 0),
    leasesMoved: had.filter(
      (name) => generation(after, name) !== undefined && generation(after, name) !== generation(before, name),
    ).length,
    leasesClosed: had.filter((name) => after.infrastructures[name] === undefined).length,
  };
}

/** Orders of an infrastructure between two generations. One that comes back goes on counting where it stopped. */
function opened(before: number | undefined, after: number | undefined): number {
  if (after === undefined) return 0;
  return before === undefined ? 1 : after - before;
}

/** Paths at which two normal inputs differ, found without the provider's own comparison. */
export function pathsThatDiffer(before: Value | undefined, after: Value | undefined, path = ""): readonly string[] {
  const [a, b] = [
    before === undefined ? undefined : withoutMarks(before),
    after === undefined ? undefined : withoutMarks(after),
  ];
  if (isMap(a) && isMap(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => pathsThatDiffer(a[key], b[key], appendKey(path, key)));
  }
  if (isList(a) && isList(b)) {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, index) => index).flatMap((index) =>
      pathsThatDiffer(a[index], b[index], appendKey(path, index)),
    );
  }
  return a === b ? [] : [path];
}

/** Fails where a preview knew something else than what came. What it left out was unknown. */
export function expectForetold(preview: Value | undefined, came: Value | undefined, path = ""): void {
  if (preview instanceof Unknown || (path === "__nonce" && preview === undefined)) {
    return;
  }
  const [a, b] = [reveal(preview), reveal(came)];
  if (isMap(a) && isMap(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      expectForetold(a[key], b[key], appendKey(path, key));
    }
    return;
  }
  if (isList(a) && isList(b)) {
    expect([path, a.length]).toEqual([path, b.length]);
    for (const [index, entry] of a.entries()) {
      expectForetold(entry, b[index], appendKey(path, index));
    }
    return;
  }
  expect([path, a]).toEqual([path, b]);
}

function reveal(value: Value | undefined): Value | undefined {
  return value instanceof Secret ? value.reveal() : value;
}

export function deploymentOf(network: ModelNetwork, kept: Kept): ActualDeployment {
  const [, tenant = "", sequence = ""] = (
    kept.type === "Deployment" ? kept.id : String(kept.inputs["deployment"])
  ).split("/");
  const found = network.deployments.get(`${tenant}/${sequence}`);
  if (found === undefined) {
    throw new Error(`there is no deployment ${kept.id}`);
  }
  return found;
}

/** What only the program knows: no import can bring it back. */
const LOCAL = ["maxCostPerMonth", "skipAwait", "waitFor"];

export function withoutLocal(inputs: ValueMap): ValueMap {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !LOCAL.includes(name)));
}
