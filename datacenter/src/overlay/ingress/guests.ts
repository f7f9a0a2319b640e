import type { Socket } from "node:net";

export interface GuestLimits {
  /** Connections at a time, of all. */
  readonly connections: number;
  /** Connections at a time, of one address. */
  readonly connectionsPerAddress: number;
}

/** Counts those who are connected: nobody takes all of it. */
export class Guests {
  readonly #limits: GuestLimits;
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  constructor(limits: GuestLimits) {
    this.#limits = limits;
  }

  /** Counts a connection until it closes. Else says why there is no place for it. */
  admit(socket: Socket): string | undefined {
    const { connections, connectionsPerAddress } = this.#limits;
    const address = networkOf(socket.remoteAddress ?? "");
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.#count >= connections) return `there are ${connections} connections already`;
    if (ofAddress >= connectionsPerAddress) return `there are ${ofAddress} connections from ${address} already`;
    this.#count += 1;
    this.#byAddress.set(address, ofAddress + 1);
    socket.once("close", () => {
      this.#count -= 1;
      const left = (this.#byAddress.get(address) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, left);
    });
    return undefined;
  }
}

/** Who has one IPv6 address has its whole network of 64 bits. */
function networkOf(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [head = "", tail] = address.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return `${[...first, ...Array<string>(zeros).fill("0"), ...last].slice(0, 4).join(":")}::/64`;
}
