/** A program that runs in a network of its own: applies many connections at once, and says how long that took. */
import { mkdirSync } from "node:fs";
import { type Redirection, redirect, startOverlay, type WantedConnections } from "@dcx/datacenter";
import { createLeaf, parseIdentityUri } from "@dcx/protocol";
import { chainId, identityOf } from "../tunnels/certificates";

export type Kind = "tunnel port" | "instance";
export const connections = 5_000;

const [folder = ""] = process.argv.slice(2);

/** An address for each connection, as the names of many targets get them. */
const redirections = (shift: number): Redirection[] =>
  Array.from({ length: connections }, (_, index) => ({
    address: `127.77.${index >> 8}.${index & 255}`,
    port: 5_000 + (index % 1_000),
    to: 61_000 + ((index + shift) % 4_000),
  }));

async function main(): Promise<void> {
  const [own, other] = await Promise.all([identityOf("east", "api"), identityOf("west", "web")]);
  mkdirSync(folder, { recursive: true });
  const overlay = await startOverlay({
    listen: { host: "127.0.0.1", port: 0 },
    ingress: { listen: "127.0.0.1" },
    egress: { exchange: [], limits: { deny: [], denyPorts: [] } },
    home: folder,
    chainId,
    datacenter: own.datacenter,
    issue: async ({ uri, notBefore, notAfter }) => {
      const identity = parseIdentityUri(uri);
      if (identity === undefined) throw new Error(`${uri} names nobody`);
      const { certificate, key } = await createLeaf(own.root, identity, { notBefore, notAfter });
      return { certificate, privateKey: key };
    },
    network: () => Promise.reject(new Error("there is no instance")),
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined },
  });
  const wanted = (turn: number): WantedConnections => ({
    sources: [],
    ingresses: [],
    egresses: [],
    targets: Array.from({ length: connections }, (_, index) => ({
      connection: `tenant/${index}/connections/c${turn}`,
      target: { lease: `tenant/${index}/east/1`, workload: "api" },
      instances: [`api-${index}`],
      port: 9_000,
      sources: [
        {
          datacenter: other.datacenter,
          lease: `tenant/${index}/west/1`,
          workload: "web",
          roots: [other.root.certificate],
        },
      ],
    })),
  });
  let turn = 0;
  const applied: Readonly<Record<Kind, () => Promise<number>>> = {
    "tunnel port": async () => {
      const all = wanted(turn++);
      const start = performance.now();
      overlay.apply(all);
      return performance.now() - start;
    },
    instance: async () => {
      const all = redirections(turn++);
      const start = performance.now();
      await redirect(["env"], all);
      return performance.now() - start;
    },
  };
  process.on("message", ({ kind }: { readonly kind: Kind }) => {
    applied[kind]().then(
      (figure) => process.send?.({ figure }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
  process.send?.("ready");
}

process.on("disconnect", () => process.exit(0));
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
