import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:tls";
import { DnsServer } from "./support/dns-server";
import { inline, separate } from "./support/programs";
import type { Program } from "./support/stack";
import { eventually, World } from "./support/world";

jest.setTimeout(300_000);

/** Global connections by host names, as a person uses them: programs, a browser's TLS, a name server. */
describe("host names of global connections", () => {
  let dns: DnsServer;
  let world: World;
  beforeAll(async () => {
    dns = await DnsServer.start();
    world = World.create({
      environment: { DCX_INGRESS_DOMAIN: "dcx.test", DCX_INGRESS_RESOLVER: dns.address },
    });
  });
  afterAll(async () => {
    await world.close();
    await dns.close();
  });

  /** PEM of the roots that the chain has of the datacenters: what a client of theirs trusts. */
  async function roots(): Promise<string[]> {
    const { datacenters } = await (await world.client()).datacenters({});
    return datacenters.flatMap((each) =>
      each.roots.map(({ certificate }) => new X509Certificate(certificate).toString()),
    );
  }

  /** What answers at a host name here: no name server knows it. */
  async function ask(url: string, servername = new URL(url).hostname): Promise<Record<string, unknown>> {
    const ca = await roots();
    return new Promise((resolve, reject) => {
      const { port } = new URL(url);
      request({ host: "127.0.0.1", port, servername, ca, headers: { host: servername }, agent: false }, (response) => {
        let text = "";
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () => resolve(JSON.parse(text)));
      })
        .on("error", reject)
        .end();
    });
  }

  it("an inline deployment's address is https, stays the same, and its own name is served once it is proven", async () => {
    const host = "shop.example.org";
    const program = (hosts: readonly string[]): Program => {
      const { resources, outputs } = inline();
      const text = JSON.stringify(resources).replace(
        '"from":{"global":true}',
        JSON.stringify({ from: { global: true, hosts } }).slice(1, -1),
      );
      return { resources: JSON.parse(text), ...(outputs === undefined ? {} : { outputs }) };
    };
    const stack = await world.stack("inline", program([]));
    await stack.up();
    const { url, deployment } = await stack.outputs();
    expect(url).toMatch(/^https:\/\/public-[0-9a-v]{20}\.sierra\.dcx\.test:\d+$/);
    expect(await ask(String(url))).toMatchObject({ region: "us-west" });
    await expect(ask(String(url), "other.sierra.dcx.test")).rejects.toThrow();
    expect((await stack.preview()).steps).toEqual([]);

    stack.write(program([host]));
    const { diagnostics } = await stack.up();
    // The datacenter may be asking still when `up` ends: it waits for no DNS.
    expect(diagnostics).toMatch(
      /shop\.example\.org is not served: (there is no|the DNS is being asked for a) TXT record at _dcx-challenge\.shop/,
    );
    expect((await stack.outputs())["url"]).toBe(url);
    await expect(ask(String(url), host)).rejects.toThrow();
    const id = String(deployment).split("/").slice(1).join("/");
    expect(await world.dcx("status", id)).toMatch(/shop\.example\.org: not served: there is no TXT record/);

    // The output itself is what the record may say.
    dns.records.set(`_dcx-challenge.${host}`, [String(deployment)]);
    await eventually(
      "its own name is served",
      120_000,
      async () => (await ask(String(url), host))["region"] === "us-west",
    );
    expect(await world.dcx("status", id)).toMatch(/shop\.example\.org: served/);
    expect((await stack.preview()).steps).toEqual([]);
    expect((await stack.refresh()).steps).toEqual([]);

    // What is open ends with its connection.
    const { port } = new URL(String(url));
    const open = connect({ host: "127.0.0.1", port: Number(port), servername: host, ca: await roots() });
    await once(open, "secureConnect");
    const broken = once(open, "error");
    await stack.destroy();
    await expect(broken).resolves.toMatchObject([{ code: "ECONNRESET" }]);
    await expect(ask(String(url))).rejects.toThrow();
  });

  it("a Connection's address is https, and reaches a workload that a second replica stands beside", async () => {
    const stack = await world.stack("separate", separate({ webCount: 2 }));
    await stack.up();
    const { url } = await stack.outputs();
    expect(url).toMatch(/^https:\/\/public-[0-9a-v]{20}\.sierra\.dcx\.test:\d+$/);
    // A Workload is done when its instances have started; they get streams when they are ready.
    await eventually("both replicas answer", 120_000, async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => ask(String(url))));
      return new Set(answers.map(({ instance }) => instance)).size === 2;
    });
    expect((await stack.preview()).steps).toEqual([]);
    expect((await stack.refresh()).steps).toEqual([]);
    await stack.destroy();
  });
});
