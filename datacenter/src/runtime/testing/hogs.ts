import type { Limit, Limits } from "../runtime";

/** A program that takes all that it is let of one thing. */
export interface Hog {
  /** What it runs into; where a runtime does not enforce it, it takes from its neighbours. */
  readonly limit: Limit;
  /**
   * Of Node's. Says "hogging" once it does so, goes on for as long as it is let, and says "met <what>" the first times
   * when it learns of its limit.
   */
  readonly script: string;
}

/** With those of the neighbour less than the two processors that there are. */
export const hogLimits: Limits = { cpu: 250, memory: 256n << 20n, disk: 64n << 20n, processes: 64 };

/** Bytes of the volume at `/data` that a hog is to be given. */
export const hogVolume = 32n << 20n;

const met = "let times = 0; const met = (what) => { if (times++ < 3) console.log('met ' + what); };";

export const hogs = {
  "cpu spinner": {
    limit: "cpu",
    // It can't tell: the kernel's counters say how often it had to wait.
    script: `
      const { Worker } = require("worker_threads");
      for (let n = 0; n < 8; n++) new Worker("for (;;);", { eval: true });
      console.log("hogging");`,
  },
  // What takes the memory is a child: were the instance itself killed and started again, the work would be the engine's.
  "memory hog": {
    limit: "memory",
    script: `${met}
      const { spawn } = require("child_process");
      const eat = "const kept = []; const eat = () => { kept.push(Buffer.alloc(8 << 20, 1)); setImmediate(eat); }; eat()";
      const again = () => spawn(process.execPath, ["-e", eat]).on("exit", (_, signal) => { met(signal); again(); });
      again();
      console.log("hogging");`,
  },
  "fork bomb": {
    limit: "processes",
    script: `${met}
      const { spawn } = require("child_process");
      console.log("hogging");
      const attempt = () => spawn(process.execPath, ["-e", "for (;;);"]).on("error", ({ code }) => met(code));
      const fork = () => { for (let n = 0; n < 8; n++) attempt(); setTimeout(fork, 20); };
      fork();`,
  },
  "disk filler": {
    limit: "disk",
    script: `${met}
      const fs = require("fs"); const block = Buffer.alloc(1 << 20, 1);
      console.log("hogging");
      const fill = () => {
        for (const place of ["/tmp", "/var/tmp", "/data"]) {
          try { fs.appendFileSync(place + "/full", block); } catch (error) {
            met(error.code + " " + place);
            try { fs.rmSync(place + "/full"); } catch {}
          }
        }
        setImmediate(fill);
      };
      fill();`,
  },
} as const satisfies Readonly<Record<string, Hog>>;

export type HogName = keyof typeof hogs;

export const hogNames = Object.keys(hogs) as HogName[];
