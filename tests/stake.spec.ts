import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DistributedNode,
  defaultGenesis,
  distributedGenesis,
  initializeEngine,
  installGenesis,
  startDistributedNode,
} from "@dcx/exchange";
import {
  type AccountSigner,
  allTokens,
  createValidatorMessage,
  ExchangeQueryClient,
  type Message,
  ProposalStatus,
  proposalMessage,
  SigningExchangeClient,
  StakeQueries,
  signerFromPrivateKey,
  stakeMessages,
  VoteOption,
  voteMessage,
} from "@dcx/protocol";
import pino from "pino";
import { z } from "zod";
import { buildCometbft } from "./support/exchanges";
import { freePorts } from "./support/ports";
import { eventually } from "./support/world";

jest.setTimeout(300_000);

const patience = 120_000;
const million = 1_000_000n;
const EngineSet = z.object({
  result: z.object({
    validators: z.array(z.object({ pub_key: z.object({ value: z.string() }), voting_power: z.coerce.bigint() })),
  }),
});

/** Validators by stake, with a real CometBFT: what it is told of the set, and what it tells of who did not sign. */
describe("an exchange whose validators are elected by stake", () => {
  let home: string;
  let query: ExchangeQueryClient;
  let stake: StakeQueries;
  let start: (index: 0 | 1) => Promise<DistributedNode>;
  let first: DistributedNode;
  let second: DistributedNode;
  let owner: AccountSigner;
  let candidate: AccountSigner;
  const keys: string[] = [];

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "dcx-stake-"));
    owner = await signerFromPrivateKey("2a".repeat(32));
    candidate = await signerFromPrivateKey("2b".repeat(32));
    const genesis = defaultGenesis({
      chainId: "dcx-stake-1",
      accounts: [owner, candidate].map(({ address }) => ({ address, balance: 1_000n * million })),
      // Who signs nothing of a window is jailed, and who is late now and then is not.
      parameters: {
        blockInterval: 300n,
        signingWindow: 20n,
        minSigned: 100,
        absenceJail: 5n,
        votingPeriod: 20n,
        proposalDeposit: 10n * million,
      },
    });
    const cometbft = await buildCometbft();
    const homes = [join(home, "first"), join(home, "second")];
    const identities = await Promise.all(homes.map((folder) => initializeEngine(folder, cometbft)));
    keys.push(...identities.map(({ validatorKey }) => validatorKey));
    const genesisValidator = { publicKey: keys[0] ?? "", power: 90n, name: "first", operator: owner.address };
    const document = distributedGenesis(genesis, [genesisValidator], new Date());
    for (const folder of homes) installGenesis(folder, document);
    const ports = await freePorts(4);
    start = async (index) => {
      const other = 1 - index;
      const node = await startDistributedNode({
        home: homes[index] ?? "",
        cometbft,
        rpc: { host: "127.0.0.1", port: ports[index] ?? 0 },
        peers: {
          host: "127.0.0.1",
          port: ports[2 + index] ?? 0,
          persistent: [`${identities[other]?.nodeId}@127.0.0.1:${ports[2 + other]}`],
        },
        settings: {
          "p2p.addr_book_strict": "false",
          "p2p.allow_duplicate_ip": "true",
          "p2p.pex": "false",
          "consensus.timeout_propose": "1s",
        },
        logger: pino({ level: "silent" }),
      });
      await node.ready;
      return node;
    };
    first = await start(0);
    second = await start(1);
    query = await ExchangeQueryClient.connect(first.rpcUrl);
    stake = new StakeQueries(query);
  });

  afterAll(async () => {
    query?.close();
    await Promise.all([first?.close(), second?.close()]);
    rmSync(home, { recursive: true, force: true });
  });

  /** Power by key, as CometBFT has it. */
  async function engineSet(): Promise<Readonly<Record<string, bigint>>> {
    const response = await fetch(`${first.rpcUrl}/validators`, { signal: AbortSignal.timeout(5_000) });
    const { validators } = EngineSet.parse(await response.json()).result;
    return Object.fromEntries(validators.map(({ pub_key, voting_power }) => [pub_key.value, voting_power]));
  }

  async function submit(signer: AccountSigner, ...given: Message[]): Promise<void> {
    const client = await SigningExchangeClient.connect(query, signer);
    for (const message of given) await client.submit([message]);
  }

  async function power(signer: AccountSigner): Promise<bigint | undefined> {
    return (await stake.validators({ operator: signer.address })).validators[0]?.validator?.power;
  }

  test("elects a node that joined once its account bonds", async () => {
    const [mine = "", theirs = ""] = keys;
    expect(await engineSet()).toEqual({ [mine]: 90n });
    const { denomination } = await query.parameters();
    const bond = await createValidatorMessage(
      {
        operator: candidate.address,
        consensusKey: Buffer.from(theirs, "base64"),
        moniker: "second",
        commission: { rate: 0n, maxRate: 0n, maxChange: 0n },
        stake: 9n * million,
        minSelfDelegation: 1n,
      },
      denomination,
    );
    await submit(candidate, bond);
    await submit(owner, stakeMessages.delegate(owner.address, candidate.address, million, denomination));
    await eventually("CometBFT has it in its set", patience, async () => (await engineSet())[theirs] === 10n);
    expect((await engineSet())[mine]).toBe(90n);
    expect(await power(candidate)).toBe(10n);
  });

  test("shares fees by stake", async () => {
    const before = await query.account(owner.address);
    const { delegations } = await stake.delegations({ delegator: owner.address });
    expect(delegations.map(({ tokens }) => tokens).sort()).toEqual([million, 90n * million]);
    const earned = delegations.find(({ tokens }) => tokens === 90n * million)?.rewards ?? 0n;
    expect(earned).toBeGreaterThan(0n);
    await submit(owner, stakeMessages.withdrawRewards(owner.address, owner.address));
    const after = await query.account(owner.address);
    // What was earned is there, but for the fee of having it.
    expect((after?.balance ?? 0n) + (await fee())).toBeGreaterThanOrEqual((before?.balance ?? 0n) + earned);
    const totals = await query.totals();
    expect(allTokens(totals) + totals.burnt).toBe(totals.genesisSupply + totals.interestMinted);
  });

  /** More than a transaction of these tests pays. */
  async function fee(): Promise<bigint> {
    const { parameters } = await query.parameters();
    return (200_000n * BigInt(parameters?.minimumGasPrice ?? "0")) / 10n ** 18n;
  }

  test("changes a parameter by vote", async () => {
    const { denomination, parameters } = await query.parameters();
    const deposit = parameters?.proposalDeposit ?? 0n;
    const changes = [{ name: "maxManagers", value: "3" }];
    const words = { title: "fewer managers", description: "three are enough" };
    await submit(owner, await proposalMessage({ proposer: owner.address, ...words, changes, deposit }, denomination));
    await submit(owner, voteMessage(owner.address, 1n, VoteOption.YES));
    await eventually("the vote is over", patience, async () => {
      const [proposal] = (await stake.proposals({ id: 1n })).proposals;
      return proposal?.status === ProposalStatus.PASSED;
    });
    expect((await query.parameters()).parameters?.maxManagers).toBe(3);
  });

  test("leaves out one that is away for long, and takes it in again", async () => {
    const [, theirs = ""] = keys;
    await second.close();
    await eventually("CometBFT has it no more", patience, async () => !(theirs in (await engineSet())));
    const [jailed] = (await stake.validators({ operator: candidate.address })).validators;
    expect(jailed?.validator).toMatchObject({ jailed: true, power: 0n });
    expect((await query.totals()).burnt).toBeGreaterThan(0n);
    second = await start(1);
    const until = jailed?.validator?.jailedUntil ?? 0n;
    await eventually("its time in jail is over", patience, async () => (await query.height()) >= until);
    await submit(candidate, stakeMessages.delegate(candidate.address, candidate.address, million, "udcx"));
    await submit(candidate, stakeMessages.unjail(candidate.address));
    await eventually("CometBFT has it again", patience, async () => theirs in (await engineSet()));
    const newest = await query.height();
    const other = await ExchangeQueryClient.connect(second.rpcUrl);
    try {
      await eventually("it has the same blocks", patience, async () => (await other.height()) >= newest);
    } finally {
      other.close();
    }
  });
});
