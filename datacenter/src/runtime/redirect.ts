import { spawn } from "node:child_process";
import { once } from "node:events";
import { findTool } from "./sandbox/tools";

/** What is opened at `address`:`port` inside an instance is to arrive at `to`, a port of the same address. */
export interface Redirection {
  readonly address: string;
  readonly port: number;
  readonly to: number;
}

/**
 * Ports that redirected connections arrive at: above those that Linux gives to outgoing connections, and hardly ever a
 * service's own.
 */
export const arrivalPorts = { first: 61_000, last: 65_535 } as const;

/** A firewall's program, and what it is told: all redirections of a network at once, whatever was there before. */
interface Redirector {
  readonly command: readonly string[];
  rules(redirections: readonly Redirection[]): string;
}

/** The table as a whole, in place of the one before: there is no moment without a rule that stays. */
const nftables = (file: string, table: (redirections: readonly Redirection[]) => readonly string[]): Redirector => ({
  command: [file, "-f", "-"],
  rules: (redirections) =>
    ["table ip dcx {}", "delete table ip dcx", "table ip dcx {", ...table(redirections), "}", ""].join("\n"),
});

const hook = "type nat hook output priority -100; policy accept;";

/** One look-up for each new connection, however many redirections there are. */
const asMap = (redirections: readonly Redirection[]) => [
  "  map arrivals {",
  "    type ipv4_addr . inet_service : ipv4_addr . inet_service",
  ...(redirections.length === 0
    ? []
    : [
        `    elements = { ${redirections.map(({ address, port, to }) => `${address} . ${port} : ${address} . ${to}`).join(", ")} }`,
      ]),
  "  }",
  "  chain connections {",
  `    ${hook}`,
  "    dnat ip to ip daddr . tcp dport map @arrivals",
  "  }",
];

/** For kernels and versions of nft that have no maps of addresses with ports. */
const asRules = (redirections: readonly Redirection[]) => [
  "  chain connections {",
  `    ${hook}`,
  ...redirections.map(({ address, port, to }) => `    ip daddr ${address} tcp dport ${port} dnat to ${address}:${to}`),
  "  }",
];

/** The whole table is this one's: in an instance's network there is nobody else who makes rules. */
const iptables = (file: string): Redirector => ({
  command: [file, "-w", "5"],
  rules: (redirections) =>
    [
      "*nat",
      ":OUTPUT ACCEPT [0:0]",
      ...redirections.map(
        ({ address, port, to }) =>
          `-A OUTPUT -d ${address}/32 -p tcp --dport ${port} -j DNAT --to-destination ${address}:${to}`,
      ),
      "COMMIT",
      "",
    ].join("\n"),
});

/**
 * Makes the redirections of the network that `enter` leads into exactly these. Rejects, saying why, where this machine
 * has no program for it or its kernel refuses.
 */
export async function redirect(enter: readonly string[], redirections: readonly Redirection[]): Promise<void> {
  const reasons: string[] = [];
  for (const { command, rules } of redirectors()) {
    const failure = await run([...enter, ...command], rules(redirections));
    if (failure === undefined) return;
    reasons.push(failure);
  }
  throw new Error(reasons.join("; ") || "neither nft nor iptables-restore is installed (install nftables or iptables)");
}

function redirectors(): Redirector[] {
  const [nft, restore] = [findTool("nft"), findTool("iptables-restore")];
  return [
    ...(nft === undefined ? [] : [nftables(nft, asMap), nftables(nft, asRules)]),
    ...(restore === undefined ? [] : [iptables(restore)]),
  ];
}

/** Resolves to why it failed, or undefined. */
async function run(command: readonly string[], input: string): Promise<string | undefined> {
  const [file = "", ...rest] = command;
  const child = spawn(file, rest, { stdio: ["pipe", "ignore", "pipe"], env: {} });
  let errors = "";
  child.stderr.on("data", (data) => {
    errors = `${errors}${data}`.slice(-1000);
  });
  // It may end without having read all.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  try {
    const [code] = await once(child, "close");
    return code === 0 ? undefined : `${file} ended with ${code}: ${errors.trim()}`;
  } catch (error) {
    return `${file} can't be run: ${error instanceof Error ? error.message : error}`;
  }
}
