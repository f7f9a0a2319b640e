import { setTimeout } from "node:timers/promises";
import { arrived, deployment, Holders } from "@dcx/datacenter/dist/manifest/testing/holders";
import { canonicalManifest, manifestVersion } from "@dcx/protocol";
import type { Cleanups } from "../cleanups";
import { type Bench, notMeasured, type Subject } from "../figure";
import { type ShapedLink, shapedLink } from "../manifests/shaped-link";
import { paired } from "../measure";

const [many, few] = [100, 10];
/** 10 Mbit/s. */
const linkSpeed = 1_250_000;
const size = 1_000_000;
/** Milliseconds. */
const patience = 300_000;

const subject: Subject = {
  name: `manifest: one of ${many} holders has it, until all have`,
  unit: "ms",
  against: `the same with ${few} holders`,
  goal: { better: "lower", aim: 2, gate: 3 },
};

/** Agents as far as they exchange manifests, each behind a link of its own, and a manifest of a megabyte. */
export const manifestToHolders: Bench = {
  names: () => [subject.name],
  async *run({ log, cleanups }) {
    log(subject.name);
    try {
      const outcome = await paired(
        { pairs: 2, warmup: 0 },
        () => distribute(many, cleanups),
        () => distribute(few, cleanups),
      );
      yield { ...subject, outcome };
    } catch (error) {
      yield notMeasured(subject, error);
    }
  },
};

/** Milliseconds from the first holder having it until the last has. */
async function distribute(count: number, cleanups: Cleanups): Promise<number> {
  const manifest = canonicalManifest({
    schema: 1,
    salt: "22".repeat(32),
    workloads: { web: { infrastructure: "dc0", container: { image: "example/web:1" }, environment: environment() } },
    connections: {},
  });
  const version = Buffer.from(manifestVersion(manifest)).toString("hex");
  const holders = await Holders.create(count, version);
  const links: ShapedLink[] = [];
  const close = cleanups.add(async () => {
    await holders.close();
    for (const link of links) await link.close();
  });
  try {
    const all = [];
    for (const address of holders.addresses) {
      const holder = await holders.start(address);
      const link = await shapedLink(holders.urlOf(address), linkSpeed);
      links.push(link);
      holders.publish(address, link.url);
      all.push(holder);
    }
    const start = performance.now();
    all[0]?.store.put(deployment, version, { manifest, stamps: {} });
    for (const { fetcher } of all) fetcher.update();
    const last = Promise.all(all.map((holder) => arrived(holder, version)));
    if ((await Promise.race([last, setTimeout(patience, undefined, { ref: false })])) === undefined) {
      throw new Error(`of ${count} holders not all had the manifest after ${patience / 1000} s`);
    }
    return performance.now() - start;
  } finally {
    await close();
  }
}

function environment(): Record<string, string> {
  const each = 50_000;
  return Object.fromEntries(
    Array.from({ length: size / each }, (_, index) => [`FILE_${index}`, `${index % 10}`.repeat(each)]),
  );
}
