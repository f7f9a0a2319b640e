import { ModelNetwork } from "../../network/model/model-network";
import type { ActualDeployment, ActualInfrastructure } from "../../network/snapshot";
import { type Kept, ModelProvider } from "../../server/testing/model-provider";
import type { ValueMap } from "../../wire/value";

/** Of the deployment that a pipeline makes first. */
export const key = { tenant: "dcx1tenant", sequence: 1n };

/** The runs of one program, as the engine goes about it: each run is a process of its own, and reads before it compares. */
export class Pipeline {
  readonly network = new ModelNetwork();
  readonly #kept = new Map<string, { type: string; inputs: ValueMap; kept: Kept }>();

  constructor() {
    this.network.addDatacenter("sierra", "us-west");
    this.network.addDatacenter("summit", "us-west", 2n * 10n ** 18n);
  }

  async create(type: string, name: string, inputs: ValueMap): Promise<Kept> {
    await using run = await ModelProvider.start(this.network);
    const kept = await run.create(type, name, inputs);
    expect(kept.reasons).toEqual([]);
    this.#kept.set(name, { type, inputs: await run.check(type, name, inputs), kept });
    return kept;
  }

  /** What `pulumi refresh` records. */
  async refresh(name = "shop"): Promise<Kept | undefined> {
    const { type, kept } = this.#known(name);
    await using run = await ModelProvider.start(this.network);
    return await run.read(type, name, kept);
  }

  /** What `pulumi preview` shows: paths, or why it is not done. */
  async preview(name = "shop"): Promise<readonly string[]> {
    const { type, inputs, kept } = this.#known(name);
    await using run = await ModelProvider.start(this.network);
    const seen = await run.read(type, name, kept);
    return seen === undefined ? ["gone"] : [...(await run.diff(type, name, seen, inputs)), ...seen.reasons];
  }

  /** `pulumi up`. */
  async up(name = "shop"): Promise<Kept> {
    const { type, inputs, kept } = this.#known(name);
    await using run = await ModelProvider.start(this.network);
    const seen = await run.read(type, name, kept);
    const next =
      seen === undefined
        ? await run.create(type, name, inputs)
        : (await run.diff(type, name, seen, inputs)).length + seen.reasons.length > 0
          ? await run.update(type, name, seen, inputs)
          : seen;
    this.#kept.set(name, { type, inputs, kept: next });
    return next;
  }

  /** Whether nothing is left to do. */
  async settled(name = "shop"): Promise<void> {
    expect(await this.preview(name)).toEqual([]);
    const { inputs } = this.#known(name);
    expect((await this.refresh(name))?.inputs).toEqual(inputs);
  }

  get actual(): ActualDeployment {
    const actual = this.network.deployments.get(`${key.tenant}/${key.sequence}`);
    if (actual === undefined) {
      throw new Error("there is no deployment");
    }
    return actual;
  }

  /** As a manager or another program changes it: with a revision of its own. */
  change(change: (actual: ActualDeployment) => Partial<ActualDeployment>): void {
    this.network.change(key, (actual) => ({ ...actual, revision: actual.revision + 1n, ...change(actual) }));
  }

  /** As the chain changes it. */
  west(change: (west: ActualInfrastructure) => Partial<ActualInfrastructure>): void {
    this.network.change(key, (actual) => {
      const west = actual.infrastructures["west"];
      return west === undefined
        ? actual
        : { ...actual, infrastructures: { ...actual.infrastructures, west: { ...west, ...change(west) } } };
    });
  }

  #known(name: string): { type: string; inputs: ValueMap; kept: Kept } {
    const known = this.#kept.get(name);
    if (known === undefined) {
      throw new Error(`nothing made ${name}`);
    }
    return known;
  }
}
