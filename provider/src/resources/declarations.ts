/** Who declares which entries in this process, as its checks have seen. */
export class Declarations {
  readonly #byUrn = new Map<
    string,
    { readonly deployment: string | undefined; readonly entries: ReadonlySet<string> }
  >();
  readonly #inline = new Map<string, string>();

  /** @param deployment id; absent: not known yet */
  declare(urn: string, deployment: string | undefined, entries: readonly string[]): void {
    this.#byUrn.set(urn, { deployment, entries: new Set(entries) });
  }

  /** A resource that is deleted declares nothing any more. */
  withdraw(urn: string): void {
    this.#byUrn.delete(urn);
  }

  /** URNs that declare this entry, besides `urn` itself. */
  others(urn: string, entry: string): readonly string[] {
    return [...this.#byUrn]
      .filter(([other, { entries }]) => other !== urn && entries.has(entry))
      .map(([other]) => other);
  }

  /** Records whether a deployment declares its entries inline. */
  deployment(id: string, urn: string, inline: boolean): void {
    if (inline) {
      this.#inline.set(id, urn);
    } else {
      this.#inline.delete(id);
    }
  }

  /** The URN of a deployment that declares its entries inline, so that no other resource may. */
  inlineUrn(id: string): string | undefined {
    return this.#inline.get(id);
  }
}
