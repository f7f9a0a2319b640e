import type { DeploymentStatus } from "@dcx/protocol";
import { capacity, create, update, web, world } from "../testing/operations";

describe("a connection that is changed", () => {
  it("is done when its datacenter says so of the change, not of what was there before", async () => {
    const { network, Deployment, Workload, Connection } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    for (const name of ["a", "b"]) await create(Workload, "Workload", name, web(id));
    const of = (to: string) => ({ deployment: id, name: "public", to, port: 8080, from: { global: true } });
    const made = await create(Connection, "Connection", "public", of("a"));
    expect(made.state["address"]).toBe("http://sierra.test:80");

    // It answers once more as it stood before, as an agent does that has not yet come to the block of the change.
    const status = network.status.bind(network);
    const deployment = { tenant: "dcx1tenant", sequence: 1n };
    const [holder] = network.holders.values();
    if (holder === undefined) throw new Error("there is no datacenter");
    const before = await status(
      deployment,
      holder.address,
      { after: undefined, waitMilliseconds: 0 },
      new AbortController().signal,
    );
    const answers: DeploymentStatus[] = [];
    jest.spyOn(network, "status").mockImplementation(async (...request) => {
      const answer = answers.length === 0 ? before : await status(...request);
      answers.push(answer);
      return answer;
    });
    holder.url = "http://elsewhere.test:80";

    const changed = await update(Connection, "Connection", "public", made, { ...made.inputs, to: "b" });
    expect(answers[0]).toBe(before);
    expect(changed.state["address"]).toBe("http://elsewhere.test:80");
  });
});
