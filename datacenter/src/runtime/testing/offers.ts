import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime } from "../open";
import type { Runtime } from "../runtime";
import type { SandboxMaker } from "../sandbox/sandbox";
import { image } from "./instances";

const { buildImages } = require("../../../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string; images: { name: string; digest: string }[] }>;
};

interface Offer {
  readonly name: string;
  readonly isolation: "sandbox" | "none" | "container";
  readonly maker?: SandboxMaker;
  /** Of the engine. Absent: there is none. */
  readonly socket?: string | undefined;
}

const offers: readonly Offer[] = [
  { name: "sandbox (bubblewrap)", isolation: "sandbox", maker: "bubblewrap" },
  { name: "sandbox (unshare)", isolation: "sandbox", maker: "unshare" },
  { name: "none", isolation: "none" },
  { name: "container (Docker)", isolation: "container", socket: process.env["DCX_TEST_CONTAINER_SOCKET"] },
  { name: "container (Docker, users mapped)", isolation: "container", socket: process.env["DCX_TEST_MAPPED_SOCKET"] },
  { name: "container (Podman)", isolation: "container", socket: process.env["DCX_TEST_PODMAN_SOCKET"] },
];

/** A runtime that the machine offers, open while its tests run. */
export interface Offered extends Offer {
  /** The folder that it was given. */
  readonly home: string;
  /** Where a supervised runtime keeps what it has. */
  readonly own: string;
  /** Digest of the image, which is present. */
  digest(): string;
  runtime(): Runtime;
  /** Closes the runtime, as when its agent ends; `meanwhile` happens before it is opened again. */
  reopen(meanwhile?: () => Promise<void>): Promise<void>;
  /** `it` where instances are apart from one another. */
  readonly isolated: jest.It;
}

/** Describes what all runtimes hold. Those that this machine does not offer are named in the report as skipped. */
export function describeOffers(tests: (offered: Offered) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "dcx-runtime-"));
  let layout: string;
  let digest = "";
  beforeAll(async () => {
    const built = await buildImages(join(folder, "layouts"));
    layout = built.layout;
    digest = built.images.find(({ name }) => name === image)?.digest ?? "";
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const offer of offers) {
    const { name, isolation, maker, socket } = offer;
    const there = isolation === "container" ? socket !== undefined : process.platform === "linux";
    (there ? describe : describe.skip)(`isolation ${name}`, () => {
      const home = join(folder, name.replace(/\W+/g, "-"));
      let runtime: Runtime;
      const open = async () => {
        runtime = await openRuntime({
          isolation,
          home,
          imageLayouts: [layout],
          datacenter: `test-${process.pid}`,
          logger: { info: () => undefined, warn: () => undefined },
          ...(maker === undefined ? {} : { sandboxMaker: maker }),
          ...(socket === undefined ? {} : { containerSocket: socket }),
        });
      };
      beforeAll(async () => {
        await open();
        await runtime.pull(image);
      }, 120_000);
      afterAll(async () => {
        for (const { id } of await runtime.list()) {
          await runtime.remove(id);
        }
        await runtime.close();
      }, 60_000);
      tests({
        ...offer,
        home,
        own: join(home, isolation === "none" ? "plain" : isolation),
        digest: () => digest,
        runtime: () => runtime,
        reopen: async (meanwhile) => {
          await runtime.close();
          await meanwhile?.();
          await open();
        },
        isolated: isolation === "none" ? it.skip : it,
      });
    });
  }
}
