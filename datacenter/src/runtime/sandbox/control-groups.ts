import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processorTime } from "../processor-time";
import type { Limit, Limits } from "../runtime";
import type { ControlGroup } from "../supervised/supervisor";

const root = "/sys/fs/cgroup";

/** Which limits control groups can hold on this machine, and how. */
export interface ControlGroups {
  readonly enforced: readonly Limit[];
  /** The groups of one instance. */
  plan(name: string, limits: Limits): ControlGroup[];
}

type Controller = "cpu" | "memory" | "pids";
const limitOf: Readonly<Record<Controller, Limit>> = { cpu: "cpu", memory: "memory", pids: "processes" };

/** Tries what this machine and user can do: version 2, or version 1 controller by controller; none without rights. */
export function probeControlGroups(): ControlGroups {
  if (existsSync(join(root, "cgroup.controllers"))) {
    return unified();
  }
  const available = (["cpu", "memory", "pids"] as const).filter((controller) => canMake(join(root, controller, "dcx")));
  return {
    enforced: available.map((controller) => limitOf[controller]),
    plan: (name, limits) =>
      available.map((controller) => ({
        folder: join(root, controller, "dcx", name),
        settings: settingsV1(controller, limits),
      })),
  };
}

function unified(): ControlGroups {
  const parent = join(root, "dcx");
  const available: Controller[] = [];
  if (canMake(parent)) {
    for (const controller of ["cpu", "memory", "pids"] as const) {
      try {
        writeFileSync(join(root, "cgroup.subtree_control"), `+${controller}`);
        writeFileSync(join(parent, "cgroup.subtree_control"), `+${controller}`);
        available.push(controller);
      } catch {
        // Not delegated to us: the limit is reported as not enforced.
      }
    }
  }
  return {
    enforced: available.map((controller) => limitOf[controller]),
    plan: (name, limits) =>
      available.length === 0
        ? []
        : [{ folder: join(parent, name), settings: available.flatMap((controller) => settingsV2(controller, limits)) }],
  };
}

function canMake(folder: string): boolean {
  const probe = join(folder, `probe-${process.pid}`);
  try {
    mkdirSync(probe, { recursive: true });
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}

function settingsV1(controller: Controller, limits: Limits): [string, string][] {
  switch (controller) {
    case "cpu": {
      const { period, quota, shares } = processorTime(limits.cpu);
      return [
        ["cpu.cfs_period_us", String(period)],
        ["cpu.cfs_quota_us", String(quota)],
        ["cpu.shares", String(shares)],
      ];
    }
    case "memory":
      return [
        ["memory.limit_in_bytes", String(limits.memory)],
        ["memory.memsw.limit_in_bytes", String(limits.memory)],
      ];
    case "pids":
      return [["pids.max", String(limits.processes)]];
  }
}

function settingsV2(controller: Controller, limits: Limits): [string, string][] {
  switch (controller) {
    case "cpu": {
      const { period, quota, shares } = processorTime(limits.cpu);
      return [
        ["cpu.max", `${quota} ${period}`],
        // A whole processor is 100 here.
        ["cpu.weight", String(Math.min(10_000, Math.max(1, Math.round((shares * 100) / 1024))))],
      ];
    }
    case "memory":
      return [
        ["memory.max", String(limits.memory)],
        ["memory.swap.max", "0"],
      ];
    case "pids":
      return [["pids.max", String(limits.processes)]];
  }
}

/** Ends what still runs in an instance's groups and removes them. Throws when something does not end. */
export async function removeControlGroups(groups: readonly ControlGroup[]): Promise<void> {
  for (const { folder } of groups) {
    for (let attempt = 0; existsSync(folder); attempt++) {
      for (const pid of readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
        try {
          process.kill(Number(pid), "SIGKILL");
        } catch {
          // It has ended meanwhile.
        }
      }
      try {
        rmdirSync(folder);
      } catch (error) {
        if (attempt > 200) {
          throw new Error(
            `${folder} can't be removed, something still runs there: ${readdirSync(folder).length} files`,
            {
              cause: error,
            },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }
}
