import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seccompFilter } from "./seccomp";
import { findTool } from "./tools";

describe("the filter of system calls", () => {
  it("exists for the architectures that images are made for, in whole instructions", () => {
    for (const architecture of ["x64", "arm64"]) {
      const filter = seccompFilter(architecture);
      expect(filter?.length).toBeGreaterThan(0);
      expect((filter?.length ?? 1) % 8).toBe(0);
      // The last answer is that the call is allowed.
      expect(filter?.readUInt32LE(filter.length - 4)).toBe(0x7fff0000);
    }
    expect(seccompFilter("mips")).toBeUndefined();
  });

  const bubblewrap = findTool("bwrap");
  const perl = findTool("perl");
  const filter = seccompFilter(process.arch);
  const runs = process.platform === "linux" && bubblewrap !== undefined && perl !== undefined && filter !== undefined;
  (runs ? it : it.skip)("denies what reaches beyond a workload, new namespaces too, and nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "dcx-seccomp-"));
    try {
      const file = join(folder, "filter");
      writeFileSync(file, filter ?? "");
      const x64 = process.arch === "x64";
      const calls = {
        keyctl: [x64 ? 250 : 219, 0, 0],
        bpf: [x64 ? 321 : 280, 0, 0, 0],
        io_uring_setup: [425, 0, 0],
        mount: [x64 ? 165 : 40, 0, 0, 0, 0, 0],
        "unshare of users": [x64 ? 272 : 97, 0x10000000],
        "clone of users": [x64 ? 56 : 220, 0x10000000, 0, 0, 0, 0],
        clone3: [435, 0, 0],
        "unshare of nothing": [x64 ? 272 : 97, 0],
        getpid: [x64 ? 39 : 172],
      };
      const asked = (wrapper: readonly string[]) =>
        Object.fromEntries(
          Object.entries(calls).map(([name, call]) => {
            const program = `exit(syscall(${call.join(",")}) == -1 ? $! + 0 : 0)`;
            const [first = "", ...rest] = [...wrapper, perl ?? "", "-e", program];
            const { status } = spawnSync(first, rest, { stdio: ["ignore", "ignore", "ignore", openSync(file, "r")] });
            return [name, status];
          }),
        );
      const bound = [bubblewrap ?? "", "--dev-bind", "/", "/"];
      const denied = 1;
      const missing = 38;
      expect(asked([...bound, "--seccomp", "3", "--"])).toEqual({
        keyctl: denied,
        bpf: denied,
        io_uring_setup: denied,
        mount: denied,
        "unshare of users": denied,
        "clone of users": denied,
        clone3: missing,
        "unshare of nothing": 0,
        getpid: 0,
      });
      // Without it the kernel looks at what they are called with.
      expect(asked([...bound, "--"])).toMatchObject({ "unshare of users": 0, getpid: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
