import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datacenter, QueryParametersResponse, type RootCertificate, rootCertificateProblem } from "@dcx/protocol";
import pino from "pino";
import type { ChainView } from "../chain/view";
import { type Home, openHome } from "../home/home";
import { AgentLeaf } from "./agent-leaf";
import { DatacenterRoot } from "./root";
import { RootRotation, rotationStep, wantedRoots } from "./rotation";

const chainId = "dcx-test";
const datacenter = "dcx1dc";
const logger = pino({ level: "silent" });

describe("the replacement of a root", () => {
  let path: string;
  let home: Home;
  let root: DatacenterRoot;
  let height: bigint;
  let roots: readonly RootCertificate[];
  let standing: boolean;
  /** Own certificates of tunnels that stand. */
  let tunnels: string[];
  const leaves: AgentLeaf[] = [];

  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), "dcx-rotation-"));
    home = openHome(path);
    root = await DatacenterRoot.open(home, chainId, datacenter);
    height = 100n;
    roots = [root.record];
    standing = true;
    tunnels = [];
  });
  afterEach(async () => {
    for (const leaf of leaves.splice(0)) leaf.close();
    await home.close();
    rmSync(path, { recursive: true, force: true });
  });

  const record = () => Datacenter.fromPartial({ address: datacenter, roots: [...roots] });
  const view = (): ChainView => ({
    height,
    parameters: QueryParametersResponse.fromPartial({ parameters: { blockInterval: 1_000n } }),
    record: record(),
    orders: new Map(),
    fulfillments: new Map(),
    leases: new Map(),
    broken: new Map(),
    deployments: new Map(),
  });

  /** An agent's part of it, over what is on disk. */
  async function agent(): Promise<RootRotation> {
    const leaf = await AgentLeaf.create(root, logger);
    leaves.push(leaf);
    const rotation: RootRotation = new RootRotation({
      root,
      leaf,
      overlay: {
        renew: async () => {
          const fresh = await root.issueAgentLeaf(3_600_000);
          tunnels = standing ? [...tunnels, fresh.certificate] : [fresh.certificate];
        },
        presented: () => tunnels,
      },
      view,
      register: async () => {
        const { roots: wanted, withdrawn } = rotation.wanted(record(), height, 1_000n);
        for (const each of wanted) {
          const claim = { chainId, datacenter, certificate: each.certificate };
          expect(rootCertificateProblem(claim, each.proof)).toBeUndefined();
        }
        expect(wanted.map(({ endHeight }) => endHeight === 0n)).toEqual(wanted.map((_, index) => index === 0));
        expect(withdrawn.every((each) => !wanted.includes(each))).toBe(true);
        roots = wanted;
      },
      logger,
    });
    return rotation;
  }

  /** A block, and what the agent does with it. */
  async function block(rotation: RootRotation): Promise<void> {
    height += 1n;
    // As the chain ends roots.
    roots = roots.filter(({ endHeight }) => endHeight === 0n || endHeight >= height);
    rotation.look();
    await rotation.settled();
  }

  it("waits for the others to learn of the new root, and for what stands under the old one", async () => {
    const rotation = await agent();
    const old = root.record;
    tunnels = [(await root.issueAgentLeaf(3_600_000)).certificate];
    await rotation.begin(3_600_000);
    await rotation.settled();
    expect(roots).toHaveLength(2);
    expect(roots[1]).toMatchObject({ certificate: old.certificate, endHeight: 100n + 20n + 3_600n });
    await block(rotation);
    expect(rotation.status()).toMatchObject({ phase: "settling", standing: 1, endHeight: 3_720n });
    for (let count = 0; count < 10; count++) await block(rotation);
    expect(rotation.status()).toMatchObject({ phase: "renewed", standing: 1 });
    for (let count = 0; count < 100; count++) await block(rotation);
    expect(roots).toHaveLength(2);
    tunnels = tunnels.slice(1);
    for (let count = 0; count < 2; count++) await block(rotation);
    expect(rotation.status()).toBeUndefined();
    expect(roots.map(({ certificate }) => certificate)).toEqual([root.record.certificate]);
    expect(root.record.certificate).not.toEqual(old.certificate);
  });

  it("ends when the time is over, whatever stands", async () => {
    const rotation = await agent();
    tunnels = [(await root.issueAgentLeaf(3_600_000)).certificate];
    await rotation.begin(30_000);
    for (let count = 0; count < 53; count++) await block(rotation);
    expect(rotation.status()).toBeUndefined();
    expect(roots).toHaveLength(1);
  });

  it("asks for one root alone where the old one must not count any more, also half-way", async () => {
    const rotation = await agent();
    const old = root.record;
    tunnels = [(await root.issueAgentLeaf(3_600_000)).certificate];
    await rotation.begin(3_600_000);
    for (let count = 0; count < 3; count++) await block(rotation);
    const [newer] = roots;
    await rotation.begin(0);
    for (let count = 0; count < 4; count++) await block(rotation);
    expect(roots.map(({ certificate }) => certificate)).toEqual([newer?.certificate]);
    expect(roots.map(({ certificate }) => certificate)).not.toContain(old.certificate);
    expect(rotation.status()).toBeUndefined();
  });

  it("is taken up by an agent that was killed after each write to its disk and each block", async () => {
    let rotation = await agent();
    tunnels = [(await root.issueAgentLeaf(3_600_000)).certificate];
    const old = root.record.certificate;
    await root.rotate(3_600_000);
    const { successor } = root;
    const steps = new Set<string>();
    for (let count = 0; root.successor !== undefined; count++) {
      if (count > 60) throw new Error("it never ended");
      // Its tunnels went with it.
      tunnels = [];
      await home.close();
      home = openHome(path);
      root = await DatacenterRoot.open(home, chainId, datacenter);
      rotation = await agent();
      steps.add(rotationStep({ root, known: record(), height: height + 1n, standing: 0 }));
      await block(rotation);
    }
    expect([...steps]).toEqual(["announce", "note", "wait", "use", "withdraw", "finish"]);
    expect(root.record.certificate).toEqual(successor?.record.certificate);
    expect(root.record.certificate).not.toEqual(old);
    expect(roots.map(({ certificate }) => certificate)).toEqual([root.record.certificate]);
  });

  it("does not bring back a root that the chain has ended while the agent was away", async () => {
    await root.rotate(30_000);
    const { successor } = root;
    roots = successor === undefined ? [] : [successor.record];
    expect(wantedRoots(root, record(), height, 1_000n, 0)).toMatchObject({
      roots: [{ certificate: successor?.record.certificate }],
      withdrawn: [{ certificate: root.record.certificate }],
    });
    const rotation = await agent();
    for (let count = 0; count < 2; count++) await block(rotation);
    expect(rotation.status()).toBeUndefined();
    expect(root.record.certificate).toEqual(successor?.record.certificate);
  });

  it("makes one successor, however often it is asked for", async () => {
    await root.rotate(30_000);
    const first = root.successor?.record.certificate;
    await root.rotate(60_000);
    expect(root.successor).toMatchObject({ overlap: 60_000, record: { certificate: first } });
  });
});
