import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { ModelNetwork } from "../../network/model/model-network";
import type { Kept, ModelEngine } from "../../server/model/engine";
import type { Value, ValueMap } from "../../wire/value";
import { connectionRules } from "../entries/connection";
import { workloadRules } from "../entries/workload";
import { deploymentFields, infrastructureFields, resourceGroupFields } from "../inputs/deployment-shapes";
import { connectionFields, workloadFields } from "../inputs/manifest-shapes";
import { withoutMarks } from "../inputs/shape";
import {
  become,
  costsSince,
  deploymentOf,
  expectForetold,
  expectForetoldCosts,
  foretold,
  foretoldCosts,
  pathsThatDiffer,
  transactionsSince,
  withoutLocal,
  world,
} from "./prediction";
import {
  connectionValues,
  deploymentValues,
  group,
  groupValues,
  infrastructureValues,
  present,
  requiredGroupValues,
  requiredWorkloadValues,
  someValueOf,
  type Values,
  workloadValues,
} from "./properties";

jest.setTimeout(120_000);

/** Issue 4: "for every property of every resource: a generated change, a preview, an update, an import". */
const runs = { numRuns: Number(process.env["DCX_PROPERTY_RUNS"] ?? 3) };

let network: ModelNetwork;
let engine: ModelEngine;
beforeEach(async () => {
  ({ network, engine } = await world());
});
afterEach(() => engine.close());

/** Inputs before and after a change of one property. */
interface Change {
  readonly before: ValueMap;
  readonly after: ValueMap;
}

/** Two different ones of these values. */
function different<T>(values: fc.Arbitrary<T>): fc.Arbitrary<{ readonly was: T; readonly is: T }> {
  return fc.record({ was: values, is: values }).filter(({ was, is }) => !isDeepStrictEqual(was, is));
}

const names = { next: 0 };
const fresh = (): string => `shop${names.next++}`;

/** Of a Deployment that has been created: what is predicted of a change comes, and nothing is left to change after it. */
async function predicted(kept: Kept, written: ValueMap): Promise<Kept> {
  const inputs = await engine.check(kept.type, kept.name, written, kept.inputs);
  const paths = pathsThatDiffer(kept.inputs, inputs).filter((path) => path !== "skipAwait");
  const difference = await engine.diff(kept, inputs);
  expect(Object.keys(difference.detailed).sort()).toEqual([...paths].sort());
  expect(difference.replaces).toEqual([]);
  expect(difference.changes).toBe(paths.length > 0);
  if (!difference.changes) {
    return { ...kept, inputs };
  }
  engine.said();
  const preview = await engine.previewUpdate(kept, inputs);
  const said = engine.said();
  const before = { sent: network.transactions.length, deployment: deploymentOf(network, kept) };
  const updated = await engine.update(kept, inputs);
  const after = deploymentOf(network, updated);
  expect(foretold(said)).toEqual(become(transactionsSince(network, before.sent), before.deployment, after));
  expectForetoldCosts(foretoldCosts(said), costsSince(network, before.sent, after));
  expectForetold(preview, updated.state);
  await settled(updated);
  return updated;
}

/** Diff is empty, a read gives the same, and an import gives inputs that mean the same and are in their normal form. */
async function settled(kept: Kept): Promise<void> {
  expect((await engine.diff(kept, kept.inputs)).detailed).toEqual({});
  const read = await engine.read(kept);
  expect(withoutMarks(read?.inputs ?? {})).toEqual(withoutMarks(kept.inputs));
  expect(withoutMarks(read?.state ?? {})).toEqual(withoutMarks(kept.state));
  const imported = await engine.import(kept.type, kept.name, kept.id);
  expect(imported).toBeDefined();
  if (imported !== undefined) {
    expect(withoutMarks(await engine.check(kept.type, kept.name, imported.inputs))).toEqual(
      withoutMarks(imported.inputs),
    );
    expect((await engine.diff(imported, withoutLocal(kept.inputs))).detailed).toEqual({});
  }
}

async function changed({ before, after }: Change): Promise<void> {
  const name = fresh();
  const kept = await make("Deployment", name, before);
  await settled(kept);
  await engine.delete(await predicted(kept, after));
}

/** Creates it, which does what its preview says. */
async function make(type: string, name: string, written: ValueMap): Promise<Kept> {
  const inputs = await engine.check(type, name, written);
  engine.said();
  const preview = await engine.previewCreate(type, name, inputs);
  const said = engine.said();
  const sent = network.transactions.length;
  const kept = await engine.create(type, name, inputs);
  expect(foretold(said).transactions).toEqual(transactionsSince(network, sent));
  expectForetoldCosts(foretoldCosts(said), costsSince(network, sent, deploymentOf(network, kept)));
  expectForetold(preview, kept.state);
  return kept;
}

