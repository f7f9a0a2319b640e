import { keyString } from "./keys";
import { sha256 } from "./sha256";

/** A key and the hash that stands for it and its value. */
export interface Leaf {
  readonly kind: "leaf";
  readonly key: string;
  readonly hash: Buffer;
}

/** The hash of the page one level down. */
export interface Child {
  readonly kind: "child";
  readonly hash: Buffer;
}

export type Slot = Leaf | Child;

export const slotsPerPage = 16;

const leafTag = 1;
const childTag = 2;
const hashBytes = 32;
const innerBuffer = Buffer.alloc(1 + 2 * hashBytes);

/** The hash of an inner node: 0x01 | left | right. */
export function innerHash(left: Buffer, right: Buffer): Buffer {
  innerBuffer[0] = 1;
  left.copy(innerBuffer, 1);
  right.copy(innerBuffer, 1 + hashBytes);
  return sha256(innerBuffer);
}

/**
 * Four levels of the binary tree: the slots of one path of half-bytes. Pages are values of the cache and of the
 * committed tree: to change one, copy it first.
 */
export class Page {
  // The binary tree over the slots as a heap: nodes[1] is the root, nodes[16 + i] belongs to slot i.
  // null: computed, nothing below. undefined: not computed.
  private readonly nodes: (Buffer | null | undefined)[];

  constructor(
    private readonly slots: (Slot | undefined)[] = new Array<Slot | undefined>(slotsPerPage).fill(undefined),
    nodes?: (Buffer | null | undefined)[],
  ) {
    this.nodes = nodes ?? new Array<Buffer | null | undefined>(2 * slotsPerPage).fill(undefined);
  }

  copy(): Page {
    return new Page(this.slots.slice(), this.nodes.slice());
  }

  slot(index: number): Slot | undefined {
    return this.slots[index];
  }

  setSlot(index: number, slot: Slot | undefined): void {
    this.slots[index] = slot;
    for (let node = slotsPerPage + index; node > 0; node >>= 1) this.nodes[node] = undefined;
  }

  /** The only leaf, if nothing else is here; "empty" if nothing is; undefined if there is more. */
  single(): Leaf | "empty" | undefined {
    let found: Slot | undefined;
    for (const slot of this.slots) {
      if (slot === undefined) continue;
      if (found !== undefined) return undefined;
      found = slot;
    }
    if (found === undefined) return "empty";
    return found.kind === "leaf" ? found : undefined;
  }

  /** The hash of everything below, null if that is nothing. */
  root(): Buffer | null {
    return this.node(1);
  }

  /** The siblings that a proof for the slot needs, from the slot upwards; levels with an empty sibling are left out. */
  siblings(index: number): { readonly hash: Buffer; readonly side: "left" | "right" }[] {
    const path: { hash: Buffer; side: "left" | "right" }[] = [];
    for (let node = slotsPerPage + index; node > 1; node >>= 1) {
      const sibling = this.node(node ^ 1);
      if (sibling !== null) path.push({ hash: sibling, side: node & 1 ? "left" : "right" });
    }
    return path;
  }

  // PERF: a block encodes every page that it changes; one buffer each, written in place.
  encode(): Buffer {
    let length = 0;
    for (const slot of this.slots) {
      if (slot !== undefined) length += 2 + hashBytes + (slot.kind === "leaf" ? 2 + slot.key.length : 0);
    }
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for (let index = 0; index < slotsPerPage; index++) {
      const slot = this.slots[index];
      if (slot === undefined) continue;
      bytes[at++] = index;
      if (slot.kind === "child") {
        bytes[at++] = childTag;
      } else {
        bytes[at++] = leafTag;
        bytes[at++] = slot.key.length >> 8;
        bytes[at++] = slot.key.length & 0xff;
        at += bytes.write(slot.key, at, "latin1");
      }
      bytes.set(slot.hash, at);
      at += hashBytes;
    }
    return bytes;
  }

  static decode(bytes: Buffer): Page {
    const page = new Page();
    let at = 0;
    while (at < bytes.length) {
      const index = bytes.readUInt8(at);
      const tag = bytes.readUInt8(at + 1);
      at += 2;
      if (tag === leafTag) {
        const length = bytes.readUInt16BE(at);
        at += 2;
        const key = keyString(bytes.subarray(at, at + length));
        at += length;
        page.slots[index] = { kind: "leaf", key, hash: Buffer.from(bytes.subarray(at, at + hashBytes)) };
      } else {
        page.slots[index] = { kind: "child", hash: Buffer.from(bytes.subarray(at, at + hashBytes)) };
      }
      at += hashBytes;
    }
    return page;
  }

  private node(index: number): Buffer | null {
    const known = this.nodes[index];
    if (known !== undefined) return known;
    const computed = this.compute(index);
    this.nodes[index] = computed;
    return computed;
  }

  // A node with one child is its child: the tree has no node that does not branch.
  private compute(index: number): Buffer | null {
    if (index >= slotsPerPage) return this.slots[index - slotsPerPage]?.hash ?? null;
    const left = this.node(2 * index);
    const right = this.node(2 * index + 1);
    if (left === null) return right;
    if (right === null) return left;
    return innerHash(left, right);
  }
}
