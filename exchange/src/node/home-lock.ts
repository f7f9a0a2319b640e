import { realpathSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { sha256 } from "../storage/sha256";

/** Keeps a second node out of a folder, until released or until the process is gone, however it went. */
export interface HomeLock {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process. What is held is a listening socket, for the operating system takes that back
 * from a process that was killed; a lock file would have to be judged stale.
 * @throws when another node has the folder
 */
export async function lockHome(home: string): Promise<HomeLock> {
  const address = lockAddress(home);
  for (let attempt = 0; ; attempt++) {
    const server = createServer((socket) => socket.destroy());
    try {
      await listen(server, address);
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    } catch (error) {
      if (!isTaken(error)) throw error;
      // Where the address is a file, it outlives its process.
      if (attempt === 0 && !address.startsWith("\0") && !(await answers(address))) unlinkSync(address);
      else
        throw new Error(`another node is running on ${home}: stop it first, or use another folder`, { cause: error });
    }
  }
}

function isTaken(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "EADDRINUSE";
}

function lockAddress(home: string): string {
  const name = `dcx-node-${sha256(Buffer.from(realpathSync(home)))
    .toString("hex")
    .slice(0, 32)}`;
  if (process.platform === "linux") return `\0${name}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(home, "lock.sock");
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.unref();
      resolve();
    });
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
