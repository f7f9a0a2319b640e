import { type HostStatus, longestTimer } from "@dcx/protocol";
import type { OverlayLogger } from "../overlay";
import { judgeProof, proofName } from "./host-proof";
import type { RememberedHosts } from "./remembered-hosts";
import type { TxtLookup } from "./txt-lookup";

export interface OwnHostsOptions {
  readonly chainId: string;
  /** Names under it are the datacenter's to give. */
  readonly domain: string;
  readonly dns: TxtLookup;
  /** Milliseconds after which a proof is asked for again. */
  readonly recheck: number;
  /** Milliseconds that a proof counts while the DNS does not answer. */
  readonly expiry: number;
  readonly remembered: RememberedHosts;
  readonly logger: OverlayLogger;
  /** Someone else has a host name now, or nobody. */
  readonly onHolder: (host: string, holder: string | undefined) => void;
  /** What is said of a host name changed. */
  readonly onChange: () => void;
}

interface Proof {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The DNS said otherwise once since: one wrong answer of a name server cuts nobody off. */
  readonly doubted: boolean;
}

interface Host {
  readonly candidates: Set<string>;
  readonly proofs: Map<string, Proof>;
  /** Why those who have no proof have none. */
  readonly reasons: Map<string, string>;
  holder?: string;
  /** When the DNS is to be asked, in milliseconds since 1970. */
  due: number;
  /** How often it was asked in vain since something was new. */
  vain: number;
  asking: boolean;
}

/** A connection has this many own host names at most. */
const mostHosts = 100;
/** Questions to the DNS that are on their way at a time. */
const mostQuestions = 16;
const firstRetry = 1_000;
const lastRetry = 60_000;
/** Milliseconds after a start for which nobody else gets what somebody had: manifests are read one after another. */
const starting = 60_000;

/**
 * Who has which own host name: a connection that declares it, once the DNS names its tenant there. Of several the one that
 * has it keeps it for as long as its proof holds. Proofs are asked for again and again: what the DNS denies twice ends.
 */
