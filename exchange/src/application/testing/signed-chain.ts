import { Genesis } from "@dcx/protocol";
import { PubKey } from "cosmjs-types/cosmos/crypto/secp256k1/keys";
import { SignMode } from "cosmjs-types/cosmos/tx/signing/v1beta1/signing";
import { AuthInfo, SignDoc, TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import {
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  type ResponseFinalizeBlock,
} from "cosmjs-types/tendermint/abci/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import { ecdsaSign } from "secp256k1";
import { type Conduct, noConduct } from "../../state/begin-block";
import { chainId, initializeWorld, type WorldOptions, worldGenesis } from "../../state/testing/genesis";
import { addressOf, keyOf, publicKeyOf } from "../../state/testing/names";
import { sha256 } from "../../storage/sha256";
import { Application, type ApplicationOptions } from "../application";
import { exchangeMachine } from "../exchange-machine";
import { exchangeQueries } from "../exchange-queries";
import type { StateMachine } from "../state-machine";
import type { EncodedMessage } from "../transaction";

/** An application on a disk with the participants of a world, who sign what they send. */
export class SignedChain {
  readonly machine: StateMachine;
  application: Application;
  readonly #names = new Map<string, string>();
  readonly #numbers = new Map<string, bigint>();
  readonly #sequences = new Map<string, bigint>();

  constructor(
    private readonly path: string,
    world: WorldOptions,
    private readonly options: Pick<ApplicationOptions, "mostPending" | "keptBlocks"> = {},
  ) {
    this.machine = { ...exchangeMachine, initializeGenesis: (store) => initializeWorld(store, world) };
    this.application = new Application({ path, machine: this.machine, queries: exchangeQueries, ...options });
    const genesis = worldGenesis(world);
    this.application.initChain(
      RequestInitChain.fromPartial({
        chainId,
        appStateBytes: Buffer.from(JSON.stringify(Genesis.toJSON(genesis))),
        initialHeight: 1n,
      }),
    );
    for (const name of [...Object.keys(world.accounts ?? {}), ...Object.keys(world.datacenters ?? {})])
      this.#names.set(addressOf(name), name);
    for (const [number, { address }] of genesis.accounts.entries()) this.#numbers.set(address, BigInt(number));
  }

  /** Height of the next block. */
  get height(): bigint {
    return this.info.lastBlockHeight + 1n;
  }

  get appHash(): string {
    return Buffer.from(this.info.lastBlockAppHash).toString("hex");
  }

  /**
   * Signs a message under the next sequence of whoever must sign it.
   * @param fee micro-units
   */
  sign(message: EncodedMessage, gasLimit = 5_000_000n, fee = 0n): Uint8Array {
    const address = this.machine.requiredSigners(message)[0] ?? "";
    const name = this.#names.get(address) ?? "";
    const sequence = this.sequenceOf(address);
    this.#sequences.set(address, sequence + 1n);
    const publicKey = PubKey.encode({ key: publicKeyOf(name) }).finish();
    const bodyBytes = TxBody.encode(TxBody.fromPartial({ messages: [message] })).finish();
    const authInfoBytes = AuthInfo.encode(
      AuthInfo.fromPartial({
        signerInfos: [
          {
            publicKey: { typeUrl: "/cosmos.crypto.secp256k1.PubKey", value: publicKey },
            modeInfo: { single: { mode: SignMode.SIGN_MODE_DIRECT } },
            sequence,
          },
        ],
        fee: { amount: fee === 0n ? [] : [{ denom: "udcx", amount: fee.toString() }], gasLimit },
      }),
    ).finish();
    const accountNumber = this.numberOf(address);
    const digest = sha256(SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish());
    const { signature } = ecdsaSign(digest, keyOf(name));
    return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
  }

  /** The next sequence of an account. */
  sequenceOf(address: string): bigint {
    return this.#sequences.get(address) ?? 0n;
  }

  numberOf(address: string): bigint {
    return this.#numbers.get(address) ?? 0n;
  }

  /** What was signed last by whoever must sign the message was refused: its sequence is the next again. */
  takeBack(message: EncodedMessage): void {
    const address = this.machine.requiredSigners(message)[0] ?? "";
    this.#sequences.set(address, (this.#sequences.get(address) ?? 1n) - 1n);
  }

  /** The facilitator's part of the next block and these transactions, chosen from as a block has room. */
  propose(transactions: readonly Uint8Array[]): Uint8Array[] {
    const { blockMaxBytes } = this.application.parameters;
    const request = { txs: [...transactions], height: this.height, maxTxBytes: blockMaxBytes };
    return this.application.prepareProposal(RequestPrepareProposal.fromPartial(request)).txs;
  }

  /** Executes and commits exactly that. */
  commit(txs: readonly Uint8Array[], { absent, misbehavior }: Conduct = noConduct): ResponseFinalizeBlock {
    const blockIdFlag = BlockIDFlag.BLOCK_ID_FLAG_ABSENT;
    const request = RequestFinalizeBlock.fromPartial({
      txs: [...txs],
      height: this.height,
      decidedLastCommit: { votes: absent.map((address) => ({ validator: { address }, blockIdFlag })) },
      misbehavior: misbehavior.map(({ address, power, height }) => ({ validator: { address, power }, height })),
    });
    const response = this.application.finalizeBlock(request);
    this.application.commit();
    return response;
  }

  /** The same chain as a node that starts again sees it. */
  async reopen(): Promise<void> {
    await this.application.close();
    this.application = new Application({
      path: this.path,
      machine: this.machine,
      queries: exchangeQueries,
      ...this.options,
    });
  }

  private get info() {
    return this.application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
  }
}
