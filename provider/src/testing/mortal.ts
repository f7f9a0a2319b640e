import type { NetworkDriver } from "../network/driver";

/** When a process dies: at which of its calls to the network, and on which side of it. */
export interface Death {
  /** From 1; absent: it lives. */
  readonly call?: number;
  /** `before`: the network never hears of the call; `after`: it does what it is asked, and nobody hears the answer. */
  readonly side: "before" | "after";
}

/**
 * A network as a process sees it that dies at one of its calls: from then on nothing of that process reaches the
 * network, and nothing comes back.
 */
export class MortalNetwork {
  calls = 0;
  #dead = false;
  readonly driver: NetworkDriver;

  constructor(network: NetworkDriver, death: Death, onDeath: () => void) {
    const never = new Promise<never>(() => {});
    this.driver = new Proxy(network, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== "function") {
          return member;
        }
        return (...args: unknown[]): unknown => {
          if (this.#dead) {
            return never;
          }
          this.calls += 1;
          if (this.calls !== death.call) {
            return this.#alive(Reflect.apply(member, target, args), never);
          }
          this.#dead = true;
          const done = death.side === "after" ? Promise.resolve(Reflect.apply(member, target, args)) : never;
          if (death.side === "before") {
            onDeath();
          } else {
            done.then(onDeath, onDeath);
          }
          return never;
        };
      },
    });
  }

  #alive(answer: unknown, never: Promise<never>): unknown {
    if (!(answer instanceof Promise)) {
      return answer;
    }
    // An answer that comes after its death is heard by nobody.
    return answer.then(
      (value) => (this.#dead ? never : value),
      (error) => (this.#dead ? never : Promise.reject(error)),
    );
  }
}
