import { keyBytes, keyString } from "./keys";
import { type HashText, hashText } from "./sha256";

/** A key and the hash that stands for it and its value. */
export interface Leaf {
  readonly kind: "leaf";
  readonly key: string;
  readonly hash: HashText;
}

/** The hash of the page one level down. */
export interface Child {
  readonly kind: "child";
  readonly hash: HashText;
}

export type Slot = Leaf | Child;

const slotsPerPage = 16;

const leafTag = 1;
const childTag = 2;
const hashBytes = 32;
const innerBuffer = Buffer.alloc(1 + 2 * hashBytes, 1);

/** The hash of an inner node: 0x01 | left | right. */
function innerHash(left: HashText, right: HashText): HashText {
  innerBuffer.write(left, 1, "latin1");
  innerBuffer.write(right, 1 + hashBytes, "latin1");
  return hashText(innerBuffer);
}

/**
 * Four levels of the binary tree: the slots of one path of half-bytes. Pages are values of the cache and of the
 * committed tree: to change one, copy it first.
 */
export class Page {
  // The binary tree over the slots as a heap: nodes[1] is the root, nodes[16 + i] belongs to slot i.
  // null: computed, nothing below. undefined: not computed.
  private readonly nodes: (HashText | null | undefined)[];

  constructor(
    private readonly slots: (Slot | undefined)[] = new Array<Slot | undefined>(slotsPerPage).fill(undefined),
    nodes?: (HashText | null | undefined)[],
  ) {
    this.nodes = nodes ?? new Array<HashText | null | undefined>(2 * slotsPerPage).fill(undefined);
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
  root(): HashText | null {
    return this.node(1);
  }

  /** The siblings that a proof for the slot needs, from the slot upwards; levels with an empty sibling are left out. */
  siblings(index: number): { readonly hash: HashText; readonly side: "left" | "right" }[] {
    const path: { hash: HashText; side: "left" | "right" }[] = [];
    for (let node = slotsPerPage + index; node > 1; node >>= 1) {
      const sibling = this.node(node ^ 1);
      if (sibling !== null) path.push({ hash: sibling, side: node & 1 ? "left" : "right" });
    }
    return path;
  }

  // PERF: a block encodes every page that it changes: one text, turned into bytes in one go.
  encode(): Buffer {
    let text = "";
    for (let index = 0; index < slotsPerPage; index++) {
      const slot = this.slots[index];
      if (slot === undefined) continue;
      if (slot.kind === "child") text += String.fromCharCode(index, childTag) + slot.hash;
      else {
        const { length } = slot.key;
        text += String.fromCharCode(index, leafTag, length >> 8, length & 0xff) + slot.key + slot.hash;
      }
    }
    return keyBytes(text);
  }

  static decode(bytes: Buffer): Page {
    const page = new Page();
    const text = keyString(bytes);
    let at = 0;
    while (at < text.length) {
      const index = text.charCodeAt(at);
      const tag = text.charCodeAt(at + 1);
      at += 2;
      if (tag === leafTag) {
        const length = (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);
        at += 2;
        const key = text.slice(at, at + length);
        at += length;
        page.slots[index] = { kind: "leaf", key, hash: text.slice(at, at + hashBytes) };
      } else {
        page.slots[index] = { kind: "child", hash: text.slice(at, at + hashBytes) };
      }
      at += hashBytes;
    }
    return page;
  }

  private node(index: number): HashText | null {
    const known = this.nodes[index];
    if (known !== undefined) return known;
    const computed = this.compute(index);
    this.nodes[index] = computed;
    return computed;
  }

  // A node with one child is its child: the tree has no node that does not branch.
  private compute(index: number): HashText | null {
    if (index >= slotsPerPage) return this.slots[index - slotsPerPage]?.hash ?? null;
    const left = this.node(2 * index);
    const right = this.node(2 * index + 1);
    if (left === null) return right;
    if (right === null) return left;
    return innerHash(left, right);
  }
}
