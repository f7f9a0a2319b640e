import type { ExecTxResult, Event as WireEvent } from "cosmjs-types/tendermint/abci/types";
import type { StoredBlock } from "./block-store";

/** Something that happened on the chain, with the values by which a subscription's query may ask for it. */
export interface ChainEvent {
  readonly type: "NewBlock" | "NewBlockHeader" | "Tx";
  readonly block: StoredBlock;
  /** Of a Tx. */
  readonly transaction?: { readonly index: number; readonly hash: Uint8Array; readonly result: ExecTxResult };
  readonly values: ReadonlyMap<string, readonly string[]>;
}

type Listener = (event: ChainEvent) => void;

/** Tells whoever listens about committed blocks. Nothing is prepared while nobody does. */
export class ChainEvents {
  private readonly listeners = new Set<Listener>();

  /** @returns what ends it */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  publish(block: StoredBlock, hashes: readonly Uint8Array[]): void {
    if (this.listeners.size === 0) return;
    const height = block.block.header.height.toString();
    const blockValues = valuesOf(block.results.events);
    blockValues.set("block.height", [height]);
    this.send({ type: "NewBlock", block, values: withType(blockValues, "NewBlock") });
    this.send({ type: "NewBlockHeader", block, values: withType(blockValues, "NewBlockHeader") });
    for (const [index, hash] of hashes.entries()) {
      const result = block.results.txResults[index];
      if (result === undefined) continue;
      const values = valuesOf(result.events);
      values.set("tx.hash", [Buffer.from(hash).toString("hex").toUpperCase()]);
      values.set("tx.height", [height]);
      this.send({ type: "Tx", block, transaction: { index, hash, result }, values: withType(values, "Tx") });
    }
  }

  private send(event: ChainEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}

function withType(values: Map<string, string[]>, type: string): Map<string, string[]> {
  return new Map(values).set("tm.event", [type]);
}

function valuesOf(events: readonly WireEvent[]): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const event of events) {
    for (const { key, value } of event.attributes) {
      const name = `${event.type}.${key}`;
      const known = values.get(name);
      if (known === undefined) values.set(name, [value]);
      else known.push(value);
    }
  }
  return values;
}
