import { createServer } from "node:net";

/**
 * Ports that are free on the loopback interface now, below the range that connections take theirs from: a program that is
 * killed and started again finds its port free, which another's connection could have by then.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let attempt = 0; found.length < count; attempt++) {
    if (attempt > 200) {
      throw new Error("no free ports between 20000 and 32000");
    }
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!found.includes(port) && (await isFree(port))) {
      found.push(port);
    }
  }
  return found;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
