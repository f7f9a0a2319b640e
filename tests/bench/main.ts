import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { isWanted, parseArguments, splitSizes, usage } from "./arguments";
import { benches } from "./benches";
import { Cleanups } from "./cleanups";
import type { Figure, Settings } from "./figure";
import { benchmarksPage, hereAndNow, withFigures } from "./page";
import { toJson, toTable } from "./report";

async function main(argv: readonly string[]): Promise<number> {
  const options = parseArguments(argv);
  const [load = 0] = loadavg();
  const settings: Settings = {
    ...splitSizes(options.sizes),
    long: options.long,
    log: (line) => process.stderr.write(`${line}\n`),
    cleanups: new Cleanups(),
  };
  const wanted = (name: string): boolean => isWanted(options.only, name);
  const names = benches.flatMap((bench) => bench.names(settings)).filter(wanted);
  if (names.length === 0) {
    throw new Error(
      `no row is called like ${options.only.map((part) => JSON.stringify(part)).join(" or ")}: see --list`,
    );
  }
  if (options.list) {
    process.stdout.write(`${names.join("\n")}\n`);
    return 0;
  }
  const figures: Figure[] = [];
  let interrupted = false;
  let failed = false;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, () => {
      interrupted = true;
      settings.cleanups.all().finally(() => process.exit(code));
    });
  }
  for (const bench of benches.filter((one) => one.names(settings).some(wanted))) {
    if (interrupted) {
      break;
    }
    try {
      for await (const figure of bench.run(settings, wanted)) {
        figures.push(figure);
      }
    } catch (error) {
      // What was measured before, there or elsewhere, is worth printing all the same.
      failed = true;
      settings.log(`error: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (interrupted) {
    return 1;
  }
  if (options.write) {
    const usual = { ...settings, ...splitSizes([]) };
    const order = benches.flatMap((bench) => bench.names(usual));
    const page = withFigures(readFileSync(benchmarksPage, "utf8"), figures, order, hereAndNow(load));
    writeFileSync(benchmarksPage, page);
  }
  const json = figures.map(toJson);
  process.stdout.write(
    options.json
      ? `${JSON.stringify(json, undefined, 2)}\n`
      : `${toTable(figures, process.stdout.isTTY === true && !process.env["NO_COLOR"])}\n`,
  );
  return failed || (options.strict && json.some(({ met }) => !met)) ? 1 : 0;
}

// What a row awaits may leave Node nothing to stay for, as an instance's network does.
const staying = setInterval(() => undefined, 60_000);
main(process.argv.slice(2))
  .then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
      process.exitCode = 2;
    },
  )
  .finally(() => clearInterval(staying));
