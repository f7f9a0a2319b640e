import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const nobody = 65534;
const root = join(__dirname, "..", "..", "..");

// Whoever is not root runs the sandboxes' suite without privileges anyway.
const asRoot = process.platform === "linux" && process.getuid?.() === 0 ? it : it.skip;

asRoot(
  "both sandboxes pass the runtimes' suite as a user without privileges",
  () => {
    const home = mkdtempSync(join(tmpdir(), "dcx-nobody-"));
    chownSync(home, nobody, nobody);
    chmodSync(home, 0o700);
    try {
      const { status, stderr } = spawnSync(
        "setpriv",
        [
          ...[`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", process.execPath],
          ...[join(root, "node_modules", "jest", "bin", "jest.js"), "--selectProjects", "unit", "--runInBand"],
          ...["--reporters=default", "--forceExit", `--cacheDirectory=${join(home, "cache")}`],
          ...["--testPathPatterns", "runtime/conformance/", "--testNamePattern", "isolation sandbox"],
        ],
        { cwd: root, env: { PATH: process.env["PATH"], HOME: home, TMPDIR: home }, encoding: "utf8", timeout: 240_000 },
      );
      expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
      expect(Number(/Tests:.* (\d+) passed/.exec(stderr)?.[1])).toBeGreaterThanOrEqual(20);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
  300_000,
);
