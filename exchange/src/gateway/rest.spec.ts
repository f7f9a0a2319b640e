import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { z } from "zod";
import { type ServedNode, smallDeployment, startServedNode } from "./testing/served-node";

jest.setTimeout(120_000);

/** The REST gateway as wallets and explorers call it. */

let served: ServedNode;
let url: string;
let hash: string;
let height: bigint;

beforeAll(async () => {
  served = await startServedNode({ rest: { allowedOrigins: ["https://wallet.example"] } });
  url = served.node.clients.restUrl ?? "";
  const address = served.tenant.address;
  const submitted = [1, 2, 3].map((token) => smallDeployment(address, token));
  ({ hash, height } = await served.client.submit(submitted));
});

afterAll(() => served.close());

const jsonSchema = z.looseObject({ tx: z.unknown().optional(), height: z.string().optional() });
const listed = z.looseObject({
  height: z.string(),
  deployments: z.array(z.looseObject({ id: z.looseObject({ sequence: z.string() }) })),
  pagination: z.object({ next_key: z.string() }),
});
const blockAnswer = z.looseObject({
  block: z.looseObject({ header: z.looseObject({ height: z.string() }), data: z.object({ txs: z.array(z.string()) }) }),
});

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, { headers });
  return { status: response.status, headers: response.headers, body: jsonSchema.parse(await response.json()) };
}

