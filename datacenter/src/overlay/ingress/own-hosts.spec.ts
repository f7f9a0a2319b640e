import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DnsAnswer, judgeProof } from "./host-proof";
import { DnsServer } from "./testing/dns-server";
import { connection, domain, echo, IngressWorld, until } from "./testing/world";

jest.setTimeout(120_000);

const folder = mkdtempSync(join(tmpdir(), "dcx-hosts-"));
const shop = "shop.example.org";
const challenge = `_dcx-challenge.${shop}`;
const other = "dcx1other/7/connections/public";
let dns: DnsServer;
const worlds: IngressWorld[] = [];
beforeEach(async () => {
  dns = await DnsServer.start();
});
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
  await dns.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start({ recheck = 50, expiry = 3_600_000, home = mkdtempSync(join(folder, "home-")) } = {}) {
  const own = { resolvers: [dns.address], recheck, expiry };
  const world = await IngressWorld.start({ home, names: { own } });
  worlds.push(world);
  await world.serve("web-0", echo);
  await world.serve("web-1", (socket) => socket.end("theirs"));
  return world;
}

const served = (world: IngressWorld, of = connection, host = shop) => world.status(of).hosts?.[host]?.served === true;
const reason = (world: IngressWorld, of = connection, host = shop) => world.status(of).hosts?.[host]?.message ?? "";

describe("the proof of a host name", () => {
  const judge = (...records: string[]) => judgeProof(shop, connection, "test-1", { records });

  it.each(["dcx1tenant", "dcx1tenant/41", "test-1/dcx1tenant/41", " dcx1tenant "])("is the record %p", (record) => {
    expect(judge("something else", record)).toEqual({ proven: true });
  });

  it.each(["", "dcx1", "dcx1tenant2", "dcx1tenant/4", "dcx1tenant/411", "test-2/dcx1tenant/41", "test-1/dcx1tenant"])(
    "is not the record %p",
    (record) => {
      const verdict = judge(record);
      expect(verdict).toMatchObject({ proven: false, denied: true });
      expect(verdict).toMatchObject({ message: expect.stringContaining(`says ${JSON.stringify(record)}`) });
    },
  );

  it("says what to do where there is none, and nothing of ownership where the DNS does not answer", () => {
    expect(judge()).toEqual({
      proven: false,
      denied: true,
      message:
        'there is no TXT record at _dcx-challenge.shop.example.org: make one that says "dcx1tenant/41" for this deployment, ' +
        'or "dcx1tenant" for all of that tenant',
    });
    const failed: DnsAnswer = { failure: "ESERVFAIL" };
    expect(judgeProof(shop, connection, "test-1", failed)).toMatchObject({ proven: false, denied: false });
    expect(judge("x".repeat(4_000))).toMatchObject({ message: expect.not.stringContaining("x".repeat(101)) });
  });
});

