import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  ExchangeQueryClient,
  LeaseState,
  messages,
  readKeyFile,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { root } from "../../support/root";
import { World } from "../../support/world";
import { type Bench, notMeasured, type Subject } from "../figure";
import { sampleOf } from "../measure";
import { until } from "../processes";

/** Blocks that the order waits for bids: what a program gets that does not say. */
const wait = 3;
const expected = wait + 1;
const scale = 10n ** 18n;

const subject: Subject = {
  name: "submit to active lease",
  unit: "blocks",
  against: `the wait duration (${wait} blocks) and one block`,
  // One block more is the aim, two are the gate.
  goal: { better: "lower", aim: (expected + 1) / expected, gate: (expected + 2) / expected },
};

/**
 * On the embedded network as `dcx network start` makes it, with its two datacenters: from the moment in which the
 * tenant's client is given the message until its owner sees the lease, in units of the block interval. Submissions
 * come at any point of a block.
 */
export const submitToLease: Bench = {
  names: () => [subject.name],
  async *run({ log, cleanups }) {
    log(subject.name);
    try {
      mkdirSync(join(root, ".cache", "images"), { recursive: true });
      const world = World.create({ environment: { DCX_NODE: process.execPath } });
      const close = cleanups.add(() => world.close());
      try {
        yield { ...subject, outcome: await measure(world) };
      } finally {
        await close();
      }
    } catch (error) {
      yield notMeasured(subject, error);
    }
  },
};

async function measure(world: World) {
  const { rpcUrl, datacenters } = await world.startNetwork();
  using query = await ExchangeQueryClient.connect(rpcUrl);
  await until("both datacenters are registered", 30_000, async () =>
    (await query.datacenters()).datacenters.length === datacenters.length ? true : undefined,
  );
  const signer = await signerFromPrivateKey(readKeyFile(world.paths.tenantKey).privateKey);
  const tenant = await SigningExchangeClient.connect(query, signer);
  const interval = Number((await query.parameters()).parameters?.blockInterval);
  const pairs: [number, number][] = [];
  for (let round = 0; round < 11; round++) {
    pairs.push([(await submitAndAwaitLease(query, tenant)) / interval, expected]);
    // The next one comes at another point of its block.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * interval));
  }
  // The first is slower by what is loaded then.
  return sampleOf(pairs.slice(1));
}

/** Milliseconds. The deployment is cancelled afterwards. */
async function submitAndAwaitLease(query: ExchangeQueryClient, tenant: SigningExchangeClient): Promise<number> {
  const ending = new AbortController();
  const active = firstActiveLease(query, tenant.address, ending.signal);
  const start = performance.now();
  const submitted = tenant.submit([
    messages.submitDeployment({
      tenant: tenant.address,
      infrastructures: [
        {
          name: "main",
          region: "us-east",
          resources: [
            {
              compute: { cpu: 100n, memory: 2n ** 27n, disk: 2n ** 28n },
              price: (1_000_000n * scale).toString(),
              count: 1,
            },
          ],
        },
      ],
      waitDuration: BigInt(wait),
      version: randomBytes(32),
      manifestEntries: 0,
      nonce: randomBytes(32),
      clientToken: randomBytes(32),
    }),
  ]);
  try {
    const [{ responses }, end] = await Promise.all([submitted, active]);
    const [response] = responses;
    if (response?.type !== "submitDeployment") {
      throw new Error("a submission answers with its deployment");
    }
    const { id, incarnation } = response.value;
    await tenant.submit([messages.cancelDeployment({ tenant: tenant.address, id, incarnation })]);
    return end - start;
  } finally {
    ending.abort();
  }
}

/** When the next lease of this tenant becomes active, in milliseconds of `performance.now()`. */
async function firstActiveLease(query: ExchangeQueryClient, tenant: string, signal: AbortSignal): Promise<number> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  for await (const block of query.blocks(patience)) {
    for (const event of block.events) {
      if (event.type === "lease" && event.value.lease?.tenant === tenant && event.value.state === LeaseState.ACTIVE) {
        return performance.now();
      }
    }
  }
  throw new Error("no datacenter took a lease within a minute");
}
