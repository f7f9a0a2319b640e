import { type ServiceError, status } from "@grpc/grpc-js";
import { ListRequest, type ListResponse } from "@pulumi/pulumi/proto/provider_pb";
import { NetworkError } from "../network/driver";
import { ModelNetwork } from "../network/model/model-network";
import { encode } from "../wire/codec";
import { Unknown, type ValueMap } from "../wire/value";
import { ModelProvider } from "./testing/model-provider";

const group = { cpu: 1, memory: "256Mi", disk: "1Gi", maxPrice: "20u/block" };
const capacity: ValueMap = { infrastructures: { west: { region: "us-west", resources: [{ ...group, count: 9 }] } } };

describe("List", () => {
  let network: ModelNetwork;
  let provider: ModelProvider;

  beforeEach(async () => {
    network = new ModelNetwork();
    network.addDatacenter("sierra", "us-west");
    provider = await ModelProvider.start(network);
  });
  afterEach(() => provider[Symbol.asyncDispose]());

  interface Asked {
    readonly query?: ValueMap;
    readonly limit?: number;
    readonly pageSize?: number;
    readonly continuation?: string;
  }

  function page(type: string, { query = {}, limit = 0, pageSize = 0, continuation = "" }: Asked = {}) {
    const request = new ListRequest();
    request.setToken(`dcx:index:${type}`);
    request.setQuery(encode(query));
    request.setLimit(limit);
    request.setPageSize(pageSize);
    request.setContinuationToken(continuation);
    return new Promise<{ found: [string, string][]; next: string; computed: boolean }>((resolve, reject) => {
      const got = { found: [] as [string, string][], next: "", computed: false };
      provider.client
        .list(request)
        .on("data", (response: ListResponse) => {
          const result = response.getResult();
          if (result !== undefined) {
            got.found.push([result.getId(), result.getName()]);
          }
          got.next = response.getContinuation()?.getContinuationToken() ?? got.next;
          got.computed ||= response.hasComputed();
        })
        .on("end", () => resolve(got))
        .on("error", reject);
    });
  }

  /** All pages, the same asked each time but for the continuation. */
  async function all(type: string, asked: Asked): Promise<readonly (readonly [string, string][])[]> {
    const pages: [string, string][][] = [];
    let continuation = "";
    do {
      const { found, next } = await page(type, { ...asked, continuation });
      pages.push(found);
      continuation = next;
    } while (continuation !== "");
    return pages;
  }

  const refused = (type: string, asked: Asked): Promise<ServiceError> =>
    page(type, asked).then(
      () => Promise.reject(new Error("it was listed")),
      (error: ServiceError) => error,
    );

  it("names the tenant's active deployments by ids that can be imported", async () => {
    expect((await page("Deployment")).found).toEqual([]);
    const made = await Promise.all(["a", "b", "c"].map((name) => provider.create("Deployment", name, capacity)));
    const [first] = made;
    if (first === undefined) {
      throw new Error("none was made");
    }
    await provider.delete("Deployment", "a", first);
    const { found, next } = await page("Deployment");
    expect(next).toBe("");
    const active = made.slice(1).map(({ id }) => id);
    expect(found.map(([id]) => id).sort()).toEqual([...active].sort());
    expect(await provider.import("Deployment", "x", active[0] ?? "")).toBeDefined();
    expect((await page("Deployment", { query: { tenant: "dcx1other" } })).found).toEqual([]);
  });

  it("names workloads and connections of a deployment", async () => {
    const { id } = await provider.create("Deployment", "shop", {
      ...capacity,
      workloads: {
        web: { infrastructure: "west", container: "a:1", ports: [1] },
        api: { infrastructure: "west", container: "a:1" },
      },
      connections: { public: { to: "web", port: 1, from: { global: true } } },
    });
    expect((await page("Workload", { query: { deployment: id } })).found).toEqual([
      [`${id}/workloads/api`, "api"],
      [`${id}/workloads/web`, "web"],
    ]);
    expect((await page("Connection", { query: { deployment: id } })).found).toEqual([
      [`${id}/connections/public`, "public"],
    ]);
  });

  it("goes page by page, to the limit and no further", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const workloads = Object.fromEntries(names.map((name) => [name, { infrastructure: "west", container: "a:1" }]));
    const { id } = await provider.create("Deployment", "shop", { ...capacity, workloads });
    const query = { deployment: id };
    const pages = async (asked: Asked): Promise<readonly string[]> =>
      (await all("Workload", { query, ...asked })).map((one) => one.map(([, name]) => name).join(""));
    expect(await pages({ pageSize: 2 })).toEqual(["ab", "cd", "e"]);
    expect(await pages({ pageSize: 5 })).toEqual(["abcde"]);
    expect(await pages({ pageSize: 2, limit: 3 })).toEqual(["ab", "c"]);
    expect(await pages({ limit: 4 })).toEqual(["abcd"]);
    expect(await pages({ limit: 9 })).toEqual(["abcde"]);
    // As `pulumi do` asks: with what is left of the limit.
    const first = await page("Workload", { query, pageSize: 2, limit: 3 });
    const { found, next } = await page("Workload", { query, pageSize: 2, limit: 1, continuation: first.next });
    expect(found.map(([, name]) => name)).toEqual(["c"]);
    expect(next).toBe("");
  });

  it("pages through deployments", async () => {
    for (const name of ["a", "b", "c"]) {
      await provider.create("Deployment", name, capacity);
    }
    expect((await all("Deployment", { pageSize: 2 })).map((one) => one.length)).toEqual([2, 1]);
  });

  it("can't tell yet where what is asked is not known", async () => {
    expect(await page("Workload", { query: { deployment: Unknown.instance } })).toEqual({
      found: [],
      next: "",
      computed: true,
    });
  });

  it("refuses what can't be listed, what is asked wrongly, and continuations of others", async () => {
    expect(await refused("Application", {})).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringMatching(/can't be listed; dcx:index:Deployment, /),
    });
    for (const [query, message] of [
      [{}, /deployment: must be the id of a deployment/],
      [{ deployment: "x/y" }, /x\/y/],
      [{ deployment: "other-chain/dcx1tenant/1" }, /other-chain/],
      [{ deployment: "dcx-model/dcx1tenant/1", name: "web" }, /name/],
    ] as const) {
      expect((await refused("Workload", { query })).details).toMatch(message);
    }
    expect((await refused("Deployment", { continuation: "bm90IGpzb24" })).code).toBe(status.INVALID_ARGUMENT);
  });

  it("never takes what can't be reached for nothing", async () => {
    const { id } = await provider.create("Deployment", "shop", {
      ...capacity,
      workloads: { web: { infrastructure: "west", container: "a:1" } },
    });
    await using fresh = await ModelProvider.start(network);
    const before = provider;
    provider = fresh;
    for (const holder of network.holders.values()) {
      holder.up = false;
    }
    expect((await refused("Workload", { query: { deployment: id } })).code).toBe(status.UNAVAILABLE);
    network.listDeployments = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    expect((await refused("Deployment", {})).code).toBe(status.UNAVAILABLE);
    // An embedded network that is stopped.
    network.identify = async () => undefined;
    network.parameters = async () => {
      throw new NetworkError("unreachable", "it does not answer");
    };
    expect((await refused("Deployment", {})).code).toBe(status.UNAVAILABLE);
    provider = before;
  });
});
