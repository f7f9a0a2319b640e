import { capacity, checked, context, create, inlineInputs, update, web, world } from "./testing/operations";

describe("own host names that are not served", () => {
  const line = "warning: public: shop.example.org is not served: there is no TXT record";
  const from = { global: true, hosts: ["shop.example.org"] };

  it("are told, and keep no inline deployment from being done", async () => {
    const { Deployment } = world();
    const inputs = await checked(Deployment, "Deployment", "shop", {
      ...inlineInputs,
      connections: { public: { to: "web", port: 8080, from } },
    });
    const seen = context("Deployment", "shop");
    const { id, state } = await Deployment.create({ inputs, preview: false, timeout: 0 }, seen);
    expect(seen.lines).toContain(line);
    const without = await checked(Deployment, "Deployment", "shop", inlineInputs);
    const foretold = await update(Deployment, "Deployment", "shop", { id, inputs, state }, without, true);
    expect(foretold.state["addresses"]).toEqual({ public: "http://sierra.test:80" });
  });

  it("are told, and added to a connection whose address stays known in previews", async () => {
    const { Deployment, Workload, Connection } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    await create(Workload, "Workload", "web", web(id));
    const declared = { deployment: id, to: "web", port: 8080 };
    const made = await create(Connection, "Connection", "public", { ...declared, from: { global: true } });
    const then = await checked(Connection, "Connection", "public", { ...declared, from });
    const foretold = await update(Connection, "Connection", "public", made, then, true);
    expect(foretold.state["address"]).toBe("http://sierra.test:80");
    const seen = context("Connection", "public");
    const updated = await update(Connection, "Connection", "public", made, then, false, seen);
    expect(updated.state["address"]).toBe("http://sierra.test:80");
    expect(seen.lines).toContain(line);
  });
});
