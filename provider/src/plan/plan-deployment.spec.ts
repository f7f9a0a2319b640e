import fc from "fast-check";
import { ModelNetwork } from "../network/model/model-network";
import type { Snapshot, Terms } from "../network/snapshot";
import { emptyManifest, sealManifest } from "./manifest";
import type { Desired } from "./plan";
import { planCreation, planDeletion, planUpdate } from "./plan-deployment";

const RATE = 10n ** 18n;
const signal = new AbortController().signal;
const key = { tenant: "dcx1tenant", sequence: 1n };

const terms: fc.Arbitrary<Terms> = fc.record({
  region: fc.constantFrom("", "us-west", "us-east"),
  attributes: fc.constant({}),
  allowedDatacenters: fc.constant([]),
  deniedDatacenters: fc.constantFrom<readonly string[]>([], ["sierra"]),
  persist: fc.boolean(),
  resources: fc.array(
    fc.record({
      cpu: fc.constantFrom(500n, 1000n),
      memory: fc.constantFrom(2n ** 28n, 2n ** 29n),
      disk: fc.constant(2n ** 30n),
      gpu: fc.constant(undefined),
      count: fc.integer({ min: 1, max: 3 }),
      price: fc.constantFrom(RATE, 2n * RATE, 5n * RATE),
      collateral: fc.constant(0n),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});
const desired: fc.Arbitrary<Desired> = fc.record({
  infrastructures: fc.dictionary(fc.constantFrom("west", "east", "gpu"), terms, { minKeys: 1 }),
  waitDuration: fc.constantFrom(1n, 3n),
  managers: fc.constant(undefined),
  manifest: fc.constant(undefined),
});

async function created(first: Desired): Promise<ModelNetwork> {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west");
  network.addDatacenter("tide", "us-east", 2n * RATE);
  const birth = { clientToken: "t", nonce: "n", emptyVersion: "00" };
  await run(network, planCreation(first, birth));
  return network;
}

async function run(network: ModelNetwork, { steps }: { readonly steps: ReturnType<typeof planCreation>["steps"] }) {
  for (const step of steps) {
    if (step.kind === "transaction") {
      await network.submit(step.transaction, signal);
    }
  }
}

async function active(network: ModelNetwork) {
  const snapshot: Snapshot = await network.snapshot(key);
  if (snapshot.deployment === undefined) {
    throw new Error("it was created");
  }
  return { ...snapshot, deployment: snapshot.deployment };
}

describe("the plan of a deployment", () => {
  it("reaches what is desired by one transaction at most, and then is empty", async () => {
    await fc.assert(
      fc.asyncProperty(desired, desired, fc.nat(6), async (first, then, blocks) => {
        const network = await created(first);
        for (let block = 0; block < blocks; block++) {
          network.passBlock();
        }
        expect(planUpdate(first, await active(network)).steps).toEqual([]);
        const plan = planUpdate(then, await active(network));
        expect(plan.steps.length).toBeLessThanOrEqual(1);
        await run(network, plan);
        const { deployment } = await active(network);
        expect(Object.keys(deployment.infrastructures).sort()).toEqual(Object.keys(then.infrastructures).sort());
        for (const [name, wanted] of Object.entries(then.infrastructures)) {
          expect(deployment.infrastructures[name]?.terms).toEqual(wanted);
        }
        expect(planUpdate(then, await active(network)).steps).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("says of each lease what becomes of it", async () => {
    await fc.assert(
      fc.asyncProperty(desired, desired, async (first, then) => {
        const network = await created(first);
        for (let block = 0; block < 5; block++) {
          network.passBlock();
        }
        const before = await active(network);
        const plan = planUpdate(then, before);
        await run(network, plan);
        const { deployment } = await active(network);
        for (const { infrastructure, outcome } of plan.consequences) {
          const old = before.deployment.infrastructures[infrastructure]?.lease;
          const now = deployment.infrastructures[infrastructure];
          if (outcome === "in-place" || outcome === "unchanged" || outcome === "replaces-lease") {
            // Make before break: also a lease that is replaced is there until its successor serves.
            expect(now?.lease).toEqual(old);
          }
          if (outcome === "in-place") {
            expect(now?.order).toBeUndefined();
          }
          if (outcome === "replaces-lease" || outcome === "opens" || outcome === "reopens-order") {
            expect(now?.order).toBeDefined();
          }
          if (outcome === "closes") {
            expect(now).toBeUndefined();
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("leaves alone what a manager declared", async () => {
    const [first] = fc.sample(desired, 1);
    if (first === undefined) {
      throw new Error("a sample has one");
    }
    const network = await created(first);
    network.change(key, (deployment) => {
      const [some] = Object.values(deployment.infrastructures);
      return some === undefined
        ? deployment
        : {
            ...deployment,
            infrastructures: { ...deployment.infrastructures, edge: { ...some, declaredBy: "dcx1manager" } },
          };
    });
    expect(planUpdate(first, await active(network)).steps).toEqual([]);
  });

  it("stages a new manifest with those who keep a lease, before the chain names it", async () => {
    const [wanted] = fc.sample(desired, 1);
    if (wanted === undefined) {
      throw new Error("a sample has one");
    }
    const cheap = Object.fromEntries(
      Object.entries(wanted.infrastructures).map(([name, one]) => [
        name,
        { ...one, region: "", resources: one.resources.map((group) => ({ ...group, price: 5n * RATE })) },
      ]),
    );
    const first = { ...wanted, infrastructures: cheap };
    const network = await created(first);
    for (let block = 0; block < 5; block++) {
      network.passBlock();
    }
    const envelope = sealManifest(emptyManifest("0".repeat(64)), {});
    const plan = planUpdate({ ...first, manifest: { envelope, placedOn: [], volumes: {} } }, await active(network));
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["stage", "transaction"]);
  });

  it("ends an active deployment once", async () => {
    const [first] = fc.sample(desired, 1);
    if (first === undefined) {
      throw new Error("a sample has one");
    }
    const network = await created(first);
    const { deployment } = await active(network);
    await run(network, planDeletion(deployment, deployment.incarnation));
    expect(planDeletion((await active(network)).deployment, 1n).steps).toEqual([]);
  });
});