async function post(path: string, body: unknown) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}`, { method: "POST", body: text });
  return { status: response.status, body: jsonSchema.parse(await response.json()) };
}

describe("the node", () => {
  const base = "/cosmos/base/tendermint/v1beta1";

  it("names its chain, as Keplr asks before it takes a chain", async () => {
    const { status, body } = await get(`${base}/node_info`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      default_node_info: {
        network: "dcx-served",
        protocol_version: { p2p: "8", block: "11" },
        other: { tx_index: "on" },
      },
      application_version: { name: "dcx", build_deps: [] },
    });
    expect((await get(`${base}/syncing`)).body).toEqual({ syncing: false });
  });

  it("gives blocks, the newest and by height, and the validators", async () => {
    const latest = blockAnswer.parse((await get(`${base}/blocks/latest`)).body);
    expect(BigInt(latest.block.header.height)).toBeGreaterThan(0n);
    const { body } = await get(`${base}/blocks/${height}`);
    expect(body).toMatchObject({
      block_id: { hash: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/), part_set_header: { total: 1 } },
      block: {
        header: { chain_id: "dcx-served", height: height.toString(), time: expect.stringMatching(/^\d{4}-.*Z$/) },
        data: { txs: [expect.any(String)] },
        last_commit: { signatures: [{ block_id_flag: "BLOCK_ID_FLAG_COMMIT" }] },
      },
      sdk_block: { header: { proposer_address: expect.stringMatching(/^dcxvalcons1/) } },
    });
    expect((await get(`${base}/validatorsets/latest`)).body).toMatchObject({
      validators: [
        { pub_key: { "@type": "/cosmos.crypto.ed25519.PubKey", key: expect.any(String) }, voting_power: "10" },
      ],
      pagination: { total: "1" },
    });
    expect(await get(`${base}/blocks/999999`)).toMatchObject({ status: 400, body: { code: 3, details: [] } });
  });
});

describe("accounts and balances", () => {
  it("gives an account with its key, number and sequence", async () => {
    const { address } = served.tenant;
    expect((await get(`/cosmos/auth/v1beta1/accounts/${address}`)).body).toEqual({
      account: {
        "@type": "/cosmos.auth.v1beta1.BaseAccount",
        address,
        pub_key: { "@type": "/cosmos.crypto.secp256k1.PubKey", key: expect.any(String) },
        account_number: "0",
        sequence: "1",
      },
    });
  });

  it("answers 404 for an account that is not there", async () => {
    const stranger = "dcx1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqxwxhzr";
    expect(await get(`/cosmos/auth/v1beta1/accounts/${stranger}`)).toMatchObject({
      status: 404,
      body: { code: 5, message: expect.stringContaining("not found"), details: [] },
    });
  });

  it("gives balances and the supply", async () => {
    const { address } = served.tenant;
    const coins = [{ denom: "udcx", amount: expect.stringMatching(/^\d+$/) }];
    const bank = "/cosmos/bank/v1beta1";
    expect((await get(`${bank}/balances/${address}`)).body).toMatchObject({ balances: coins });
    expect((await get(`${bank}/spendable_balances/${address}`)).body).toMatchObject({ balances: coins });
    expect((await get(`${bank}/balances/${address}/by_denom?denom=udcx`)).body).toMatchObject({ balance: coins[0] });
    expect((await get(`${bank}/supply`)).body).toMatchObject({ supply: [{ denom: "udcx", amount: "1000000000" }] });
    expect((await get(`${bank}/supply/by_denom?denom=udcx`)).body).toMatchObject({ amount: { amount: "1000000000" } });
  });
});

describe("transactions", () => {
  it("are found by hash, with messages, events and the time of their block", async () => {
    const { body } = await get(`/cosmos/tx/v1beta1/txs/${hash.toLowerCase()}`);
    expect(body).toMatchObject({
      tx: { body: { messages: [{ "@type": "/dcx.exchange.v1.MsgSubmitDeployment", wait_duration: "2" }, {}, {}] } },
      tx_response: {
        txhash: hash,
        height: height.toString(),
        code: 0,
        gas_used: expect.stringMatching(/^\d+$/),
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        tx: { "@type": "/cosmos.tx.v1beta1.Tx", signatures: [expect.any(String)] },
        events: expect.arrayContaining([expect.objectContaining({ type: "dcx.exchange.v1.EventDeploymentChanged" })]),
      },
    });
    const missing = await get(`/cosmos/tx/v1beta1/txs/${"0".repeat(64)}`);
    expect(missing).toMatchObject({ status: 404, body: { code: 5 } });
  });

  it("are found by events, in the words of the SDK before and since 0.50", async () => {
    const query = `tx.height=${height}`;
    for (const name of ["query", "events"]) {
      const { body } = await get(`/cosmos/tx/v1beta1/txs?${name}=${encodeURIComponent(query)}&order_by=ORDER_BY_DESC`);
      expect(body).toMatchObject({ total: "1", txs: [{}], tx_responses: [{ txhash: hash }] });
    }
    expect(await get("/cosmos/tx/v1beta1/txs")).toMatchObject({ status: 400, body: { code: 3 } });
  });

  it("are simulated, sent, and refused with the reason in the answer", async () => {
    const raw = TxRaw.fromPartial({});
    const nothing = Buffer.from(TxRaw.encode(raw).finish()).toString("base64");
    expect(await post("/cosmos/tx/v1beta1/txs", { tx_bytes: nothing })).toMatchObject({ status: 400 });
    const known = (await get(`/cosmos/tx/v1beta1/txs/${hash}`)).body;
    // The whole transaction as JSON, as older clients send it.
    expect((await post("/cosmos/tx/v1beta1/simulate", { tx: known.tx })).body).toMatchObject({
      gas_info: { gas_used: expect.stringMatching(/^[1-9]\d*$/) },
    });
    const block = blockAnswer.parse((await get(`/cosmos/base/tendermint/v1beta1/blocks/${height}`)).body);
    const [bytes] = block.block.data.txs;
    const again = await post("/cosmos/tx/v1beta1/txs", { tx_bytes: bytes, mode: "BROADCAST_MODE_SYNC" });
    expect(again).toMatchObject({
      status: 200,
      body: { tx_response: { code: 32, codespace: "sdk", raw_log: expect.stringContaining("sequence mismatch") } },
    });
    expect(await post("/cosmos/tx/v1beta1/txs", { tx_bytes: "*" })).toMatchObject({ status: 400, body: { code: 3 } });
    expect(await post("/cosmos/tx/v1beta1/txs", "{")).toMatchObject({ status: 400, body: { code: 3 } });
  });
});

describe("the exchange's own queries", () => {
  const base = "/dcx/exchange/v1";

  it("gives one deployment, with the height that it was read at", async () => {
    const { body, headers } = await get(`${base}/deployments/${served.tenant.address}/2`);
    expect(body).toMatchObject({
      deployment: { id: { sequence: "2" }, state: "DEPLOYMENT_STATE_ACTIVE", revision: "1" },
      orders: [{ order: { state: "ORDER_STATE_OPEN" } }],
      leases: [],
    });
    expect(headers.get("grpc-metadata-x-cosmos-block-height")).toBe(body.height);
  });

  it("filters, and pages by key and by offset", async () => {
    const sequences = (body: unknown) => listed.parse(body).deployments.map(({ id }) => id.sequence);
    const mine = `${base}/deployments/${served.tenant.address}?state=DEPLOYMENT_STATE_ACTIVE`;
    const first = listed.parse((await get(`${mine}&pagination.limit=2`)).body);
    expect(sequences(first)).toEqual(["1", "2"]);
    const key = encodeURIComponent(first.pagination.next_key);
    const second = listed.parse((await get(`${mine}&pagination.limit=2&pagination.key=${key}`)).body);
    expect(sequences(second)).toEqual(["3"]);
    expect(second.pagination.next_key).toBe("");
    expect(sequences((await get(`${mine}&pagination.offset=1&pagination.limit=1`)).body)).toEqual(["2"]);
    expect(sequences((await get(`${base}/deployments?state=DEPLOYMENT_STATE_CANCELLED`)).body)).toEqual([]);
    const both = await get(`${mine}&pagination.offset=1&pagination.key=${key}`);
    expect(both).toMatchObject({ status: 400, body: { message: expect.stringContaining("not both") } });
  });

  it.each(["parameters", "totals", "orders", "leases", "datacenters", "validators", "proposals"])(
    "answers %s",
    async (name) => {
      const { status, body } = await get(`${base}/${name}`);
      expect(status).toBe(200);
      expect(body.height).toMatch(/^\d+$/);
    },
  );

  it("refuses what it does not know, saying what", async () => {
    const misspelt = await get(`${base}/orders?stat=ORDER_STATE_OPEN`);
    expect(misspelt).toMatchObject({ status: 400, body: { code: 3, message: expect.stringMatching(/^stat: /) } });
    expect(await get(`${base}/orders?state=OPEN_ISH`)).toMatchObject({ status: 400 });
    expect(await get(`${base}/nothing`)).toMatchObject({ status: 404, body: { code: 5 } });
    expect(await get("/cosmos/auth/v1beta1/params")).toMatchObject({ status: 501, body: { code: 12 } });
    expect(await get(`${base}/orders`, { "x-cosmos-block-height": "1" })).toMatchObject({ status: 400 });
  });
});

it("answers what the application answers of stake, as the Cosmos SDK does", async () => {
  const staking = "/cosmos/staking/v1beta1";
  expect((await get(`${staking}/validators?status=BOND_STATUS_BONDED`)).body).toMatchObject({
    validators: [],
    pagination: {},
  });
  expect((await get(`${staking}/params`)).body).toMatchObject({
    params: { bond_denom: "udcx", unbonding_time: expect.stringMatching(/^\d+(\.\d+)?s$/) },
  });
  expect((await get("/cosmos/gov/v1beta1/proposals")).body).toMatchObject({ proposals: [] });
  expect((await get("/cosmos/slashing/v1beta1/params")).body).toMatchObject({
    params: { signed_blocks_window: "10000", min_signed_per_window: "0.500000000000000000" },
  });
  expect((await get("/cosmos/slashing/v1beta1/signing_infos")).body).toMatchObject({ info: [] });
});

it("lets the pages call it that its operator allows, and no others", async () => {
  const allowed = await fetch(`${url}/dcx/exchange/v1/totals`, { headers: { origin: "https://wallet.example" } });
  expect(allowed.headers.get("access-control-allow-origin")).toBe("https://wallet.example");
  const other = await fetch(`${url}/dcx/exchange/v1/totals`, { headers: { origin: "https://other.example" } });
  expect(other.status).toBe(403);
});
