import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QueryClient, setupFeegrantExtension } from "@cosmjs/stargate";
import { connectComet } from "@cosmjs/tendermint-rpc";
import {
  ExchangeQueryClient,
  FeeRefused,
  grantAllowanceMessage,
  messages,
  revokeAllowanceMessage,
  SigningExchangeClient,
  signerFromPrivateKey,
  typeUrls,
} from "@dcx/protocol";
import pino from "pino";
import { defaultGenesis } from "../application/default-genesis";
import { checkHome } from "./check-home";
import { startEmbeddedNode } from "./embedded-node";

/** Fee grants from the signature to the block, by the client that the provider uses and by stock cosmjs. */
test("an account without a token has its fees paid, for what and as far as was granted", async () => {
  const home = mkdtempSync(join(tmpdir(), "dcx-fees-"));
  const [granter, grantee] = await Promise.all(["11", "22"].map((byte) => signerFromPrivateKey(byte.repeat(32))));
  if (granter === undefined || grantee === undefined) throw new Error("two accounts");
  const genesis = defaultGenesis({
    chainId: "dcx-fees",
    accounts: [{ address: granter.address, balance: 1_000_000n }],
    parameters: { blockInterval: 100n },
  });
  const node = await startEmbeddedNode({
    home,
    genesis,
    rpc: {},
    logger: pino({ level: "silent" }),
    idleInterval: 500,
  });
  try {
    using query = await ExchangeQueryClient.connect(node.rpcUrl, { pollInterval: 50 });
    const [own, other] = await Promise.all([granter, grantee].map((one) => SigningExchangeClient.connect(query, one)));
    if (own === undefined || other === undefined) throw new Error("two clients");
    const grant = {
      granter: granter.address,
      grantee: grantee.address,
      limit: 10n,
      messages: [typeUrls.submitDeployment],
    };
    await own.submit([await grantAllowanceMessage(grant, "udcx")]);
    expect(await query.feeGrants(grantee.address)).toEqual([grant]);
    const before = (await query.account(granter.address))?.balance ?? 0n;

    const deploy = messages.submitDeployment({
      tenant: grantee.address,
      version: new Uint8Array(32),
      nonce: new Uint8Array(32),
      clientToken: new Uint8Array(32).fill(1),
    });
    const feeGranter = granter.address;
    // Without the grant the account is short of tokens, and other messages are not what it is for.
    await expect(other.submit([deploy], { gas: 100_000n })).rejects.toThrow(/has not enough tokens/);
    const send = messages.send(grantee.address, granter.address, 1n, "udcx");
    await expect(other.submit([send], { feeGranter, gas: 20_000n })).rejects.toThrow(/is not for .*MsgSend/);
    const { fee } = await other.submit([deploy], { feeGranter });
    expect(fee.amount).toBeGreaterThan(0n);
    expect((await query.account(granter.address))?.balance).toBe(before - fee.amount);
    expect(await query.feeGrants(grantee.address)).toEqual([{ ...grant, limit: 10n - fee.amount }]);
    await expect(other.submit([deploy], { feeGranter, gas: 200_000n })).rejects.toThrow(/fee limit exceeded/);

    // As any program on cosmjs asks.
    const comet = await connectComet(node.rpcUrl);
    const stock = QueryClient.withExtensions(comet, setupFeegrantExtension);
    expect((await stock.feegrant.allowance(granter.address, grantee.address)).allowance?.grantee).toBe(grantee.address);
    comet.disconnect();

    await own.submit([revokeAllowanceMessage(granter.address, grantee.address)]);
    await expect(other.submit([deploy], { feeGranter, gas: 50_000n })).rejects.toThrow(/fee-grant not found/);

    const limited = await SigningExchangeClient.connect(query, granter, { maxFee: 1n });
    await expect(
      limited.submit(
        [deploy].map(() => send),
        { gas: 100_000n },
      ),
    ).rejects.toThrow(FeeRefused);
    const cheap = await SigningExchangeClient.connect(query, granter, { gasPrice: { amount: 1n } });
    await expect(cheap.submit([send], { gas: 100_000n })).rejects.toThrow(/takes no less than 0.0001udcx/);
  } finally {
    await node.close();
  }
  expect(await checkHome(home)).toEqual([]);
  rmSync(home, { recursive: true, force: true });
});
