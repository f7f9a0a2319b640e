import { execFileSync } from "node:child_process";
import { accessSync, chmodSync, constants, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Path of a program of this machine, or undefined. */
export function findTool(name: string): string | undefined {
  return [...folders, ...(process.env["PATH"] ?? "").split(delimiter)]
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** What the `unshare` sandbox needs of util-linux and the shell; each is part of any Linux distribution's base. */
const sandboxTools = [
  "sh",
  "unshare",
  "nsenter",
  "setpriv",
  "mount",
  "umount",
  "pivot_root",
  "mkdir",
  "ln",
  "cat",
] as const;
export type SandboxTools = Readonly<Record<(typeof sandboxTools)[number], string>>;

/** Throws naming what is missing. */
export function findSandboxTools(): SandboxTools {
  const found = Object.fromEntries(sandboxTools.map((name) => [name, findTool(name)]));
  const missing = sandboxTools.filter((name) => found[name] === undefined);
  if (missing.length > 0) {
    throw new Error(`these programs are missing: ${missing.join(", ")} (install util-linux)`);
  }
  return found as SandboxTools;
}

/** Command that brings the loopback device up, run inside a network. Throws when the machine has none. */
export function loopbackCommand(): string[] {
  const ip = findTool("ip");
  if (ip !== undefined) {
    return [ip, "link", "set", "lo", "up"];
  }
  const ifconfig = findTool("ifconfig");
  if (ifconfig !== undefined) {
    return [ifconfig, "lo", "up"];
  }
  const busybox = findTool("busybox");
  if (busybox !== undefined) {
    return [busybox, "ip", "link", "set", "lo", "up"];
  }
  const perl = findTool("perl");
  if (perl !== undefined) {
    // socket(AF_INET, SOCK_DGRAM), then SIOCSIFFLAGS with IFF_UP | IFF_RUNNING.
    const program = 'socket(S,2,2,0) or die "$!"; ioctl(S,0x8914,pack("a16 s x22","lo",0x41)) or die "$!"';
    return [perl, "-e", program];
  }
  throw new Error("nothing here can bring up a loopback device: install iproute2");
}

/** Programs that the last steps of a start need, after the host's files are out of sight. */
const stageTools = ["sh", "setpriv", "unshare", "nsenter", "umount"] as const;

/**
 * Makes the folder that is a sandbox's outermost root: those few programs with their libraries, and places to mount
 * things on. Should a workload ever get out of its own root, this is all there is.
 */
export function buildStage(folder: string, tools: SandboxTools): void {
  rmSync(folder, { recursive: true, force: true });
  for (const place of ["bin", "image", "proc", "old"]) {
    mkdirSync(join(folder, place), { recursive: true, mode: 0o755 });
  }
  for (const file of ["userns", "environment"]) {
    writeFileSync(join(folder, file), "");
  }
  const libraries = new Set<string>();
  for (const name of stageTools) {
    copyFileSync(tools[name], join(folder, "bin", name));
    chmodSync(join(folder, "bin", name), 0o755);
    for (const library of librariesOf(tools[name])) {
      libraries.add(library);
    }
  }
  for (const library of libraries) {
    mkdirSync(dirname(join(folder, library)), { recursive: true, mode: 0o755 });
    copyFileSync(library, join(folder, library));
    chmodSync(join(folder, library), 0o755);
  }
}

function librariesOf(file: string): string[] {
  let text: string;
  try {
    text = execFileSync("ldd", [file], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch {
    // ldd fails for what is linked statically.
    return [];
  }
  return [...text.matchAll(/(?:^|\s)(\/\S+)\s+\(0x/gm)].flatMap(([, library]) =>
    library === undefined ? [] : [library],
  );
}
