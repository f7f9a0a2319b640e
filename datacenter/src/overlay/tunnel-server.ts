import { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { createSecureContext, type TLSSocket } from "node:tls";
import { certificateDer, identityUri, type PeerVerifier } from "@dcx/protocol";
import type { Leaves } from "./leaves";
import { MuxSession } from "./mux/mux-session";
import type { MuxStream } from "./mux/mux-stream";
import type { OverlayLogger, PeerIdentity, TunnelCounts, TunnelLimits, WantedTarget } from "./overlay";
import { abort, splice } from "./splice";
import { TunnelDoor, tlsOptions } from "./tunnel-door";
import { tunnelName, workloadUri } from "./tunnel-name";
import { type Answer, encodeAnswer, readWish, tunnelProtocol } from "./tunnel-opening";

export interface TunnelServerOptions {
  readonly chainId: string;
  readonly datacenter: string;
  readonly leaves: Leaves;
  readonly verifier: PeerVerifier;
  readonly limits: TunnelLimits;
  /** Opens a stream to a port of a local instance. */
  readonly dial: (instance: string, port: number) => Promise<Duplex>;
  readonly logger: OverlayLogger;
}

interface Admitted {
  readonly socket: TLSSocket;
  readonly session: MuxSession;
  readonly name: string;
  /** URI of the workload that it comes from. */
  readonly source: string;
  readonly leaf: Buffer;
  readonly notAfter: Date;
  /** PEM of the certificate that this end showed. */
  readonly own: string;
  /** Whether its source was asked for a new one. */
  asked: boolean;
}

/** Where tunnels of other agents (and of this one) arrive: lets in exactly the declared sources of each connection. */
export class TunnelServer {
  readonly #options: TunnelServerOptions;
  readonly #door: TunnelDoor;
  readonly #admitted = new Set<Admitted>();
  #targets = new Map<string, WantedTarget>();
  #turn = 0;
  /** Since the agent began. */
  #begun = 0;

  constructor(options: TunnelServerOptions) {
    this.#options = options;
    this.#door = new TunnelDoor({
      limits: options.limits,
      context: (name) => this.#context(name),
      enter: (socket) => this.#admit(socket),
      logger: options.logger,
    });
  }

  /** Rejects when the port is taken. */
  listen(host: string, port: number): Promise<number> {
    return this.#door.listen(host, port);
  }

  counts(): TunnelCounts {
    const { arriving, refused } = this.#door;
    return { open: this.#admitted.size, tunnels: this.#begun, refused, arriving };
  }

  /** From now on these are the targets. Tunnels that these would not let in are cut. */
  apply(targets: readonly WantedTarget[]): void {
    this.#targets = new Map(
      targets.map((target) => [tunnelName(this.#options.chainId, target.connection, target.target.lease), target]),
    );
    for (const admitted of this.#admitted) {
      if (!this.#verify(admitted.name, admitted.leaf, earlier(admitted.notAfter)).valid) {
        admitted.session.destroy();
        admitted.socket.destroy();
      }
    }
  }

  /** Asks the sources of all tunnels for new ones: flows of those that there are go on to their end. */
  renew(): void {
    for (const admitted of this.#admitted) askForAnother(admitted);
  }

  /** A tunnel may stand only after all were asked for new ones, and have been begun with the certificate before. */
  async #renewOld(admitted: Admitted, fingerprint: string | undefined): Promise<void> {
    const target = this.#targets.get(admitted.name)?.target;
    if (target === undefined) return;
    const { chainId, datacenter, leaves } = this.#options;
    const { certificate } = await leaves.get(workloadUri(chainId, { datacenter, ...target }));
    if (new X509Certificate(certificate).fingerprint256 !== fingerprint) askForAnother(admitted);
  }

  /** PEM of this end's certificate in each tunnel that stands, but for those that only wait to be ended by the source. */
  presented(): readonly string[] {
    return [...this.#admitted].filter(({ asked, session }) => !asked || session.size > 0).map(({ own }) => own);
  }

  async close(): Promise<void> {
    this.#targets = new Map();
    for (const { session } of this.#admitted) {
      session.destroy();
    }
    await this.#door.close();
  }

  #context(name: string) {
    const target = this.#targets.get(name);
    return target === undefined ? undefined : this.#contextOf(name, target);
  }

  async #contextOf(name: string, { target }: WantedTarget) {
    const { chainId, datacenter, leaves } = this.#options;
    const leaf = await leaves.get(workloadUri(chainId, { datacenter, ...target }));
    return createSecureContext({
      cert: leaf.certificate,
      key: leaf.privateKey,
      ca: this.#sourcesOf(name).flatMap(({ roots }) => roots),
      minVersion: tlsOptions.minVersion,
      secureOptions: tlsOptions.secureOptions,
    });
  }

  #sourcesOf(name: string): PeerIdentity[] {
    return [...(this.#targets.get(name)?.sources ?? [])];
  }

  #verify(name: string, leaf: Uint8Array | undefined, now: Date) {
    const { chainId, verifier } = this.#options;
    const refusals: string[] = [];
    for (const { datacenter, lease, workload, roots } of this.#sourcesOf(name)) {
      const expected = { chainId, datacenter, workload: { lease, name: workload } };
      const verdict = verifier.verify(leaf, roots.map(certificateDer), now, expected);
      if (verdict.valid) {
        return verdict;
      }
      refusals.push(`${identityUri(expected)}: ${verdict.message}`);
    }
    return { valid: false, message: refusals.join("; ") || "the connection has no source" } as const;
  }

  #admit(socket: TLSSocket): void {
    const name = typeof socket.servername === "string" ? socket.servername : "";
    const presented = socket.getPeerX509Certificate();
    const verdict = this.#verify(name, presented?.raw, new Date());
    const refuse = (reason: string): void => {
      this.#door.refuse({
        from: socket.remoteAddress,
        connection: this.#targets.get(name)?.connection,
        presented: presented?.subjectAltName ?? "no certificate",
        fingerprint: presented?.fingerprint256,
        reason,
      });
      socket.destroy();
    };
    if (!verdict.valid) {
      refuse(verdict.message);
      return;
    }
    if (presented === undefined || socket.alpnProtocol !== tunnelProtocol) {
      refuse(`it does not speak ${tunnelProtocol}`);
      return;
    }
    const source = identityUri(verdict.identity);
    const { perSource } = this.#options.limits;
    if (this.#tunnelsOf(name, source) >= perSource) {
      refuse(`it has ${perSource} tunnels already`);
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const own = socket.getX509Certificate();
    const from = socket.remoteAddress;
    const session = new MuxSession(socket, {
      client: false,
      onStream: (stream) => void this.#serve(admitted, stream),
      onClose: (error) => {
        this.#admitted.delete(admitted);
        if (error === undefined) return;
        this.#door.cut({ from, connection: this.#targets.get(name)?.connection, reason: error.message });
      },
    });
    const admitted: Admitted = {
      socket,
      session,
      name,
      source,
      leaf: presented.raw,
      notAfter: verdict.notAfter,
      own: own?.toString() ?? "",
      asked: false,
    };
    this.#admitted.add(admitted);
    this.#begun += 1;
    // Where none can be made the one that it has is as good as any.
    this.#renewOld(admitted, own?.fingerprint256).catch(() => undefined);
    this.#options.logger.debug({ from: socket.remoteAddress, peer: source }, "a tunnel stands");
  }

  #tunnelsOf(name: string, source: string): number {
    let count = 0;
    for (const each of this.#admitted) if (each.name === name && each.source === source) count += 1;
    return count;
  }

  async #serve(admitted: Admitted, stream: MuxStream): Promise<void> {
    stream.on("error", () => undefined);
    const answer = (outcome: Answer["outcome"], reason?: string): Buffer => {
      // By this the source knows whether it is the version that it is to reach.
      const entry = this.#targets.get(admitted.name)?.entry;
      return encodeAnswer({
        outcome,
        ...(reason === undefined ? {} : { reason }),
        ...(entry === undefined ? {} : { entry }),
      });
    };
    // The source ends or resets the stream when it has read this; what it has sent already goes nowhere.
    const end = (last: Buffer): void => void (stream.destroyed || stream.end(last).resume());
    try {
      const wish = await readWish(stream);
      if (admitted.notAfter < new Date()) {
        end(answer("expired", "the certificate of this tunnel has expired: make a new tunnel"));
        return;
      }
      const inner = await this.#dialAny(admitted.name);
      if (wish === "ask") {
        inner.on("error", () => undefined);
        inner.destroy();
        end(answer("accepts"));
      } else if (stream.destroyed) {
        inner.on("error", () => undefined);
        abort(inner);
      } else {
        stream.write(answer("accepts"));
        await splice(stream, inner);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.logger.debug({ tunnel: admitted.name, reason }, "a stream found no target");
      end(answer("refuses", reason));
    }
  }

  /** Takes the instances in turn; one that does not accept is passed over. */
  async #dialAny(name: string): Promise<Duplex> {
    const target = this.#targets.get(name);
    const ends = (target?.instances ?? []).map((instance) => ({ instance, port: target?.port ?? 0 }));
    return dialInTurn(ends, this.#turn++, this.#options.dial);
  }
}

/** Dials the ends beginning with the `turn`th, until one accepts. Rejects with the last reason. */
export async function dialInTurn(
  ends: readonly { readonly instance: string; readonly port: number }[],
  turn: number,
  dial: (instance: string, port: number) => Promise<Duplex>,
): Promise<Duplex> {
  let reason = "no instance of the target is ready";
  for (let offset = 0; offset < ends.length; offset++) {
    const end = ends[(turn + offset) % ends.length];
    if (end !== undefined) {
      try {
        return await dial(end.instance, end.port);
      } catch (error) {
        reason = `the target does not accept on port ${end.port}: ${error instanceof Error ? error.message : error}`;
      }
    }
  }
  throw new Error(reason);
}

/** An established tunnel stays while its certificate counted when it came: now, or when that certificate expired. */
export function earlier(notAfter: Date): Date {
  return new Date(Math.min(Date.now(), notAfter.getTime()));
}

/** Of its source: flows of this tunnel go on to their end. */
function askForAnother(admitted: Admitted): void {
  admitted.asked = true;
  admitted.session.goAway();
}
