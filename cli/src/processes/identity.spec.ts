import { spawn } from "node:child_process";
import { once } from "node:events";
import { isRunning, startTimeOf } from "./identity";

async function started(
  nonce: string,
): Promise<{ pid: number; startTime: string; nonce: string; end: () => Promise<void> }> {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DCX_PROCESS_NONCE: nonce },
  });
  await once(child.stdout, "data");
  const startTime = startTimeOf(child.pid ?? 0);
  if (child.pid === undefined || startTime === undefined) {
    throw new Error("The process did not start.");
  }
  const end = async (): Promise<void> => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  return { pid: child.pid, startTime, nonce, end };
}

test("a process is itself, and no other with the same pid", async () => {
  const process = await started("a");
  try {
    const { pid, startTime } = process;
    expect(isRunning({ pid, startTime, nonce: "a" })).toBe(true);
    expect(isRunning({ pid, startTime: `${startTime}0`, nonce: "a" })).toBe(false);
    expect(isRunning({ pid, startTime, nonce: "b" })).toBe(false);
  } finally {
    await process.end();
  }
  expect(isRunning(process)).toBe(false);
  expect(startTimeOf(process.pid)).toBeUndefined();
});
