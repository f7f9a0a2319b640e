import { ModelNetwork } from "../../network/model/model-network";
import { ModelProvider } from "../../server/testing/model-provider";
import type { ValueMap } from "../../wire/value";

const inputs: ValueMap = {
  infrastructures: {
    west: { region: "us-west", resources: [{ cpu: 1, memory: "256Mi", disk: "1Gi", maxPrice: "20u/block" }] },
  },
  workloads: { web: { infrastructure: "west", container: "web:1", ports: [8080] } },
};
const changed = (image: string): ValueMap => ({
  ...inputs,
  workloads: { web: { infrastructure: "west", container: image, ports: [8080] } },
});

describe("an inline deployment that a stack imports from another", () => {
  let network: ModelNetwork;
  let lost: ModelProvider;
  let found: ModelProvider;
  const stamps = () => {
    const [deployment] = network.deployments.values();
    return network.holders.get("sierra")?.manifests.get(deployment?.version ?? "")?.stamps;
  };
  const incarnation = () => network.deployments.get("dcx1tenant/1")?.incarnation;

  beforeEach(async () => {
    network = new ModelNetwork();
    network.addDatacenter("sierra", "us-west");
    lost = await ModelProvider.start(network, "lost");
    found = await ModelProvider.start(network, "found");
  });
  afterEach(async () => {
    await lost[Symbol.asyncDispose]();
    await found[Symbol.asyncDispose]();
  });

  async function imported() {
    const old = await lost.create("Deployment", "shop", inputs);
    const kept = await found.import("Deployment", "shop", old.id);
    if (kept === undefined) {
      throw new Error("nothing was found");
    }
    return { old, kept };
  }

  it("is read as inline also where it has a single entry, with no difference, and changes nothing by that", async () => {
    const { old, kept } = await imported();
    const normal = await found.check("Deployment", "shop", inputs);
    expect(kept.inputs["workloads"]).toEqual(normal["workloads"]);
    expect(await found.diff("Deployment", "shop", kept, normal)).toEqual([]);
    const refreshed = await found.read("Deployment", "shop", kept);
    expect(refreshed).toEqual(kept);
    expect(network.transactions).toHaveLength(1);
    expect(await lost.diff("Deployment", "shop", old)).toEqual([]);
  });

  it("is taken over by the first update: on the chain by its incarnation, at its holders by its stamps", async () => {
    const { kept } = await imported();
    const before = stamps()?.["workloads/web"]?.owner;
    const next = await found.update(
      "Deployment",
      "shop",
      kept,
      await found.check("Deployment", "shop", changed("web:2")),
    );
    expect(next.reasons).toEqual([]);
    expect(network.transactions.map(({ kind }) => kind)).toEqual([
      "submit-deployment",
      "submit-deployment",
      "update-deployment",
    ]);
    expect(next.state["incarnation"]).toBe("2");
    expect(network.deployments.size).toBe(1);
    expect(stamps()?.["workloads/web"]?.owner).not.toBe(before);
    // From then on it is like any of its own: no further submission.
    await found.update("Deployment", "shop", next, await found.check("Deployment", "shop", changed("web:3")));
    expect(network.transactions.slice(3).map(({ kind }) => kind)).toEqual(["update-deployment"]);
    expect(incarnation()).toBe(2n);
  });

  it("is taken over by an update that changes nothing of what runs, too", async () => {
    const { kept } = await imported();
    const version = network.deployments.get("dcx1tenant/1")?.version;
    const before = stamps()?.["workloads/web"]?.owner;
    const then = await found.check("Deployment", "shop", { ...inputs, waitDuration: 7 });
    await found.update("Deployment", "shop", kept, then);
    expect(network.deployments.get("dcx1tenant/1")?.version).toBe(version);
    expect(stamps()?.["workloads/web"]?.owner).not.toBe(before);
  });

  it("says in its preview that it is going to be taken over, and sends nothing", async () => {
    const { kept } = await imported();
    const then = await found.check("Deployment", "shop", changed("web:2"));
    await found.update("Deployment", "shop", kept, then, { preview: true });
    expect(network.transactions).toHaveLength(1);
    expect(incarnation()).toBe(1n);
  });

  it("is changed no more by the stack that had it, which is told who took it over, by preview and update alike", async () => {
    const { old, kept } = await imported();
    await found.update("Deployment", "shop", kept, await found.check("Deployment", "shop", changed("web:2")));
    const seen = await lost.read("Deployment", "shop", old);
    expect(seen?.inputs["workloads"]).toMatchObject({ web: { container: "web:2" } });
    // It never follows: what this stack knows is the incarnation that was its own.
    expect(seen?.state["incarnation"]).toBe("1");
    const wanted = await lost.check("Deployment", "shop", changed("web:9"));
    const sent = network.transactions.length;
    for (const preview of [true, false]) {
      await expect(lost.update("Deployment", "shop", seen ?? old, wanted, { preview })).rejects.toThrow(
        /another stack has taken over deployment dcx-model\/dcx1tenant\/1.*incarnation 2.*transaction TX3 at block .*pulumi state delete/,
      );
    }
    expect(network.transactions).toHaveLength(sent);
  });

  it("is left running when the stack that had it deletes its resource, and ends with the one that has it", async () => {
    const { old, kept } = await imported();
    const next = await found.update(
      "Deployment",
      "shop",
      kept,
      await found.check("Deployment", "shop", changed("web:2")),
    );
    await lost.delete("Deployment", "shop", old);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(true);
    await found.delete("Deployment", "shop", next);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(false);
  });

  it("is neither ended nor forgotten by the stack that had it while no holder says whose it is", async () => {
    const { old, kept } = await imported();
    await found.update("Deployment", "shop", kept, await found.check("Deployment", "shop", changed("web:2")));
    for (const holder of network.holders.values()) {
      holder.up = false;
    }
    await expect(lost.delete("Deployment", "shop", old)).rejects.toThrow(/no datacenter says who/);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(true);
  });

  it("ends with either stack while neither has taken it from the other", async () => {
    const { kept } = await imported();
    await found.delete("Deployment", "shop", kept);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(false);
  });

  it("is not taken over where the other stack has changed it since the import: it has to be imported again", async () => {
    const { old, kept } = await imported();
    await lost.update("Deployment", "shop", old, await lost.check("Deployment", "shop", changed("web:2")));
    const wanted = await found.check("Deployment", "shop", changed("web:3"));
    await expect(found.update("Deployment", "shop", kept, wanted)).rejects.toThrow(
      /another stack declares .* has changed them since they were imported here/,
    );
    expect(incarnation()).toBe(1n);
    const again = await found.import("Deployment", "shop", old.id);
    if (again === undefined) {
      throw new Error("nothing was found");
    }
    expect((await found.update("Deployment", "shop", again, wanted)).reasons).toEqual([]);
  });

  it("is taken back by importing it again", async () => {
    const { old, kept } = await imported();
    await found.update("Deployment", "shop", kept, await found.check("Deployment", "shop", changed("web:2")));
    const back = await lost.import("Deployment", "shop", old.id);
    if (back === undefined) {
      throw new Error("nothing was found");
    }
    const next = await lost.update(
      "Deployment",
      "shop",
      back,
      await lost.check("Deployment", "shop", changed("web:3")),
    );
    expect(next.state["incarnation"]).toBe("3");
  });

  it("is not taken back by the program that made it first, though its create finds it; nor ended by that", async () => {
    const { kept } = await imported();
    const next = await found.update(
      "Deployment",
      "shop",
      kept,
      await found.check("Deployment", "shop", changed("web:2")),
    );
    await using again = await ModelProvider.start(network, "lost");
    const refused = await again.create("Deployment", "shop", inputs);
    expect(refused.id).toBe(kept.id);
    expect(refused.reasons.join()).toMatch(/another stack has taken over deployment/);
    await again.delete("Deployment", "shop", refused);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(true);
    // Whose it is notices nothing of that.
    await using later = await ModelProvider.start(network, "found");
    const seen = await later.read("Deployment", "shop", next);
    expect(seen).toEqual(next);
    await later.delete("Deployment", "shop", next);
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(false);
  });

  it("makes no other deployment where it ended just before it was taken over", async () => {
    const { kept } = await imported();
    network.beforeExecution = ({ kind }) => {
      network.beforeExecution = () => {};
      if (kind === "submit-deployment") {
        network.change({ tenant: "dcx1tenant", sequence: 1n }, (one) => ({ ...one, active: false }));
      }
    };
    const wanted = await found.check("Deployment", "shop", changed("web:2"));
    await expect(found.update("Deployment", "shop", kept, wanted)).rejects.toThrow(/version: must have 32 bytes/);
    expect(network.deployments.size).toBe(1);
  });
});
