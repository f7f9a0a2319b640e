import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signerFromPrivateKey } from "@dcx/protocol";
import { z } from "zod";
import { dcxCommand } from "../support/world";
import { OwnEngine } from "./engine";
import type { Namespace } from "./namespaces";
import { greeter } from "./probes";

export const agentPort = 7443;
export const tunnelPort = 7444;
export const servicePort = 18_999;

export interface SiteOptions {
  readonly name: string;
  readonly engine: "docker" | "podman";
  /** From 2 on: its host is 10.77.0.<number>, the local network of its host 10.78.<number>.0/24. */
  readonly number: number;
  /** The network that sites meet in; it has the bridge `wide`. */
  readonly wide: Namespace;
  readonly folder: string;
}

/**
 * The machine of a datacenter: a network namespace with an engine, an address in the wide network, and a bridge to
 * which an engine would connect containers. On that machine something listens at all addresses, a name server's port
 * included.
 */
export class Site {
  readonly host: string;
  readonly gateway: string;

  private constructor(
    readonly engine: OwnEngine,
    private readonly options: SiteOptions,
  ) {
    this.host = `10.77.0.${options.number}`;
    this.gateway = this.inside(1);
  }

  static async open(options: SiteOptions): Promise<Site> {
    const { name, number, wide } = options;
    const site = new Site(OwnEngine.start(options.engine, join(options.folder, `${name}${process.pid}`)), options);
    const { namespace } = site.engine;
    wide.ip(`link add ${name} type veth peer name wide netns ${namespace.name}`);
    wide.ip(`link set ${name} master wide up`);
    wide.ip(`route add 10.78.${number}.0/24 via ${site.host}`);
    namespace.ip(`address add ${site.host}/24 dev wide`);
    namespace.ip("link set wide up");
    namespace.ip("route add default via 10.77.0.1");
    namespace.ip("link add lan type bridge");
    namespace.ip(`address add ${site.gateway}/24 dev lan`);
    namespace.ip("link set lan up");
    // An engine's own rules are not what is tried here.
    namespace.forwardPackets();
    namespace.run("iptables", "-P", "FORWARD", "ACCEPT");
    await namespace.start(process.execPath, "-e", greeter(`the host of ${name}`, [53, servicePort]));
    return site;
  }

  /** An address in the local network of its host. */
  inside(last: number): string {
    return `10.78.${this.options.number}.${last}`;
  }

  /** Starts its agent, which serves these tenants also where a limit does not hold. Resolves to the datacenter's address. */
  async startAgent(chainUrl: string, privateKey: string, layout: string, tenants: readonly string[]): Promise<string> {
    const { folder, name } = this.options;
    const home = join(folder, `${name}-home`);
    mkdirSync(home);
    const { address } = await signerFromPrivateKey(privateKey);
    writeFileSync(join(home, "key.json"), JSON.stringify({ address, privateKey }), { mode: 0o600 });
    const configuration = {
      chain: { endpoints: [chainUrl] },
      keyFile: join(home, "key.json"),
      home: join(home, "agent"),
      region: name,
      capacity: { cpu: 4, memory: "4Gi", disk: "20Gi" },
      trustedTenants: tenants,
      isolation: "container",
      containerSocket: this.engine.socket,
      imageLayouts: [layout],
      listen: {
        agent: `${this.host}:${agentPort}`,
        tunnel: `${this.host}:${tunnelPort}`,
        ingress: { host: this.host },
      },
      logLevel: "warn",
    };
    writeFileSync(join(home, "configuration.json"), JSON.stringify(configuration));
    const file = join(home, "configuration.json");
    const { first } = await this.engine.namespace.start(dcxCommand, "datacenter", "start", "--config", file);
    expect(z.object({ address: z.string() }).parse(first).address).toBe(address);
    return address;
  }

  /** Takes a container's isolation away: puts it into the local network of its host, as an engine does by default. */
  connect(pid: number, last: number): void {
    const { namespace } = this.engine;
    namespace.ip(`link add to${pid} type veth peer name eth0 netns ${pid}`);
    namespace.ip(`link set to${pid} master lan up`);
    within(namespace, pid, `address add ${this.inside(last)}/24 dev eth0`, "link set eth0 up");
    within(namespace, pid, `route add default via ${this.gateway}`);
  }

  /** Gives it back. */
  disconnect(pid: number): void {
    this.engine.namespace.ip(`link delete to${pid}`);
  }

  close(): Promise<void> {
    return this.engine.stop();
  }
}

/** Runs commands of `ip` in the network of a process. */
export function within(namespace: Namespace, pid: number, ...commands: readonly string[]): void {
  for (const command of commands) {
    namespace.run("nsenter", `--net=/proc/${pid}/ns/net`, "ip", ...command.split(" "));
  }
}
