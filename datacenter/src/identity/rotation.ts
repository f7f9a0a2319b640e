import { createHash } from "node:crypto";
import type { Datacenter, RootCertificate } from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainView } from "../chain/view";
import type { Overlay } from "../overlay/overlay";
import type { AgentLeaf } from "./agent-leaf";
import type { DatacenterRoot } from "./root";

/** Blocks after which everybody who follows the exchange has seen what one of them changed. */
const seenAfter = 10n;

/** What a datacenter's record is to say of roots: the newer first. */
export interface WantedRoots {
  readonly roots: readonly RootCertificate[];
  /** Roots that it must not name any more. */
  readonly withdrawn: readonly RootCertificate[];
}

/** A rotation that is under way. */
export interface RotationStatus {
  readonly since: string;
  /** SHA-256 of the certificates, in hexadecimal. */
  readonly oldRoot: string;
  readonly newRoot: string;
  /** Where it stands: its root goes on chain, others learn of it, leaves are under it, the old root goes. */
  readonly phase: "announcing" | "settling" | "renewed" | "withdrawing";
  /** Tunnels that were made under the old root and carry something still. */
  readonly standing: number;
  /** Last block in which the old root counts. */
  readonly endHeight?: bigint;
}

export type RotationStep = "announce" | "note" | "use" | "withdraw" | "finish" | "wait";

interface Situation {
  readonly root: Pick<DatacenterRoot, "record" | "successor">;
  /** As the chain has it. */
  readonly known: Datacenter | undefined;
  readonly height: bigint;
  /** Tunnels under the old root. */
  readonly standing: number;
}

/**
 * What is to be done next so that the successor takes the root's place: a function of what is on disk and on chain alone,
 * so that an agent that was killed anywhere goes on. Pure.
 */
export function rotationStep({ root, known, height, standing }: Situation): RotationStep {
  const { successor } = root;
  if (successor === undefined || known === undefined) return "wait";
  if (!names(known, successor.record)) return "announce";
  if (!names(known, root.record)) return successor.usedHeight === undefined ? "use" : "finish";
  if (successor.seenHeight === undefined) return "note";
  if (successor.overlap === 0) return "withdraw";
  if (successor.usedHeight === undefined) return height >= successor.seenHeight + seenAfter ? "use" : "wait";
  return standing === 0 && height >= successor.usedHeight + seenAfter ? "withdraw" : "wait";
}

/** What the record is to say now. Pure. @param blockInterval milliseconds */
export function wantedRoots(
  root: Pick<DatacenterRoot, "record" | "successor">,
  known: Datacenter | undefined,
  height: bigint,
  blockInterval: bigint,
  standing: number,
): WantedRoots {
  const { record, successor } = root;
  if (successor === undefined) return { roots: [record], withdrawn: [] };
  const old = known?.roots.find((each) => isSame(each, record));
  const ended = known !== undefined && names(known, successor.record) && old === undefined;
  const step = rotationStep({ root, known, height, standing });
  if (ended || step === "withdraw" || successor.overlap === 0)
    return { roots: [successor.record], withdrawn: [record] };
  const blocks = BigInt(successor.overlap) / (blockInterval > 0n ? blockInterval : 1n);
  const endHeight = old !== undefined && old.endHeight !== 0n ? old.endHeight : height + 2n * seenAfter + blocks;
  return { roots: [successor.record, { ...record, endHeight }], withdrawn: [] };
}

export interface RotationOptions {
  readonly root: DatacenterRoot;
  readonly leaf: AgentLeaf;
  readonly overlay: Pick<Overlay, "renew" | "presented">;
  readonly view: () => ChainView | undefined;
  /** Makes the record on chain say what is wanted; resolves when it does, or the agent stops. */
  readonly register: () => Promise<void>;
  readonly logger: Logger;
}

/** Replaces the datacenter's root by a new one while everything goes on. */
export class RootRotation {
  readonly #options: RotationOptions;
  #working: Promise<void> | undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** Begins, or changes how long both roots count. @param overlap milliseconds; 0: the old one ends at once */
  async begin(overlap: number): Promise<void> {
    const { logger, root } = this.#options;
    await root.rotate(overlap);
    logger.info({ overlap }, "the root is replaced by a new one");
    this.look();
  }

  /** What the record is to say. @param known as the chain has it at `height` @param blockInterval milliseconds */
  wanted(known: Datacenter | undefined, height: bigint, blockInterval: bigint): WantedRoots {
    return wantedRoots(this.#options.root, known, height, blockInterval, this.#standing());
  }

  status(): RotationStatus | undefined {
    const { root, view } = this.#options;
    const { record, successor } = root;
    if (successor === undefined) return undefined;
    const known = view()?.record;
    const standing = this.#standing();
    const step = rotationStep({ root, known, height: view()?.height ?? 0n, standing });
    const old = known?.roots.find((each) => isSame(each, record));
    const settled = successor.usedHeight === undefined ? "settling" : "renewed";
    const phase = successor.seenHeight === undefined ? "announcing" : settled;
    return {
      since: successor.since,
      oldRoot: fingerprint(record),
      newRoot: fingerprint(successor.record),
      phase: step === "withdraw" || step === "finish" ? "withdrawing" : phase,
      standing,
      ...(old === undefined || old.endHeight === 0n ? {} : { endHeight: old.endHeight }),
    };
  }

  /** To be called with each block: does what is to be done next. */
  look(): void {
    if (this.#options.root.successor === undefined || this.#working !== undefined) return;
    this.#working = this.#work()
      .catch((err) => this.#options.logger.warn({ err }, "the root's replacement does not get on; trying again"))
      .finally(() => {
        this.#working = undefined;
      });
  }

  /** Resolves when nothing of it is under way. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    const { leaf, logger, overlay, register, root, view } = this.#options;
    const now = view();
    if (now === undefined) return;
    const { height, record: known } = now;
    const what = { newRoot: fingerprint(root.successor?.record ?? root.record), height };
    switch (rotationStep({ root, known, height, standing: this.#standing() })) {
      case "announce":
      case "withdraw":
        await register();
        return;
      case "note":
        root.noteSeen(height);
        logger.info(what, "the new root is on chain");
        return;
      case "use":
        root.use(height);
        await leaf.renew();
        await overlay.renew();
        logger.info(what, "certificates are issued under the new root");
        return;
      case "finish":
        // An agent that was killed as it began to use the new root has begun again with it.
        root.finish();
        logger.info(what, "the old root is gone");
        return;
      case "wait":
        return;
    }
  }

  #standing(): number {
    const { overlay, root } = this.#options;
    if (root.successor === undefined) return 0;
    return overlay.presented().filter((leaf) => root.issued(leaf)).length;
  }
}

function names(record: Datacenter, root: RootCertificate): boolean {
  return record.roots.some((each) => isSame(each, root));
}

function isSame(one: RootCertificate, other: RootCertificate): boolean {
  return Buffer.compare(one.certificate, other.certificate) === 0;
}

function fingerprint({ certificate }: RootCertificate): string {
  return createHash("sha256").update(certificate).digest("hex");
}