const fixedGroup: ValueMap = {
  cpu: "4",
  memory: "4Gi",
  disk: "20Gi",
  gpu: { count: 4, vendor: "nvidia", model: "h100" },
  count: 6,
  maxPrice: "25u/block",
};
const place = (region: string): ValueMap => ({ region, resources: [fixedGroup, fixedGroup] });
const places: ValueMap = { west: place("us-west"), east: place("us-east") };
const web: ValueMap = { infrastructure: "west", container: "ghcr.io/acme/web:1.4", ports: [8080, 9000] };
const others: ValueMap = {
  api: { infrastructure: "east", container: "ghcr.io/acme/api:1.0", ports: [8080, 9000] },
  other: { infrastructure: "east", container: "ghcr.io/acme/other:1.0" },
};

/** Two values of one property, and a map around them. */
function changeOf(
  values: Values,
  property: string,
  required: readonly string[],
  around: (value: Readonly<Record<string, Value | undefined>>) => ValueMap,
): fc.Arbitrary<Change> {
  const value = someValueOf(values, property, required);
  return different(value).map(({ was, is }) => ({
    before: around({ [property]: was }),
    after: around({ [property]: is }),
  }));
}

test("something generates every property", () => {
  expect(Object.keys(groupValues).sort()).toEqual(Object.keys(resourceGroupFields).sort());
  expect(Object.keys(infrastructureValues).sort()).toEqual(Object.keys(infrastructureFields).sort());
  expect(Object.keys(workloadValues).sort()).toEqual(Object.keys(workloadFields).sort());
  expect(Object.keys(connectionValues).sort()).toEqual(Object.keys(connectionFields).sort());
  const special = ["connections", "infrastructures", "workloads"];
  expect([...Object.keys(deploymentValues), ...special].sort()).toEqual(Object.keys(deploymentFields).sort());
  const entry = ["deployment", "name", "skipAwait"];
  expect(Object.keys(workloadRules.fields).sort()).toEqual(
    [...entry, "waitFor", ...Object.keys(workloadValues)].sort(),
  );
  expect(Object.keys(connectionRules.fields).sort()).toEqual([...entry, ...Object.keys(connectionValues)].sort());
});

describe("a Deployment does what its preview says", () => {
  // Managers that a program leaves out stay as they are: that is no change, and no value to change to.
  test.each(Object.keys(deploymentValues))("%s", async (property) => {
    const around = (value: Readonly<Record<string, Value | undefined>>): ValueMap =>
      present({ infrastructures: { west: place("us-west") }, ...value });
    await fc.assert(fc.asyncProperty(changeOf(deploymentValues, property, ["managers"], around), changed), runs);
  });

  test("infrastructures", async () => {
    const some = fc
      .dictionary(
        fc.constantFrom("west", "east", "us-more"),
        fc.record({
          region: fc.constantFrom("us-west", "us-east"),
          resources: fc.array(group, { minLength: 1, maxLength: 2 }),
        }),
        { minKeys: 1 },
      )
      .map((infrastructures): ValueMap => ({ infrastructures: infrastructures as ValueMap }));
    const both = different(some).map(({ was, is }) => ({ before: was, after: is }));
    await fc.assert(fc.asyncProperty(both, changed), runs);
  });

  test.each(Object.keys(infrastructureValues))("infrastructures.west.%s", async (property) => {
    const around = (value: Readonly<Record<string, Value | undefined>>): ValueMap => ({
      infrastructures: { ...places, west: present({ ...place("us-west"), ...value }) },
      workloads: { ...others, web },
      connections: { public: { to: "web", port: 8080, from: { global: true } } },
    });
    await fc.assert(fc.asyncProperty(changeOf(infrastructureValues, property, ["resources"], around), changed), runs);
  });

  test.each(Object.keys(groupValues))("infrastructures.west.resources[0].%s", async (property) => {
    const around = (value: Readonly<Record<string, Value | undefined>>): ValueMap => ({
      infrastructures: { west: { region: "us-west", resources: [present({ ...fixedGroup, ...value }), fixedGroup] } },
      workloads: { web },
    });
    await fc.assert(fc.asyncProperty(changeOf(groupValues, property, requiredGroupValues, around), changed), runs);
  });

  test.each(Object.keys(workloadValues))("workloads.web.%s", async (property) => {
    const around = (value: Readonly<Record<string, Value | undefined>>): ValueMap => ({
      infrastructures: places,
      workloads: { ...others, web: present({ ...web, ...value }) },
    });
    await fc.assert(
      fc.asyncProperty(changeOf(workloadValues, property, requiredWorkloadValues, around), changed),
      runs,
    );
  });

  test.each(Object.keys(connectionValues))("connections.open.%s", async (property) => {
    const around = (value: Readonly<Record<string, Value | undefined>>): ValueMap => ({
      infrastructures: places,
      workloads: { ...others, web },
      connections: { open: present({ to: "web", port: 8080, from: { global: true }, ...value }) },
    });
    const all = Object.keys(connectionValues);
    await fc.assert(fc.asyncProperty(changeOf(connectionValues, property, all, around), changed), runs);
  });

  test("workloads and connections that come and go", async () => {
    const entries = fc.record({
      workloads: fc.constantFrom<ValueMap>({ ...others, web }, { api: others["api"] ?? "" }, others),
      connections: fc.constantFrom<ValueMap | undefined>(undefined, {
        open: { to: "api", port: 8080, from: { global: true } },
      }),
    });
    const around = (value: { workloads: ValueMap; connections: ValueMap | undefined }): ValueMap =>
      present({ infrastructures: places, ...value });
    const both = different(entries).map(({ was, is }) => ({ before: around(was), after: around(is) }));
    await fc.assert(fc.asyncProperty(both, changed), runs);
  });
});

