import { headerHash, validatorsHash } from "@dcx/protocol";
import { Header } from "cosmjs-types/tendermint/types/types";
import { z } from "zod";
import type { HeaderSource } from "./answers";
import {
  millisecondsOf,
  type ShownBlock,
  type Trust,
  type TrustedBlock,
  UnverifiedBlock,
  verifyBlock,
  verifyNamed,
} from "./verify";

/** The block that trust begins with: named by somebody, or the newest one that the first endpoint shows. */
type TrustRoot = { readonly height: bigint; readonly hash: Uint8Array } | "first-use";

/** Where the newest trusted block outlives the process. */
interface TrustStore {
  read(): Uint8Array | undefined;
  write(block: Uint8Array): void;
}

export interface LightClientOptions extends Trust {
  readonly root: TrustRoot;
  readonly source: HeaderSource;
  readonly store: TrustStore;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Verified blocks that are kept: reads that cross each other are of neighbouring heights. */
const kept = 64;
/** Distance of two writes of the newest trusted block, in ms: a start verifies on from it. */
const writeInterval = 60_000;

const Stored = z.object({
  header: z.base64(),
  nextValidators: z.array(z.object({ publicKey: z.base64(), power: z.string().regex(/^\d+$/) })),
});

/**
 * Headers of a chain that more than two thirds of its validators signed, from endpoints that are not trusted: begins
 * with a block that somebody vouches for and goes on to later ones, skipping as far as CometBFT's rules allow.
 */
export class LightClient {
  readonly #options: LightClientOptions;
  readonly #now: () => number;
  /** Verified blocks, the oldest first. */
  #trusted: TrustedBlock[] = [];
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** One verification at a time: who comes next begins where it ended. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LightClientOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * The header of a block.
   * @throws {UnverifiedBlock} when what the endpoint shows does not follow from what is trusted, or what its client
   *   throws
   */
  header(height: bigint, signal: AbortSignal): Promise<Header> {
    const verified = this.#last.then(async () => {
      signal.throwIfAborted();
      return (await this.#reach(height, signal)).header;
    });
    this.#last = verified.catch(() => {});
    return verified;
  }

  async #reach(height: bigint, signal: AbortSignal): Promise<TrustedBlock> {
    if (this.#trusted.length === 0) this.#keep(await this.#begin(signal));
    let from = this.#trusted.findLast(({ header }) => header.height <= height);
    if (from === undefined) {
      throw new UnverifiedBlock(`block ${height} is before every block that is trusted`);
    }
    // What is between, where it is too far to skip; the nearest is on top.
    const ahead: ShownBlock[] = [];
    while (from.header.height < height) {
      const shown = ahead.pop() ?? (await this.#shown(height, signal));
      if (verifyBlock(from, shown, this.#options, this.#now()) === "verified") {
        from = { header: shown.header, nextValidators: shown.nextValidators };
        this.#keep(from);
        continue;
      }
      const middle: bigint = (from.header.height + shown.header.height) / 2n;
      ahead.push(shown, await this.#shown(middle, signal));
    }
    return from;
  }

  async #begin(signal: AbortSignal): Promise<TrustedBlock> {
    const { chainId, root, source, trustingPeriod } = this.#options;
    const stored = this.#stored();
    const isOlder = root !== "first-use" && stored !== undefined && stored.header.height < root.height;
    if (stored !== undefined && !isOlder) {
      if (root !== "first-use" && stored.header.height === root.height) requireHash(stored.header, root.hash);
      return stored;
    }
    const height = root === "first-use" ? await source.newestHeight(signal) : root.height;
    const shown = await this.#shown(height, signal);
    verifyNamed(root === "first-use" ? headerHash(shown.header) : root.hash, shown, chainId);
    if (millisecondsOf(shown.header.time) + trustingPeriod <= this.#now()) {
      throw new UnverifiedBlock(`block ${height} of chain.trust is older than the trusting period: name a newer one`);
    }
    return { header: shown.header, nextValidators: shown.nextValidators };
  }

  async #shown(height: bigint, signal: AbortSignal): Promise<ShownBlock> {
    const { source } = this.#options;
    const signed = await source.signedHeader(height, signal);
    if (signed.header.height !== height) {
      throw new UnverifiedBlock(`asked for block ${height}, the endpoint shows ${signed.header.height}`);
    }
    const { nextValidatorsHash, validatorsHash: hash } = signed.header;
    // They seldom change.
    const known = this.#trusted.findLast(({ header }) => Buffer.compare(header.nextValidatorsHash, hash) === 0);
    const validators = known?.nextValidators ?? (await source.validators(height, signal));
    const isUnchanged = Buffer.compare(nextValidatorsHash, hash) === 0;
    const nextValidators = isUnchanged ? validators : await source.validators(height + 1n, signal);
    return { ...signed, validators, nextValidators };
  }

  #keep(block: TrustedBlock): void {
    const after = this.#trusted.findIndex(({ header }) => header.height > block.header.height);
    if (after === -1) this.#trusted.push(block);
    else this.#trusted.splice(after, 0, block);
    if (this.#trusted.length > kept) this.#trusted.shift();
    if (after !== -1 || performance.now() - this.#writtenAt < writeInterval) return;
    this.#writtenAt = performance.now();
    const nextValidators = block.nextValidators.map(({ publicKey, power }) => ({
      publicKey: Buffer.from(publicKey).toString("base64"),
      power: power.toString(),
    }));
    const header = Buffer.from(Header.encode(block.header).finish()).toString("base64");
    this.#options.store.write(Buffer.from(JSON.stringify({ header, nextValidators })));
  }

  #stored(): TrustedBlock | undefined {
    const bytes = this.#options.store.read();
    if (bytes === undefined) return undefined;
    const stored = Stored.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    const header = Header.decode(Buffer.from(stored.header, "base64"));
    const nextValidators = stored.nextValidators.map(({ publicKey, power }) => ({
      publicKey: Uint8Array.from(Buffer.from(publicKey, "base64")),
      power: BigInt(power),
    }));
    if (Buffer.compare(validatorsHash(nextValidators), header.nextValidatorsHash) !== 0) {
      throw new Error(
        "the trusted block that was kept is damaged: restore the agent's home, or name one in chain.trust",
      );
    }
    return { header, nextValidators };
  }
}

function requireHash(header: Header, hash: Uint8Array): void {
  if (Buffer.compare(headerHash(header), hash) === 0) return;
  throw new UnverifiedBlock(
    `chain.trust names another block ${header.height} than the one that was trusted so far: one of the two is wrong`,
  );
}
