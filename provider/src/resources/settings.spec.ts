import { ModelNetwork } from "../network/model/model-network";
import type { ValueMap } from "../wire/value";
import { resourcesOn } from "./index";
import type { CallContext, Resource } from "./resource";
import type { SessionSettings } from "./session";

const base = { namespace: "", timeout: 10, skipAwait: false };
const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", maxPrice: "0.10/h" };
const inputs: ValueMap = { infrastructures: { west: { region: "us-west", resources: [group] } } };

function deployments(settings: Partial<SessionSettings>, network = new ModelNetwork()): Resource {
  network.addDatacenter("sierra", "us-west");
  const found = resourcesOn(network, { ...base, ...settings }).resources.get("dcx:index:Deployment");
  if (found === undefined) throw new Error("no Deployment");
  return found;
}

function context(name: string): CallContext & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    urn: `urn:pulumi:dev::shop::dcx:index:Deployment::${name}`,
    signal: new AbortController().signal,
    status: () => {},
    log: (severity, line) => void lines.push(`${severity}: ${line}`),
    lines,
  };
}

const check = (resource: Resource, name: string, given = inputs) =>
  resource.check({ inputs: given, oldInputs: undefined, name }, context(name));

describe("dcx:maxCostPerMonth", () => {
  // 0.10 an hour is 72 in 30 days.
  it("refuses what all deployments together would pass it with, naming each", async () => {
    const Deployment = deployments({ maxCostPerMonth: 100_000_000n });
    expect((await check(Deployment, "shop")).failures).toEqual([]);
    const [failure] = (await check(Deployment, "blog")).failures;
    expect(failure?.property).toBe("");
    expect(failure?.reason).toMatch(/dcx:maxCostPerMonth is 100, .* up to 144 a month .*\(shop 72, blog 72\)/);
  });

  it("counts each deployment once, as it was declared last", async () => {
    const Deployment = deployments({ maxCostPerMonth: 100_000_000n });
    for (let again = 0; again < 3; again++) expect((await check(Deployment, "shop")).failures).toEqual([]);
  });

  it("refuses none at the limit itself, and none without one", async () => {
    expect((await check(deployments({ maxCostPerMonth: 72_000_000n }), "shop")).failures).toEqual([]);
    expect((await check(deployments({ maxCostPerMonth: 71_999_999n }), "shop")).failures).toHaveLength(1);
    expect((await check(deployments({}), "shop")).failures).toEqual([]);
  });
});

describe("dcx:minimumIsolation", () => {
  it("is part of what infrastructures ask for, once and for all", async () => {
    const Deployment = deployments({ minimumIsolation: "container" });
    const first = await check(Deployment, "shop");
    expect(first.inputs["infrastructures"]).toMatchObject({ west: { attributes: { isolation: "container" } } });
    expect((await check(Deployment, "shop", first.inputs)).inputs).toEqual(first.inputs);
  });
});

describe("a deployment of another tenant", () => {
  /** The same network, as another account. */
  class Other extends ModelNetwork {
    override async identify() {
      return { network: "exchange", chain: this.chain, tenant: "dcx1other" };
    }
  }

  const world = async (managers: readonly string[]) => {
    const network = new Other();
    const Deployment = deployments({}, network);
    const made = { ...inputs, managers: managers.map((address) => ({ address })) };
    const checked = (await check(Deployment, "shop", made)).inputs;
    const { id, state } = await Deployment.create({ inputs: checked, preview: false, timeout: 0 }, context("shop"));
    const request = { id, inputs: checked, oldInputs: checked, oldState: state, ignoreChanges: [] };
    return { Deployment, request };
  };

  it("is replaced, with a warning that says whose it is; it can't be deleted by another", async () => {
    const { Deployment, request } = await world([]);
    const heard = context("shop");
    expect((await Deployment.diff(request, heard)).detailed).toEqual({
      deploymentId: { kind: "update-replace", inputDiff: false },
    });
    expect(heard.lines.join()).toMatch(/warning: .* is dcx1tenant's, and the configured account is dcx1other/);
    await expect(Deployment.delete({ ...request, timeout: 0 }, context("shop"))).rejects.toThrow(
      /configure the signer of dcx1tenant/,
    );
  });

  it("is not replaced for one of its managers", async () => {
    const { Deployment, request } = await world(["dcx1other"]);
    expect((await Deployment.diff(request, context("shop"))).detailed).toEqual({});
  });
});
