import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../support/root";
import { drawMoments, momentText } from "./moments";
import { Soak } from "./soak";

const usage = `usage: npm run soak -- [--moments 50] [--seed N]

Kills engine and plugin at random moments of create, update, replace and delete of a ten-resource stack.
The seed that is printed makes the same moments again.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      moments: { type: "string", default: "50" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      help: { type: "boolean", default: false },
    },
  });
  const [count, seed] = [Number(values.moments), Number(values.seed)];
  if (values.help || !Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const { bin } = await require(join(root, "tools", "engine.cjs")).findOrBuildEngine({ log });
  process.env["PATH"] = `${bin}:${process.env["PATH"]}`;
  const images = join(root, ".cache", "images");
  const built = spawnSync(process.execPath, [join(root, "examples", "images", "build.cjs"), images], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (built.status !== 0) {
    return 1;
  }
  log(`seed ${seed}`);
  const soak = await Soak.start(log);
  const failures: string[] = [];
  process.once("SIGINT", () => soak.close().finally(() => process.exit(130)));
  try {
    for (const [index, moment] of drawMoments(count, seed).entries()) {
      log(`${index + 1} of ${count}: ${momentText(moment)}`);
      try {
        await soak.survive(moment);
      } catch (error) {
        failures.push(`${index + 1}: ${momentText(moment)}: ${error instanceof Error ? error.message : String(error)}`);
        log(`  FAILED: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  } finally {
    await soak.close();
  }
  process.stdout.write(`${count - failures.length} of ${count} moments survived, seed ${seed}\n`);
  return failures.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
