import { keyBytes, keyString } from "./keys";
import { type HashText, hashText } from "./sha256";

/** A key and the hash that stands for it and its value. */
export interface Leaf {
  readonly kind: "leaf";
  readonly key: string;
  readonly hash: HashText;
}

/** The page one level down. */
export interface Child {
  readonly kind: "child";
  readonly hash: HashText;
  /** As `Page.size`. */
  readonly size: number;
  /** Where it lies in the same record; else it is in one of its own. */
  readonly page?: Page;
}

export type Slot = Leaf | Child;

export const slotsPerPage = 16;

/**
 * Most bytes of a record that holds a page with all that is below it. lmdb keeps up to two such records in one of its own
 * pages of 4 KiB, and sets one of its own aside for what is larger.
 */
const mostBytes = 1_900;
/** The size of all that does not fit a record. */
const tooLarge = 0xffff;

const leafTag = 1;
/** A child in another record. */
const childTag = 2;
/** A child in the same one. */
const nestedTag = 3;
const hashBytes = 32;
/** Slot, tag, length and hash, before a leaf's key or what is below a child. */
const headBytes = 4 + hashBytes;
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
  /** 0: not counted. */
  private knownSize = 0;
  private knownCount = 1;

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
    const before = this.slots[index];
    this.slots[index] = slot;
    this.knownSize = 0;
    // The same child, moved to another record.
    if (before !== undefined && before.hash === slot?.hash) return;
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

  /** Bytes of the record that holds the page with all that is below it, in whatever records it is; 65,535 where none does. */
  get size(): number {
    if (this.knownSize === 0) this.measure();
    return this.knownSize;
  }

  /** Whether one record holds the page with all that is below it: then it does. */
  get fits(): boolean {
    return this.size !== tooLarge;
  }

  /** Pages that are decoded with it, and itself. */
  get count(): number {
    if (this.knownSize === 0) this.measure();
    return this.knownCount;
  }

  /** The record of a page, with the pages below that are in no record of their own. */
  encode(): Buffer {
    return keyBytes(this.text());
  }

  /** The same without what refers to other records. */
  encodeOwn(): Buffer {
    return new Page(this.slots.map((slot) => (isElsewhere(slot) ? undefined : slot))).encode();
  }

  static decode(bytes: Buffer): Page {
    const text = keyString(bytes);
    return decodeText(text, 0, text.length);
  }

  // PERF: a block encodes every record that it changes: one text, turned into bytes in one go.
  private text(): string {
    let text = "";
    for (let index = 0; index < slotsPerPage; index++) {
      const slot = this.slots[index];
      if (slot === undefined) continue;
      if (slot.kind === "leaf") text += head(index, leafTag, slot.key.length) + slot.hash + slot.key;
      else if (slot.page === undefined) text += head(index, childTag, slot.size) + slot.hash;
      else text += head(index, nestedTag, slot.size) + slot.hash + slot.page.text();
    }
    return text;
  }

  private measure(): void {
    let size = 0;
    let count = 1;
    for (let index = 0; index < slotsPerPage; index++) {
      const slot = this.slots[index];
      if (slot === undefined) continue;
      if (slot.kind === "leaf") size += headBytes + slot.key.length;
      else {
        size += headBytes + slot.size;
        if (slot.page !== undefined) count += slot.page.count;
      }
    }
    this.knownSize = size > mostBytes ? tooLarge : size;
    this.knownCount = count;
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

function head(index: number, tag: number, length: number): string {
  return String.fromCharCode(index, tag, length >> 8, length & 0xff);
}

function isElsewhere(slot: Slot | undefined): boolean {
  return slot?.kind === "child" && slot.page === undefined;
}

function decodeText(text: string, start: number, end: number): Page {
  const slots = new Array<Slot | undefined>(slotsPerPage).fill(undefined);
  for (let at = start; at < end; ) {
    const index = text.charCodeAt(at);
    const tag = text.charCodeAt(at + 1);
    const length = (text.charCodeAt(at + 2) << 8) | text.charCodeAt(at + 3);
    const hash = text.slice(at + headBytes - hashBytes, at + headBytes);
    at += headBytes;
    if (tag === childTag) slots[index] = { kind: "child", hash, size: length };
    else {
      const next = at + length;
      slots[index] =
        tag === leafTag
          ? { kind: "leaf", key: text.slice(at, next), hash }
          : { kind: "child", hash, size: length, page: decodeText(text, at, next) };
      at = next;
    }
  }
  return new Page(slots);
}
