/** A program: one end of the tunnel as an agent has it, with instances whose network is this process's own. */
import { NamespaceNetwork, programCommand, startOverlay } from "@dcx/datacenter";
import { createLeaf, parseIdentityUri } from "@dcx/protocol";
import { chainId, connection, type Identity } from "./certificates";

export interface EndSettings {
  readonly role: "source" | "target";
  readonly own: Identity;
  readonly other: Identity;
  readonly home: string;
  /** Of a source: where its listener is, and where the target's agent is. */
  readonly at?: { readonly address: string; readonly port: number };
  readonly agent?: string;
  /** Of a target: the port that its workload listens on. */
  readonly port: number;
}

async function main({ role, own, other, home, at, agent, port }: EndSettings): Promise<void> {
  const instance = new NamespaceNetwork(
    async () => ({ key: "this one", enter: ["env"] }),
    programCommand("network-helper", undefined),
  );
  const overlay = await startOverlay({
    listen: { host: "127.0.0.1", port: 0 },
    ingress: { listen: "127.0.0.1" },
    egress: { exchange: [], limits: { deny: [], denyPorts: [] } },
    home,
    chainId,
    datacenter: own.datacenter,
    issue: async ({ uri, notBefore, notAfter }) => {
      const identity = parseIdentityUri(uri);
      if (identity === undefined) throw new Error(`${uri} names nobody`);
      const { certificate, key } = await createLeaf(own.root, identity, { notBefore, notAfter });
      return { certificate, privateKey: key };
    },
    network: async () => instance,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (details, message) => console.error(message, details),
    },
  });
  const nothing = { sources: [], targets: [], ingresses: [], egresses: [] };
  const peer = {
    datacenter: other.datacenter,
    lease: other.lease,
    workload: other.workload,
    roots: [other.root.certificate],
  };
  const { lease, workload } = own;
  if (role === "target") {
    const target = { connection, target: { lease, workload }, instances: ["api-0"], port, sources: [peer] };
    overlay.apply({ ...nothing, targets: [target] });
    process.send?.(overlay.address);
    return;
  }
  const established = () => {
    if (overlay.status().get(`source ${connection}`)?.established === true) process.send?.(overlay.address);
  };
  overlay.subscribe(established);
  const targets = [{ ...peer, addresses: [agent ?? ""] }];
  const source = {
    connection,
    source: { lease, workload },
    instances: ["web-0"],
    address: "",
    port: 0,
    ...at,
    targets,
  };
  overlay.apply({ ...nothing, sources: [source] });
}

process.once("message", (settings: EndSettings) => {
  main(settings).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.on("disconnect", () => process.exit(0));
