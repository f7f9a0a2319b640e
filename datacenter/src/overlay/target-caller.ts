import { connect, type TLSSocket } from "node:tls";
import { certificateDer, type PeerVerdict, type PeerVerifier } from "@dcx/protocol";
import type { Leaves } from "./leaves";
import type { OverlayLogger, TargetPeer } from "./overlay";
import { tlsOptions } from "./tunnel-door";
import { tunnelName, workloadUri } from "./tunnel-name";
import type { Presented } from "./tunnel-session";

export interface TargetCallerOptions {
  readonly chainId: string;
  readonly connection: string;
  /** URI of the local workload. */
  readonly source: string;
  readonly peer: TargetPeer;
  readonly leaves: Leaves;
  readonly verifier: PeerVerifier;
  readonly logger: OverlayLogger;
}

/** A connection whose other end is known to be the declared target. */
export interface Called {
  readonly socket: TLSSocket;
  readonly presented: Presented;
}

/** Milliseconds until an end that says nothing is given up. */
export const connectPatience = 10_000;

/** Connects to the agent of one target, and to nobody else: under the roots and the identity of exactly that one. */
export class TargetCaller {
  readonly #options: TargetCallerOptions;
  #roots: readonly string[];

  constructor(options: TargetCallerOptions) {
    this.#options = options;
    this.#roots = options.peer.roots;
  }

  /** From now on these are the roots, PEM. */
  trust(roots: readonly string[]): void {
    this.#roots = roots;
  }

  /** @param leaf DER of what the other end presented */
  verify(leaf: Uint8Array | undefined, now: Date): PeerVerdict {
    const { chainId, peer, verifier } = this.#options;
    const workload = { lease: peer.lease, name: peer.workload };
    const expected = { chainId, datacenter: peer.datacenter, workload };
    return verifier.verify(leaf, this.#roots.map(certificateDer), now, expected);
  }

  /** Tries the peer's addresses in their order. Rejects with why the last one did not do. */
  async call(): Promise<Called> {
    const { peer } = this.#options;
    let reason: unknown = new Error(`datacenter ${peer.datacenter} has published no address for tunnels`);
    for (const address of peer.addresses) {
      try {
        return await this.#connectTo(address);
      } catch (error) {
        reason = error;
      }
    }
    throw reason;
  }

  async #connectTo(address: string): Promise<Called> {
    const { chainId, connection, leaves, peer, source } = this.#options;
    const leaf = await leaves.get(source);
    const { hostname, port } = new URL(`tcp://${address}`);
    const socket = connect({
      ...tlsOptions,
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
      servername: tunnelName(chainId, connection, peer.lease),
      cert: leaf.certificate,
      key: leaf.privateKey,
      ca: [...this.#roots],
      // Who is trusted is decided below, against the roots and the identity of this one target.
      rejectUnauthorized: false,
    });
    try {
      await connected(socket, address);
      return { socket, presented: this.#admit(socket, address, leaf.certificate) };
    } catch (error) {
      socket.on("error", () => undefined);
      socket.destroy();
      throw error;
    }
  }

  #admit(socket: TLSSocket, address: string, own: string): Presented {
    const { chainId, connection, logger, peer } = this.#options;
    const presented = socket.getPeerX509Certificate();
    const verdict = this.verify(presented?.raw, new Date());
    if (verdict.valid && presented !== undefined) {
      return { leaf: presented.raw, notAfter: verdict.notAfter, own };
    }
    const reason = verdict.valid ? "no certificate was presented" : verdict.message;
    logger.warn(
      {
        address,
        connection,
        expected: workloadUri(chainId, peer),
        presented: presented?.subjectAltName ?? "no certificate",
        fingerprint: presented?.fingerprint256,
        reason,
      },
      "a tunnel's other end was refused",
    );
    throw new Error(`${address} is not ${peer.workload} of ${peer.datacenter}: ${reason}`);
  }
}

function connected(socket: TLSSocket, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${address} does not answer`)), connectPatience);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${address}: ${error.message}`, { cause: error }));
    });
  });
}
