import { NetworkError } from "../../provider/src/network/driver";
import { activeDeployments, kinds, theDeployment } from "../../provider/src/testing/model-world";
import { capacity, deployment, inline, type Program, separate, workload } from "../../provider/src/testing/program";
import type { Value } from "../../provider/src/wire/value";
import { failureOf } from "../support/attached";
import { attached, one, small, unfinished } from "./engine";

// What the real engine has a part in. More of each: tests/predictions (3.1 to 3.3), tests/promises, tests/importing.spec.ts
// (3.8), tests/secrets.spec.ts (3.9), tests/soak.spec.ts (3.11, 3.12), tests/refusals.spec.ts (3.14, 3.15).

jest.setTimeout(300_000);

const base = { infrastructure: "west", container: "web:1", ports: [8080] };

test("pitfall 3.2: only another name or deployment replaces, and the preview says that it does", () =>
  attached(async ({ stack }) => {
    const program = separate(small);
    await stack.up(program);
    const changed: Program = {
      ...program,
      shop: deployment({ ...capacity(3), maxCostPerMonth: "100000" }),
      w1: workload("shop", { ...base, infrastructure: "east", container: "other:2", count: 2, arguments: ["x"] }),
      w2: workload("shop", { ...base, infrastructure: "east", name: "renamed" }),
    };
    const { steps } = await stack.preview(changed);
    const operations = (name: string) => steps.filter((step) => step.name === name).map(({ operation }) => operation);
    expect(operations("shop")).toEqual(["update"]);
    expect(operations("w1")).toEqual(["update"]);
    expect(operations("w2")).toContain("replace");
  }));

test("pitfall 3.3: the paths that changed are told, and which of them replaces", () =>
  attached(async ({ stack }) => {
    const level = (value: string): Program => ({
      ...separate(small),
      w2: workload("shop", { ...base, environment: { "LOG.LEVEL": value } }),
    });
    await stack.up(level("info"));
    const { steps } = await stack.preview({ ...level("debug"), w1: workload("shop", { ...base, name: "renamed" }) });
    expect(steps.find(({ name }) => name === "w2")).toMatchObject({
      operation: "update",
      diffs: ['environment["LOG.LEVEL"]'],
    });
    expect(steps.find(({ name, operation }) => name === "w1" && operation === "replace")).toMatchObject({
      diffs: ["name"],
    });
  }));

test("pitfall 3.4: no other spelling of the same values differs", () =>
  attached(async ({ stack }) => {
    const program = (memory: Value, cpu: Value, ports: Value, container: Value): Program => ({
      shop: deployment({
        infrastructures: {
          west: { region: "us-west", resources: [{ cpu, memory, disk: memory, maxPrice: "20u/block", count: 2 }] },
        },
        workloads: { w1: { infrastructure: "west", container, ports, environment: { B: true } } },
        connections: {},
      }),
    });
    await stack.up(program("64Mi", "100m", [8080, 9090], "web:1"));
    for (const spelled of [
      program(67108864, 0.1, [9090, 8080], { image: "web:1" }),
      program("0.0625Gi", "0.1", [8080, 9090, 8080], "web:1"),
    ]) {
      expect((await stack.preview(spelled)).steps).toEqual([]);
    }
  }));

test("pitfall 3.5: what can't be reached fails a refresh and a preview, and stays in the state", () =>
  attached(async ({ network, stack }) => {
    await stack.up(separate(small));
    const snapshot = network.snapshot.bind(network);
    network.snapshot = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    expect(await failureOf(stack.refresh())).toContain("no node answers");
    expect(await failureOf(stack.preview(separate(small)))).toContain("no node answers");
    expect((await stack.kept()).size).toBe(5);
    network.snapshot = snapshot;
    expect((await stack.preview(separate(small))).steps).toEqual([]);
  }));

test("pitfall 3.6: what is gone leaves the state by a refresh, and a destroy of it sends nothing", () =>
  attached(async ({ network, stack }) => {
    const gone = (): void =>
      void network.change(theDeployment(network), (now) => ({ ...now, active: false, infrastructures: {} }));
    await stack.up(separate(small));
    gone();
    await stack.refresh();
    expect((await stack.kept()).size).toBe(0);
    await stack.up(separate(small));
    gone();
    const sent = network.transactions.length;
    await stack.destroy();
    expect(network.transactions).toHaveLength(sent);
    expect((await stack.kept()).size).toBe(0);
  }));