export class OwnHosts {
  readonly #options: OwnHostsOptions;
  readonly #hosts = new Map<string, Host>();
  readonly #wanted = new Map<string, readonly string[]>();
  #questions = 0;
  readonly #began = Date.now();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: OwnHostsOptions) {
    this.#options = options;
  }

  /** Makes these the host names that a connection declares. */
  set(connection: string, hosts: readonly string[]): void {
    if (this.#closed || JSON.stringify(this.#wanted.get(connection) ?? []) === JSON.stringify(hosts)) return;
    const before = this.#admissible(connection);
    if (hosts.length === 0) this.#wanted.delete(connection);
    else this.#wanted.set(connection, hosts);
    const now = new Set(this.#admissible(connection));
    for (const host of before) if (!now.has(host)) this.#withdraw(host, connection);
    for (const host of now) this.#declare(host, connection);
    this.#schedule();
  }

  /** By host name; undefined: the connection declares none. */
  status(connection: string): Record<string, HostStatus> | undefined {
    const hosts = this.#wanted.get(connection);
    return hosts && Object.fromEntries(hosts.map((host) => [host, this.#statusOf(host, connection)]));
  }

  /** What is known stays for the next start. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.dns.close();
  }

  #statusOf(host: string, connection: string): HostStatus {
    const known = this.#hosts.get(host);
    if (known?.holder === connection) return { served: true };
    const proven = known?.proofs.has(connection) === true;
    const message =
      this.#inadmissible(host, connection) ??
      (proven ? heldBy(known?.holder, connection) : known?.reasons.get(connection)) ??
      `the DNS is being asked for a TXT record at ${proofName(host)}`;
    return { served: false, message };
  }

  #admissible(connection: string): readonly string[] {
    return (this.#wanted.get(connection) ?? []).filter((host) => this.#inadmissible(host, connection) === undefined);
  }

  #inadmissible(host: string, connection: string): string | undefined {
    const { domain } = this.#options;
    if (host === domain || host.endsWith(`.${domain}`)) {
      return `names under ${domain} are this datacenter's own: a connection has one already, its address`;
    }
    const before = this.#wanted.get(connection)?.indexOf(host) ?? 0;
    return before < mostHosts ? undefined : `a connection has ${mostHosts} host names of its own at most`;
  }

  #declare(host: string, connection: string): void {
    const known = this.#hosts.get(host);
    if (known?.candidates.has(connection) === true) return;
    const entry: Host = known ?? {
      candidates: new Set(),
      proofs: new Map(),
      reasons: new Map(),
      due: 0,
      vain: 0,
      asking: false,
    };
    this.#hosts.set(host, entry);
    entry.candidates.add(connection);
    const remembered = this.#options.remembered.get(host);
    if (remembered?.connection === connection && remembered.provenAt + this.#options.expiry > Date.now()) {
      entry.proofs.set(connection, { at: remembered.provenAt, doubted: false });
    }
    entry.due = 0;
    entry.vain = 0;
    this.#elect(host, entry);
  }

  #withdraw(host: string, connection: string): void {
    const entry = this.#hosts.get(host);
    if (entry === undefined) return;
    if (this.#options.remembered.get(host)?.connection === connection) this.#options.remembered.remove(host);
    entry.candidates.delete(connection);
    entry.proofs.delete(connection);
    entry.reasons.delete(connection);
    if (entry.candidates.size === 0) this.#hosts.delete(host);
    this.#elect(host, entry);
  }

  /** Who has it keeps it while the proof holds; then the one who has been proven longest. */
  #elect(host: string, entry: Host): void {
    const { logger, onHolder } = this.#options;
    if (entry.holder !== undefined && entry.proofs.has(entry.holder)) return;
    const before = entry.holder;
    const [next] = (this.#isReserved(host, entry) ? [] : [...entry.proofs]).sort(
      ([a, one], [b, other]) => one.at - other.at || (a < b ? -1 : 1),
    );
    if (next === undefined) delete entry.holder;
    else [entry.holder] = next;
    if (entry.holder === before) return;
    if (entry.holder === undefined) logger.info({ host, connection: before }, "a host name is no longer served");
    else logger.info({ host, connection: entry.holder }, "a host name is served: the DNS names its tenant");
    onHolder(host, entry.holder);
  }

  #isReserved(host: string, { candidates }: Host): boolean {
    const last = this.#options.remembered.get(host);
    return last !== undefined && !candidates.has(last.connection) && Date.now() < this.#began + starting;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const now = Date.now();
    for (const [host, entry] of this.#hosts) {
      if (this.#questions >= mostQuestions) return;
      if (!entry.asking && entry.due <= now) void this.#ask(host, entry);
    }
    const waiting = [...this.#hosts.values()].filter(({ asking }) => !asking).map(({ due }) => due);
    if (waiting.length === 0) return;
    this.#timer = setTimeout(() => this.#schedule(), Math.max(50, Math.min(...waiting, now + longestTimer) - now));
    this.#timer.unref();
  }

  async #ask(host: string, entry: Host): Promise<void> {
    const { chainId, dns, expiry, onChange, recheck, remembered } = this.#options;
    entry.asking = true;
    this.#questions += 1;
    const answer = await dns.lookup(proofName(host));
    this.#questions -= 1;
    entry.asking = false;
    if (this.#closed) return;
    const now = Date.now();
    for (const connection of entry.candidates) {
      const verdict = judgeProof(host, connection, chainId, answer);
      const proof = entry.proofs.get(connection);
      if (verdict.proven) {
        entry.proofs.set(connection, { at: now, doubted: false });
        entry.reasons.delete(connection);
      } else if (proof !== undefined && verdict.denied && !proof.doubted) {
        entry.proofs.set(connection, { ...proof, doubted: true });
      } else if (proof === undefined || verdict.denied || proof.at + expiry <= now) {
        entry.proofs.delete(connection);
        entry.reasons.set(connection, verdict.message);
      }
    }
    if (this.#hosts.get(host) === entry) {
      this.#elect(host, entry);
      const holding = entry.holder === undefined ? undefined : entry.proofs.get(entry.holder);
      if (entry.holder !== undefined && holding !== undefined) {
        remembered.set(host, { connection: entry.holder, provenAt: holding.at });
      } else if (!this.#isReserved(host, entry)) {
        remembered.remove(host);
      }
    }
    const settled =
      entry.holder !== undefined &&
      [...entry.candidates].every((connection) => entry.proofs.get(connection)?.at === now);
    const retry = Math.min(recheck, lastRetry, firstRetry * 2 ** Math.min(entry.vain, 16));
    entry.vain = settled ? 0 : entry.vain + 1;
    entry.due = now + (settled ? recheck : retry);
    onChange();
    this.#schedule();
  }
}

function heldBy(holder: string | undefined, connection: string): string | undefined {
  if (holder === undefined) return undefined;
  const tenantOf = (id: string) => id.split("/")[0];
  return tenantOf(holder) === tenantOf(connection)
    ? `${holder} has it here: one connection at a time can`
    : "a deployment of another tenant, whom the DNS names too, has it here: take that TXT record away";
}
