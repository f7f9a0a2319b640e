import type { Socket } from "node:net";
import { networkOf } from "./network-of";

export interface GuestLimits {
  /** Connections at a time, of all. */
  readonly connections: number;
  /** Connections at a time, of one address. */
  readonly connectionsPerAddress: number;
}

/** Counts those who are connected: nobody takes all of it. */
export class Guests {
  readonly #limits: GuestLimits;
  /** With the address of each, the first to come first. */
  readonly #guests = new Map<Socket, string>();
  readonly #byAddress = new Map<string, number>();

  constructor(limits: GuestLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#guests.size;
  }

  /** Who has been here longest. */
  get first(): Socket | undefined {
    return this.#guests.keys().next().value;
  }

  /** All that are here. */
  get all(): Iterable<Socket> {
    return this.#guests.keys();
  }

  /** Counts a connection until it closes, or leaves. Else says why there is no place for it. */
  admit(socket: Socket): string | undefined {
    const { connections, connectionsPerAddress } = this.#limits;
    const address = networkOf(socket.remoteAddress ?? "");
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.size >= connections) return `there are ${connections} connections already`;
    if (ofAddress >= connectionsPerAddress) return `there are ${ofAddress} connections from ${address} already`;
    this.#guests.set(socket, address);
    this.#byAddress.set(address, ofAddress + 1);
    socket.once("close", () => this.leave(socket));
    return undefined;
  }

  /** A connection that counts no more, though it is open. */
  leave(socket: Socket): void {
    const address = this.#guests.get(socket);
    if (address === undefined) return;
    this.#guests.delete(socket);
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }
}