test("pitfall 3.7: what somebody else changed is seen, and blocks that pass are no change", () =>
  attached(async ({ network, stack }) => {
    await stack.up(inline(small));
    const before = await stack.kept();
    for (let block = 0; block < 50; block++) {
      network.passBlock();
    }
    await stack.refresh();
    expect(await stack.kept()).toEqual(before);
    network.change(theDeployment(network), (now) => ({ ...now, waitDuration: now.waitDuration + 3n }));
    network.change(theDeployment(network), (now) => {
      const west = now.infrastructures["west"];
      const resources = west?.terms.resources.map((group) => ({ ...group, price: group.price * 2n })) ?? [];
      return west === undefined
        ? now
        : {
            ...now,
            infrastructures: { ...now.infrastructures, west: { ...west, terms: { ...west.terms, resources } } },
          };
    });
    const { steps } = await stack.preview(inline(small));
    expect(steps.flatMap(({ operation, diffs }) => (operation === "update" ? diffs : []))).toContain(
      "infrastructures.west.resources[0].maxPrice",
    );
  }));

test("pitfall 3.10: a wait ends at its time and says what is missing; it may be left out; a preview says why it resumes", () =>
  attached(
    async ({ stack }) => {
      const impatient = one({}, {}, { timeout: 2 });
      expect(await failureOf(stack.up(impatient))).toMatch(
        /no lease for infrastructure "east" after 2s[\s\S]*none of 0 datacenters has bid/,
      );
      expect((await stack.preview(impatient)).diagnostics).toMatch(/no transaction; waits until all of it is done/);
      await stack.up(one({}, { skipAwait: true }));
      expect(await unfinished(stack)).toEqual({ pending: 0, failed: [] });
    },
    { datacenters: false },
  ));

test("pitfall 3.11: ^C while it waits: what is made is kept, and the next up goes on from there", () =>
  attached(
    async ({ network, stack }) => {
      const waits = network.waitForHeight.bind(network);
      network.waitForHeight = (height, signal) => {
        network.waitForHeight = waits;
        stack.interruptEngine();
        return waits(height, signal);
      };
      expect(await failureOf(stack.up(inline(small)))).toMatch(/cancelled; `pulumi up` goes on from here/);
      expect((await stack.kept()).get("shop")).toMatchObject({ id: "dcx-model/dcx1tenant/1" });
      network.addDatacenter("sierra", "us-west");
      network.addDatacenter("tide", "us-east");
      await stack.up(inline(small));
      expect(kinds(network)).toEqual(["submit-deployment"]);
      expect(await unfinished(stack)).toEqual({ pending: 0, failed: [] });
    },
    { datacenters: false },
  ));

test("pitfall 3.12: whatever fails after the transaction, the state has its id, and a destroy ends what is paid for", () =>
  attached(
    async ({ network, stack }) => {
      const { snapshot, status, submit } = network;
      network.submit = async (...args) => {
        const result = await submit.apply(network, args);
        network.snapshot = network.status = async () => {
          throw new NetworkError("unreachable", "no node answers");
        };
        return result;
      };
      expect(await failureOf(stack.up(inline(small)))).toContain("no node answers");
      expect((await stack.kept()).get("shop")).toMatchObject({ id: "dcx-model/dcx1tenant/1" });
      Object.assign(network, { snapshot, status, submit });
      await stack.destroy();
      expect(activeDeployments(network)).toEqual([]);
    },
    { timeout: 2 },
  ));

test("pitfall 3.13: the delete of what was replaced leaves its successor alone", () =>
  attached(async ({ network, stack }) => {
    await stack.up(separate(small));
    const urns = (await stack.stack.state()).filter(({ urn }) => /::(shop|w1)$/.test(urn)).map(({ urn }) => urn);
    await stack.stack.up({ replace: urns });
    expect(theDeployment(network).manifestEntries).toBe(4);
    expect((await stack.preview(separate(small))).steps).toEqual([]);
  }));

test("pitfall 3.14: an error names what it is about, and what to do", () =>
  attached(async ({ stack }) => {
    await stack.up(separate(small));
    const elsewhere = workload("shop", { infrastructure: "north", container: "web:1" });
    expect(await failureOf(stack.up({ ...separate(small), elsewhere }))).toMatch(
      /no infrastructure "north"; it has east, west/,
    );
  }));

test("pitfall 3.15: without a bid each retry goes on with the same deployment, and a destroy ends it", () =>
  attached(
    async ({ network, stack }) => {
      for (let attempt = 0; attempt < 3; attempt++) {
        expect(await failureOf(stack.up(inline(small)))).toMatch(/no lease for infrastructure/);
      }
      expect(kinds(network)).toEqual(["submit-deployment"]);
      await stack.destroy();
      expect(activeDeployments(network)).toEqual([]);
    },
    { timeout: 1, datacenters: false },
  ));