describe("an own host name", () => {
  it("is served once the DNS names its tenant, by a certificate for it, and not before", async () => {
    const world = await start();
    world.apply({ hosts: [shop] });
    await until(() => reason(world).startsWith(`there is no TXT record at ${challenge}`));
    await expect(world.ask(shop)).rejects.toThrow();
    dns.records.set(challenge, ["somebody else"]);
    await until(() => reason(world).startsWith(`the TXT record at ${challenge} says "somebody else"`));
    dns.records.set(challenge, ["v=other", "dcx1tenant/41"]);
    await until(() => served(world));
    await expect(world.ask(shop, "by its own name")).resolves.toBe("by its own name");
    await expect(world.ask(world.url().hostname, "and by the other")).resolves.toBe("and by the other");
    await expect(world.ask(`www.${shop}`)).rejects.toThrow();
  });

  it("is one deployment's at a time: whoever has it keeps it, and the next gets it when that one goes", async () => {
    dns.records.set(challenge, ["dcx1tenant", "dcx1other"]);
    const world = await start();
    world.apply({ hosts: [shop] });
    await until(() => served(world));
    world.apply({ hosts: [shop] }, { connection: other, instances: ["web-1"], hosts: [shop] });
    await until(() => reason(world, other).includes("a deployment of another tenant"));
    expect(reason(world, other)).not.toContain("dcx1tenant");
    await expect(world.ask(shop, "mine")).resolves.toBe("mine");

    const open = world.connect(shop);
    open.write("x");
    await once(open, "data");
    const broken = once(open, "error");
    world.apply({ connection: other, instances: ["web-1"], hosts: [shop] });
    await expect(broken).resolves.toMatchObject([{ code: "ECONNRESET" }]);
    await until(() => served(world, other));
    const port = Number(world.url(other).port);
    await expect(world.ask(shop, "", { port })).resolves.toBe("theirs");
  });

  it("tells a tenant which other connection of theirs has it", async () => {
    dns.records.set(challenge, ["dcx1tenant"]);
    const world = await start();
    const second = "dcx1tenant/42/connections/public";
    world.apply({ hosts: [shop] });
    await until(() => served(world));
    world.apply({ hosts: [shop] }, { connection: second, hosts: [shop] });
    await until(() => reason(world, second) === `${connection} has it here: one connection at a time can`);
  });

  it("ends, with what is open, when the DNS names its tenant no more", async () => {
    dns.records.set(challenge, ["dcx1tenant/41"]);
    const world = await start();
    world.apply({ hosts: [shop] });
    await until(() => served(world));
    const open = world.connect(shop);
    open.write("x");
    await once(open, "data");
    const broken = once(open, "error");
    dns.records.set(challenge, ["dcx1other"]);
    await expect(broken).resolves.toMatchObject([{ code: "ECONNRESET" }]);
    expect(served(world)).toBe(false);
    await expect(world.ask(shop)).rejects.toThrow();
    expect(world.infos).toContain("a host name is no longer served");
    dns.records.set(challenge, ["dcx1tenant/41"]);
    await until(() => served(world));
  });

  it("goes on while the DNS does not answer, though not for ever", async () => {
    dns.records.set(challenge, ["dcx1tenant/41"]);
    const world = await start({ expiry: 2_000 });
    world.apply({ hosts: [shop] });
    await until(() => served(world));
    dns.records.set(challenge, "failing");
    const began = performance.now();
    const before = dns.asked.length;
    await until(() => dns.asked.length > before + 4);
    expect(served(world)).toBe(true);
    await until(() => !served(world));
    expect(performance.now() - began).toBeGreaterThan(1_500);
    expect(reason(world)).toMatch(/the DNS does not say what is at _dcx-challenge.shop.example.org: ESERVFAIL/);
  });

  it("goes on at once after a restart, also while the DNS does not answer", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    dns.records.set(challenge, ["dcx1tenant/41"]);
    const first = await start({ home });
    first.apply({ hosts: [shop] });
    await until(() => served(first));
    await first.close();
    worlds.splice(0);
    dns.records.set(challenge, "failing");
    const second = await start({ home });
    second.apply({ hosts: [shop] });
    expect(served(second)).toBe(true);
    await expect(second.ask(shop, "again")).resolves.toBe("again");
  });

  it("goes to nobody else after a restart, before the manifest of whoever had it was read", async () => {
    const home = mkdtempSync(join(folder, "home-"));
    dns.records.set(challenge, ["dcx1tenant", "dcx1other"]);
    const first = await start({ home });
    first.apply({ hosts: [shop] });
    await until(() => served(first));
    await first.close();
    worlds.splice(0);
    const second = await start({ home });
    second.apply({ connection: other, hosts: [shop] });
    const before = dns.asked.length;
    await until(() => dns.asked.length > before + 2);
    expect(served(second, other)).toBe(false);
    second.apply({ hosts: [shop] }, { connection: other, hosts: [shop] });
    expect(served(second)).toBe(true);
  });

  it("is cut when the manifest names it no more, and the connection's other names are not", async () => {
    dns.records.set(challenge, ["dcx1tenant"]);
    const world = await start();
    world.apply({ hosts: [shop] });
    await until(() => served(world));
    const [own, generated] = [world.connect(shop), world.connect(world.url().hostname)];
    for (const socket of [own, generated]) {
      socket.write("x");
      await once(socket, "data");
    }
    const broken = once(own, "error");
    world.apply({});
    await broken;
    expect(world.status().hosts).toBeUndefined();
    generated.write("y");
    await expect(once(generated, "data")).resolves.toEqual([Buffer.from("y")]);
    generated.destroy();
  });

  it("is none under the datacenter's own domain, and no more than a hundred", async () => {
    const world = await start();
    const many = Array.from({ length: 101 }, (_, n) => `n${n}.example.org`);
    for (const host of many) dns.records.set(`_dcx-challenge.${host}`, ["dcx1tenant"]);
    dns.records.set(`_dcx-challenge.x.${domain}`, ["dcx1tenant"]);
    world.apply({ hosts: [`x.${domain}`] }, { connection: other, hosts: [] });
    expect(reason(world, connection, `x.${domain}`)).toContain("this datacenter's own");
    world.apply({ hosts: many });
    await until(() => served(world, connection, "n99.example.org"));
    expect(reason(world, connection, "n100.example.org")).toBe("a connection has 100 host names of its own at most");
    expect(dns.asked).not.toContain(`_dcx-challenge.x.${domain}`);
  });
});
