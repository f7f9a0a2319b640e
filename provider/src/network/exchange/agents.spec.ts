import { AgentClient, Datacenter, QueryDatacentersResponse, signerFromPrivateKey } from "@dcx/protocol";
import { Agents } from "./agents";

afterEach(() => jest.restoreAllMocks());

it("all that asks one agent goes by one client, however much begins at once", async () => {
  const used = new Set<AgentClient>();
  jest.spyOn(AgentClient.prototype, "quote").mockImplementation(function (this: AgentClient) {
    used.add(this);
    return Promise.resolve({ willBid: true, rate: "1" });
  });
  const record = Datacenter.fromPartial({ address: "dcx1sierra", agentUrls: ["https://127.0.0.1:1"] });
  const query = {
    chainId: "dcx-1",
    datacenters: async () => QueryDatacentersResponse.fromPartial({ datacenters: [record] }),
  };
  const agents = new Agents(query, await signerFromPrivateKey("01".repeat(32)), undefined);
  const order = { tenant: "dcx1tenant", sequence: 1n, infrastructure: "west", generation: 1 };
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 20 }, () => agents.quote(order, "dcx1sierra", signal)));
  expect(used.size).toBe(1);
  await agents.close();
});
