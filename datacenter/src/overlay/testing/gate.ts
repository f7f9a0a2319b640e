import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { servers } from "./worlds";

/** A way to an address on which a test decides what gets through. */
export class Gate {
  /** Connections that there were. */
  opened = 0;
  /** Pieces from callers that wait. */
  held = 0;
  /** Pieces of silenced connections. */
  swallowed = 0;
  readonly #waiting: (() => void)[] = [];
  #silenced = 0;

  constructor(
    readonly address: string,
    private holding: boolean,
  ) {}

  /** @param number of the connection, from 1 @param first whether it is its first piece, which is never held */
  pass(number: number, first: boolean, act: () => void): void {
    if (number <= this.#silenced) {
      this.swallowed += 1;
      return;
    }
    if (!this.holding || first) {
      act();
      return;
    }
    this.held += 1;
    this.#waiting.push(act);
  }

  /** Lets through what was held, and all that follows. */
  release(): void {
    this.holding = false;
    for (const act of this.#waiting.splice(0)) act();
  }

  /** From now on nothing gets through on the connections that there are, not even their end. */
  silence(): void {
    this.#silenced = this.opened;
  }
}

/** @param options.holding what callers say after their first piece is held until `release` */
export async function gateTo(address: string, { holding = false }: { readonly holding?: boolean }): Promise<Gate> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const server = createServer({ allowHalfOpen: true }, (caller) => {
    const callee = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    gate.opened += 1;
    const number = gate.opened;
    let first = true;
    caller.on("data", (data) => {
      gate.pass(number, first, () => callee.write(data));
      first = false;
    });
    callee.on("data", (data) => gate.pass(number, true, () => caller.write(data)));
    caller.on("end", () => gate.pass(number, true, () => callee.end()));
    callee.on("end", () => gate.pass(number, true, () => caller.end()));
    caller.on("error", () => undefined).on("close", () => callee.destroy());
    callee.on("error", () => caller.destroy());
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const gate = new Gate(`127.0.0.1:${(server.address() as AddressInfo).port}`, holding);
  return gate;
}
