import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { formatRatePerBlock, orderKey, parseRate } from "@dcx/protocol";
import { z } from "zod";
import { atLeast, groupsOf, type PriceAnswer, type PricingSituation, type PricingStrategy } from "./pricing";

export interface ScriptPricingOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Milliseconds that it may take for one order. */
  readonly timeout: number;
  /** Least that one compute unit costs: micro-units per block scaled by 10^18. */
  readonly floor: bigint;
  /** Milliseconds. */
  readonly blockInterval: bigint;
  readonly logger: { warn(details: object, message: string): void };
}

const price = z.union([z.string(), z.number()]);
const Answer = z.union([
  /** One for each group, as in a program: `"0.30/h"`, `"20u/block"`. */
  z.object({ prices: z.array(price) }),
  /** Why it does not want the order: the tenant reads it. */
  z.object({ refuse: z.string().max(500) }),
]);

/** Bytes that a script may print. */
const longestAnswer = 64 * 1024;
/** Orders that wait for their price at a time; quotes beyond are refused. */
const mostWaiting = 64;

/**
 * Prices by a program of the operator's: it reads one JSON object and prints one. It runs once an order, one at a time. What it gets
 * wrong is no bid: the reason is in the log, and tenants learn only that there is no price.
 * docs/datacenter.md describes what goes in and out.
 */
export class ScriptPricing implements PricingStrategy {
  readonly #options: ScriptPricingOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: ScriptPricingOptions) {
    this.#options = options;
  }

  async prices(situation: PricingSituation): Promise<PriceAnswer> {
    if (this.#waiting >= mostWaiting) return { refused: "has too many prices to find at the moment" };
    this.#waiting += 1;
    const mine = this.#last.then(() => this.#ask(situation));
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } catch (error) {
      const order = situation.order.id === undefined ? "" : orderKey(situation.order.id);
      this.#options.logger.warn({ order, err: error }, "the pricing script gave no price");
      return { refused: "could not find a price" };
    } finally {
      this.#waiting -= 1;
    }
  }

  async #ask(situation: PricingSituation): Promise<PriceAnswer> {
    const { blockInterval, floor } = this.#options;
    const groups = groupsOf(situation.order);
    const answer = Answer.parse(JSON.parse(await this.#run(JSON.stringify(describe(situation, blockInterval)))));
    if ("refuse" in answer) return { refused: answer.refuse };
    if (answer.prices.length !== groups.length) {
      throw new Error(`it printed ${answer.prices.length} prices for ${groups.length} groups`);
    }
    return { prices: answer.prices.map((written) => atLeast(floor, parseRate(written, blockInterval))) };
  }

  async #run(input: string): Promise<string> {
    const [file = "", ...rest] = this.#options.command;
    const { timeout } = this.#options;
    const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
    const child = spawn(file, rest, { stdio: "pipe", env: environment });
    const timer = setTimeout(() => child.kill("SIGKILL"), timeout);
    // It may not care to read.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    let printed = 0;
    child.stdout.on("data", (data: Buffer) => {
      printed += data.length;
      if (printed > longestAnswer) child.kill("SIGKILL");
    });
    const ended = new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (printed > longestAnswer) reject(new Error(`it printed more than ${longestAnswer} bytes`));
        else if (signal !== null) reject(new Error(`it was ended (${signal}): it may take ${timeout} ms`));
        else if (code === 0) resolve();
        else reject(new Error(`it exited with ${code}`));
      });
    });
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), ended]).finally(() =>
      clearTimeout(timer),
    );
    if (errors.trim() !== "") this.#options.logger.warn({ stderr: errors.slice(0, 2_000) }, "the pricing script said");
    return output;
  }
}

/** What goes in: sizes in bytes and amounts as decimal text, prices as a program writes them. */
function describe({ order, free, total }: PricingSituation, blockInterval: bigint): object {
  const capacity = ({ cpu, memory, disk, gpu }: PricingSituation["free"]) => ({
    cpu: Number(cpu) / 1000,
    memory: memory.toString(),
    disk: disk.toString(),
    gpu: Number(gpu),
  });
  return {
    ...(order.id === undefined || order.id.sequence === 0n ? {} : { order: orderKey(order.id) }),
    ...(order.id === undefined || order.id.tenant === "" ? {} : { tenant: order.id.tenant }),
    region: order.terms?.region ?? "",
    attributes: Object.fromEntries((order.terms?.attributes ?? []).map(({ key, value }) => [key, value])),
    groups: groupsOf(order).map(({ collateral, compute, count, price: most }) => ({
      cpu: Number(compute?.cpu ?? 0n) / 1000,
      memory: (compute?.memory ?? 0n).toString(),
      disk: (compute?.disk ?? 0n).toString(),
      ...(compute?.gpu === undefined ? {} : { gpu: compute.gpu }),
      count,
      collateral: collateral.toString(),
      maxPrice: formatRatePerBlock(BigInt(most || "0")),
    })),
    capacity: { total: capacity(total), free: capacity(free) },
    blockInterval: Number(blockInterval),
  };
}
