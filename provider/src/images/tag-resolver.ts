import type { RegistryCredentials } from "@dcx/protocol";
import { digestInRegistry, registryOf } from "./registry-digest";

export interface WantedImage {
  readonly image: string;
  readonly credentials?: RegistryCredentials | undefined;
}

/** What tags stand for, as far as somebody tells in time. For people to read: nothing else depends on it. */
export interface TagResolver {
  /** Digests by image. Whatever is not told in time is left out; never rejects. */
  resolve(images: readonly WantedImage[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
}

/** Milliseconds that all registries together have. */
const PATIENCE = 1500;

/**
 * Asks the registries. A preview is not to be slow because of one: all have a short time, each image is asked for once in
 * a process, and a registry that was silent once is not asked again.
 */
export class RegistryTagResolver implements TagResolver {
  readonly #answers = new Map<string, Promise<string | undefined>>();
  readonly #silent = new Set<string>();

  constructor(private readonly patience = PATIENCE) {}

  async resolve(images: readonly WantedImage[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const found = await Promise.all(images.map(async (one) => [one.image, await this.#ask(one)] as const));
    signal.throwIfAborted();
    return new Map(found.flatMap(([image, digest]) => (digest === undefined ? [] : [[image, digest] as const])));
  }

  #ask({ image, credentials }: WantedImage): Promise<string | undefined> {
    const host = registryOf(image)?.host;
    if (host === undefined || this.#silent.has(host)) {
      return Promise.resolve(undefined);
    }
    const key = JSON.stringify([image, credentials?.username, credentials?.password]);
    const known = this.#answers.get(key);
    if (known !== undefined) {
      return known;
    }
    const answer = digestInRegistry(image, credentials, AbortSignal.timeout(this.patience)).catch(() => {
      this.#silent.add(host);
      return undefined;
    });
    this.#answers.set(key, answer);
    return answer;
  }
}
