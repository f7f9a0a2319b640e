import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultGenesis } from "@dcx/exchange";
import { ExchangeQueryClient, Genesis, type Manifest, signerFromPrivateKey } from "@dcx/protocol";
import { z } from "zod";
import { dcxCommand, eventually } from "../support/world";
import { missingForNamespaces, Namespace, Relays } from "./namespaces";
import { type Found, greeter, prober, type Way } from "./probes";
import { agentPort, Site, servicePort, tunnelPort, within } from "./site";
import { deploy, execute, type Running } from "./tenant";

const { buildImages } = require("../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(600_000);

const missing = missingForNamespaces(["ip", "nsenter", "iptables", "curl", "dockerd", "podman", "runc"]);
if (missing !== undefined) process.stderr.write(`two-datacenters.spec.ts is skipped: ${missing}\n`);

const keys = { tenant: "1a".repeat(32), other: "1b".repeat(32), west: "1c".repeat(32), east: "1d".repeat(32) };
const node = "/usr/local/bin/node";
const image = "dcx.example/two-tier-api:1.0";
const chainPort = 26_657;
const [metadata, outward] = ["169.254.169.254", "203.0.113.9"];

const workload = (infrastructure: string, name: string, ...ports: readonly number[]) => ({
  infrastructure,
  container: { image },
  command: [node, "-e", greeter(name, ports)],
  ports: [...ports],
  healthCheck: { tcp: true as const, interval: 200 },
});

const manifest: Manifest = {
  schema: 1,
  salt: "71".repeat(32),
  workloads: {
    web: workload("west", "web", 8080),
    api: workload("west", "api", 9000),
    evil: workload("west", "evil", 7000),
    db: workload("east", "db", 5432, 5433),
    cache: workload("east", "cache", 6379),
  },
  connections: {
    "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
    "web-to-db": { to: "db", port: 5432, from: { workload: "web" } },
    "db-to-cache": { to: "cache", port: 6379, from: { workload: "db" } },
  },
};
const others: Manifest = {
  schema: 1,
  salt: "72".repeat(32),
  workloads: { tenant: workload("west", "the other tenant", 9100) },
  connections: {},
};

/** Where containers would be in the local networks of their hosts, if they were in any. */
const lasts = { web: 11, api: 12, evil: 13, db: 14, cache: 15, tenant: 16 };
type Name = keyof typeof lasts;

/** Two machines, each with an engine and an agent, and a wide network with the exchange and what stands for the internet. */
(missing === undefined ? describe : describe.skip)("two datacenters on two machines", () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-two-"));
  const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  let west: Site;
  let east: Site;
  let own: Running;
  let foreign: Running;
  const pids = new Map<Name, number>();

  const siteOf = (name: Name): Site => (name === "db" || name === "cache" ? east : west);
  const addressOf = (name: Name): string => siteOf(name).inside(lasts[name]);

  beforeAll(async () => {
    const { layout } = await buildImages(join(folder, "images"));
    const wide = Namespace.create(`dcx-wide-${process.pid}`);
    closing.push(() => wide.close());
    wide.ip("link add wide type bridge");
    wide.ip("address add 10.77.0.1/24 dev wide");
    wide.ip("link set wide up");
    wide.forwardPackets();
    for (const address of [metadata, outward]) wide.ip(`address add ${address}/32 dev lo`);
    await wide.start(process.execPath, "-e", greeter("the internet", [53, 80, 443]));
    const relays = await Relays.start(wide);
    closing.push(() => relays.close());

    const signers = await Promise.all(Object.values(keys).map((key) => signerFromPrivateKey(key)));
    const addresses = signers.map(({ address }) => address);
    const accounts = addresses.map((address) => ({ address, balance: 1_000_000_000n }));
    const parameters = { blockInterval: 200n, reconfirmationPeriod: 500n };
    const genesis = defaultGenesis({ chainId: "dcx-two-1", accounts, parameters });
    writeFileSync(join(folder, "genesis.json"), JSON.stringify(Genesis.toJSON(genesis)));
    const where = ["--home", join(folder, "node"), "--genesis", join(folder, "genesis.json")];
    const listen = ["--host", "10.77.0.1", "--port", String(chainPort), "--allowed-host", "10.77.0.1"];
    await wide.start(dcxCommand, "node", "start", ...where, ...listen);
    const query = await ExchangeQueryClient.connect(`http://127.0.0.1:${await relays.to("10.77.0.1", chainPort)}`);
    closing.push(() => query.close());

    west = await Site.open({ name: "west", engine: "docker", number: 2, wide, folder });
    closing.push(() => west.close());
    east = await Site.open({ name: "east", engine: "podman", number: 3, wide, folder });
    closing.push(() => east.close());
    const urls = new Map<string, string>();
    for (const [site, key] of [
      [west, keys.west],
      [east, keys.east],
    ] as const) {
      const datacenter = await site.startAgent(`http://10.77.0.1:${chainPort}`, key, layout, addresses);
      urls.set(datacenter, `https://127.0.0.1:${await relays.to(site.host, agentPort)}`);
    }
    await eventually("both are registered", 120_000, async () => (await query.datacenters()).datacenters.length === 2);
    const urlOf = (datacenter: string) => urls.get(datacenter) ?? "";
    own = await deploy(query, keys.tenant, manifest, urlOf);
    closing.push(() => own.close());
    foreign = await deploy(query, keys.other, others, urlOf);
    closing.push(() => foreign.close());
    for (const name of Object.keys(lasts) as Name[]) {
      const { State } = await (await containerOf(name)).inspect();
      pids.set(name, State.Pid);
    }
  });
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  const containerOf = (name: Name) => siteOf(name).engine.container((name === "tenant" ? foreign : own).name, name);

  function pidOf(name: Name): number {
    const pid = pids.get(name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  const command = (ways: readonly Way[]) => [node, "-e", prober, JSON.stringify(ways)];
  const Probed = z.object({ found: z.record(z.string(), z.string().nullable()), rights: z.string() });

  /** As the tenant's own command. */
  async function attempt(name: Exclude<Name, "tenant">, ways: readonly Way[]): Promise<Found> {
    const place = siteOf(name) === east ? "east" : "west";
    return Probed.parse(JSON.parse(await execute(own, place, name, command(ways)))).found;
  }

  /** As root with all rights over the workload's network. */
  async function attemptAsRoot(name: Name, ways: readonly Way[]): Promise<Found> {
    const printed = await siteOf(name).engine.asNetworkAdministrator(await containerOf(name), command(ways));
    const { found, rights } = Probed.parse(JSON.parse(printed));
    const networkAdministrator = 1n << 12n;
    expect(BigInt(`0x${rights}`) & networkAdministrator).toBe(networkAdministrator);
    return found;
  }

  /** What no declaration lets these workloads reach, with what would answer there. */
  function forbidden(): ReadonlyMap<Exclude<Name, "tenant">, readonly (Way & { readonly answers: string })[]> {
    const hosts = (["west", "east"] as const).flatMap((place) => {
      const { host } = place === "west" ? west : east;
      return [
        { name: `host of ${place}`, host, port: servicePort, answers: `the host of ${place}` },
        { name: `agent of ${place}`, host, port: agentPort, answers: "open" },
        { name: `tunnel port of ${place}`, host, port: tunnelPort, answers: "open" },
      ];
    });
    const surroundings = (site: Site, place: string) => [
      ...hosts,
      { name: "gateway", host: site.gateway, port: servicePort, answers: `the host of ${place}` },
      {
        name: "gateway by datagram",
        host: site.gateway,
        port: servicePort,
        datagram: true,
        answers: `the host of ${place}`,
      },
      { name: "name server", host: site.gateway, port: 53, datagram: true, answers: `the host of ${place}` },
      { name: "name server by stream", host: site.gateway, port: 53, answers: `the host of ${place}` },
      { name: "metadata", host: metadata, port: 80, answers: "the internet" },
      { name: "outward", host: outward, port: 443, answers: "the internet" },
      { name: "outward name server", host: outward, port: 53, datagram: true, answers: "the internet" },
      { name: "exchange", host: "10.77.0.1", port: chainPort, answers: "open" },
    ];
    return new Map([
      [
        "evil",
        [
          ...surroundings(west, "west"),
          { name: "undeclared", host: addressOf("api"), port: 9000, answers: "api" },
          { name: "undeclared by datagram", host: addressOf("api"), port: 9000, datagram: true, answers: "api" },
          { name: "undeclared, across", host: addressOf("db"), port: 5432, answers: "db" },
          { name: "other tenant", host: addressOf("tenant"), port: 9100, answers: "the other tenant" },
        ],
      ],
      [
        "web",
        [
          { name: "another port, across", host: addressOf("db"), port: 5433, answers: "db" },
          { name: "target of the target", host: addressOf("cache"), port: 6379, answers: "cache" },
        ],
      ],
      ["api", [{ name: "reverse", host: addressOf("web"), port: 8080, answers: "web" }]],
      [
        "db",
        [
          ...surroundings(east, "east"),
          { name: "reverse, across", host: addressOf("web"), port: 8080, answers: "web" },
        ],
      ],
    ]);
  }

  const refused = (ways: readonly Way[]): Found => Object.fromEntries(ways.map(({ name }) => [name, null]));

  async function expectDeclared(): Promise<void> {
    const within = [{ name: "api", host: "api", port: 9000 }];
    const across = [{ name: "db", host: "db", port: 5432 }];
    expect(await attempt("web", [...within, ...across])).toEqual({ api: "api", db: "db" });
    expect(await attempt("db", [{ name: "cache", host: "cache", port: 6379 }])).toEqual({ cache: "cache" });
  }

  it("lets declared pairs talk by name, within a datacenter and across", expectDeclared);

  it("gives nobody else those names, and no other port of them", async () => {
    const names = (...hosts: readonly string[]) =>
      hosts.map((host) => ({ name: host, host, port: { api: 9000, db: 5432, cache: 6379, web: 8080 }[host] ?? 9100 }));
    const probes = { evil: names("api", "db", "cache", "web", "tenant"), db: names("web", "api"), api: names("web") };
    for (const [name, ways] of Object.entries(probes) as [keyof typeof probes, Way[]][]) {
      expect(await attempt(name, ways)).toEqual(refused(ways));
    }
    const otherPorts = [
      { name: "declared", host: "db", port: 5432 },
      { name: "another", host: "db", port: 5433 },
      { name: "another of api", host: "api", port: 9001 },
    ];
    expect(await attempt("web", otherPorts)).toEqual({ declared: "db", another: null, "another of api": null });
    // Where web's name for db leads, seen from evil.
    const [line = ""] = /\S+\s+db\b/.exec(await execute(own, "west", "web", [node, "-p", hostsFile])) ?? [];
    const [address = ""] = line.split(/\s+/);
    expect(address).toMatch(/^127\./);
    const ways = [{ name: "its address", host: address, port: 5432 }];
    expect(await attempt("evil", ways)).toEqual(refused(ways));
    expect(await attempt("web", ways)).toEqual({ "its address": "db" });
  });

  it("refuses all else to a tenant's commands", async () => {
    for (const [name, ways] of forbidden()) expect(await attempt(name, ways)).toEqual(refused(ways));
  });

  it("refuses all else to root with all rights over its network, also once that has devices and routes", async () => {
    for (const [name, ways] of forbidden()) {
      expect(await attemptAsRoot(name, ways)).toEqual(refused(ways));
      const { namespace } = siteOf(name).engine;
      const pid = pidOf(name);
      within(
        namespace,
        pid,
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "link set v1 up",
        `address add ${addressOf(name)}/24 dev v0`,
        `route add default via ${siteOf(name).gateway} dev v0`,
      );
      expect(await attemptAsRoot(name, ways)).toEqual(refused(ways));
      within(namespace, pid, "link delete v0");
    }
  });

  it("would refuse none of it on the network of their host: what keeps them apart is that they are on none", async () => {
    for (const [name, pid] of pids) siteOf(name).connect(pid, lasts[name]);
    for (const [name, ways] of forbidden()) {
      const all = Object.fromEntries(ways.map((way) => [way.name, way.answers]));
      expect(await attempt(name, ways)).toEqual(all);
      expect(await attemptAsRoot(name, ways)).toEqual(all);
    }
    for (const [name, pid] of pids) siteOf(name).disconnect(pid);
    for (const [name, ways] of forbidden()) expect(await attempt(name, ways)).toEqual(refused(ways));
    await expectDeclared();
  });
});

const hostsFile = 'require("fs").readFileSync("/etc/hosts", "utf8")';
