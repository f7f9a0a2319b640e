import { formatTokens } from "@dcx/protocol";

/** What the deployments of one process may cost together (design: spending limits refuse a plan). */
export class Spending {
  /** Micro-units a month at most, by URN. */
  readonly #byUrn = new Map<string, bigint>();
  #total = 0n;

  /** @param limit micro-units a month; absent: none */
  constructor(readonly limit: bigint | undefined) {}

  /** Records what a deployment can cost a month; says why that is too much, together with the others. */
  declare(urn: string, mostPerMonth: bigint): string | undefined {
    this.#total += mostPerMonth - (this.#byUrn.get(urn) ?? 0n);
    this.#byUrn.set(urn, mostPerMonth);
    if (this.limit === undefined || this.#total <= this.limit) {
      return undefined;
    }
    const each = [...this.#byUrn].map(([one, most]) => `${one.split("::").at(-1)} ${formatTokens(most)}`).join(", ");
    return (
      `dcx:maxCostPerMonth is ${formatTokens(this.limit)}, and what is declared costs up to ${formatTokens(this.#total)} a ` +
      `month at its maximum prices (${each}). Lower a maxPrice or a count, or raise the limit`
    );
  }
}
