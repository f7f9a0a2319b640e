import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning, type ProcessMark, signalProcess, startTimeOf } from "../processes";
import { endSupervised } from "./supervision";

const onLinux = process.platform === "linux" ? describe : describe.skip;

onLinux("ending what is supervised", () => {
  let folder: string;
  let supervisor: ChildProcess | undefined;
  let begun: ProcessMark;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dcx-supervision-"));
  });
  afterEach(() => {
    supervisor?.kill("SIGKILL");
    signalProcess(begun, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  function mark(pid: number | undefined): ProcessMark {
    return { pid: pid ?? 0, startTime: startTimeOf(pid ?? 0) ?? "" };
  }

  /** A shell that begins a process and, told to end, forgets it. */
  async function begin(): Promise<void> {
    supervisor = spawn("sh", ["-c", "trap 'exit 0' TERM; sleep 1000 & echo $!; wait"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [output] = await once(supervisor.stdout ?? supervisor, "data");
    begun = mark(Number(String(output)));
  }

  function record(state: object): void {
    writeFileSync(join(folder, "state.json"), JSON.stringify({ phase: "running", restarts: 0, ...state }));
  }

  it("ends what the supervisor has begun and its state does not name yet", async () => {
    await begin();
    record({ supervisor: mark(supervisor?.pid) });
    await endSupervised(folder, 5_000);
    expect(isRunning(begun)).toBe(false);
  });

  it("ends what a supervisor that was killed has left, and what that has begun", async () => {
    await begin();
    record({ supervisor: { pid: 2 ** 22, startTime: "gone" }, process: mark(supervisor?.pid) });
    await endSupervised(folder, 5_000);
    expect(isRunning(begun)).toBe(false);
    expect(supervisor?.pid === undefined || startTimeOf(supervisor.pid)).toBe(undefined);
  });

  it("leaves a process alone that has only the number of one of its own", async () => {
    await begin();
    record({ supervisor: { pid: supervisor?.pid, startTime: "another boot" } });
    await endSupervised(folder, 5_000);
    expect(isRunning(begun)).toBe(true);
  });
});