test("a Deployment that is there already is taken over, and the preview of its creation says so", async () => {
  const west = { infrastructures: { west: place("us-west") } };
  const lost = await make("Deployment", "lost", west);
  const found = await make("Deployment", "lost", { infrastructures: { west: place("us-east") } });
  expect(found.id).toBe(lost.id);
  await settled(found);
});

describe("a Workload and a Connection do what their previews say", () => {
  async function deployed(): Promise<string> {
    const name = fresh();
    const { id } = await make("Deployment", name, { infrastructures: places });
    for (const [entry, workload] of Object.entries({ ...others, web })) {
      await make("Workload", entry, { deployment: id, ...(workload as ValueMap) });
    }
    return id;
  }

  const entryChange = (values: Values, property: string, required: readonly string[]) =>
    different(someValueOf(values, property, required));

  test.each([...Object.keys(workloadValues), "waitFor", "skipAwait"])("Workload.%s", async (property) => {
    const values: Values = {
      ...workloadValues,
      waitFor: fc.constantFrom("started", "ready"),
      skipAwait: fc.constant(false),
    };
    const deployment = await deployed();
    await fc.assert(
      fc.asyncProperty(entryChange(values, property, requiredWorkloadValues), async ({ was, is }) => {
        const name = fresh();
        const inputs = (value: Value | undefined): ValueMap => present({ deployment, ...web, [property]: value });
        const kept = await make("Workload", name, inputs(was));
        await settled(kept);
        await engine.delete(await predicted(kept, inputs(is)));
      }),
      runs,
    );
  });

  test.each([...Object.keys(connectionValues), "skipAwait"])("Connection.%s", async (property) => {
    const values: Values = { ...connectionValues, skipAwait: fc.constant(false) };
    const deployment = await deployed();
    await fc.assert(
      fc.asyncProperty(entryChange(values, property, Object.keys(connectionValues)), async ({ was, is }) => {
        const name = fresh();
        const base = { deployment, to: "web", port: 8080, from: { global: true } };
        const inputs = (value: Value | undefined): ValueMap => present({ ...base, [property]: value });
        const kept = await make("Connection", name, inputs(was));
        await settled(kept);
        await engine.delete(await predicted(kept, inputs(is)));
      }),
      runs,
    );
  });

  test("a port of a health check that is the default anyway is no change", async () => {
    const deployment = await deployed();
    const kept = await make("Workload", "asked", { deployment, ...web, healthCheck: { tcp: true, port: 8080 } });
    expect((await engine.diff(kept, kept.inputs)).detailed).toEqual({});
    expect((await engine.read(kept))?.inputs).toEqual(kept.inputs);
    const without = await engine.check("Workload", "asked", { deployment, ...web, healthCheck: { tcp: true } });
    expect((await engine.diff(kept, without)).detailed).toEqual({});
  });

  test.each(["Workload", "Connection"])(
    "of a %s the name and the deployment: replaced, the old one first",
    async (type) => {
      const [first, second] = [await deployed(), await deployed()];
      const rest: ValueMap = type === "Workload" ? web : { to: "web", port: 8080, from: { global: true } };
      const kept = await make(type, "one", { ...rest, deployment: first, name: "one" });
      for (const change of [{ name: "two" }, { deployment: second }]) {
        const inputs = await engine.check(type, "one", { ...kept.inputs, ...change });
        expect(await engine.diff(kept, inputs)).toMatchObject({
          changes: true,
          detailed: { [Object.keys(change)[0] ?? ""]: "UPDATE_REPLACE" },
          replaces: Object.keys(change),
          deleteBeforeReplace: true,
        });
      }
      await engine.delete(kept);
      const made = await make(type, "one", { ...kept.inputs, deployment: second, name: "two" });
      await settled(made);
      expect(made.id).toBe(`${second}/${type.toLowerCase()}s/two`);
    },
  );
});
