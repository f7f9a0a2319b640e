import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessMark } from "../processes";

/** Processes of an instance, by its folder's name. */
export function marksOf(own: string, name: string): ProcessMark[] {
  const state = JSON.parse(readFileSync(join(own, "instances", name, "state.json"), "utf8"));
  return [state.supervisor, state.holder, state.process].filter(Boolean).map((mark) => ProcessMark.parse(mark));
}

/** Folders of control groups with one of these names. */
export function controlGroupsOf(names: readonly string[]): string[] {
  const roots = ["", "cpu", "memory", "pids"].map((controller) => join("/sys/fs/cgroup", controller, "dcx"));
  return roots.flatMap((root) => names.map((name) => join(root, name))).filter((folder) => existsSync(folder));
}

/** Files that loop devices are made of now. */
export function loopFiles(): string[] {
  return readdirSync("/sys/block")
    .map((name) => join("/sys/block", name, "loop", "backing_file"))
    .flatMap((file) => (existsSync(file) ? [readFileSync(file, "utf8").trim()] : []));
}

/** Ids of the processes whose command lines hold this text. */
export function processesNaming(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}
