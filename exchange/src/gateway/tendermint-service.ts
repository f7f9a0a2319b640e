import { toBech32 } from "@cosmjs/encoding";
import { QueryParametersRequest, QueryParametersResponse } from "@dcx/protocol";
import { PageResponse } from "cosmjs-types/cosmos/base/query/v1beta1/pagination";
import {
  GetBlockByHeightRequest,
  GetBlockByHeightResponse,
  GetLatestBlockResponse,
  GetLatestValidatorSetRequest,
  GetLatestValidatorSetResponse,
  GetNodeInfoResponse,
  GetSyncingResponse,
  GetValidatorSetByHeightRequest,
} from "cosmjs-types/cosmos/base/tendermint/v1beta1/query";
import { PubKey } from "cosmjs-types/cosmos/crypto/ed25519/keys";
import type { ChainAccess } from "./chain-access";
import { blockSchema, statusSchema, validatorsSchema } from "./comet-json";
import { type NodeHandler, pageNumber } from "./node-handler";
import { refusalOfQuery } from "./status";

const service = "/cosmos.base.tendermint.v1beta1.Service";

/** Blocks, validators and the node itself: what the application can't know. */
export const tendermintService: Readonly<Record<string, NodeHandler>> = {
  [`${service}/GetNodeInfo`]: async (access) => {
    const { node_info: info } = statusSchema.parse(await access.call("status", {}));
    return GetNodeInfoResponse.encode(
      GetNodeInfoResponse.fromPartial({
        defaultNodeInfo: {
          protocolVersion: info.protocol_version,
          defaultNodeId: info.id,
          listenAddr: info.listen_addr,
          network: info.network,
          version: info.version,
          channels: info.channels,
          moniker: info.moniker,
          other: { txIndex: info.other.tx_index, rpcAddress: info.other.rpc_address },
        },
        // Wallets choose the shapes that they expect by this version: those of the definitions that are served.
        applicationVersion: {
          name: "dcx",
          appName: "dcx",
          version: info.protocol_version.app.toString(),
          cosmosSdkVersion: "v0.50.13",
        },
      }),
    ).finish();
  },
  [`${service}/GetSyncing`]: async (access) => {
    const { sync_info: sync } = statusSchema.parse(await access.call("status", {}));
    return GetSyncingResponse.encode({ syncing: sync.catching_up }).finish();
  },
  [`${service}/GetLatestBlock`]: async (access) =>
    GetLatestBlockResponse.encode(await blockAt(access, undefined)).finish(),
  [`${service}/GetBlockByHeight`]: async (access, request) => {
    const { height } = GetBlockByHeightRequest.decode(request);
    return GetBlockByHeightResponse.encode(await blockAt(access, height)).finish();
  },
  [`${service}/GetLatestValidatorSet`]: (access, request) =>
    validatorsAt(access, undefined, GetLatestValidatorSetRequest.decode(request).pagination),
  [`${service}/GetValidatorSetByHeight`]: (access, request) => {
    const { height, pagination } = GetValidatorSetByHeightRequest.decode(request);
    return validatorsAt(access, height, pagination);
  },
};

async function blockAt(access: ChainAccess, height: bigint | undefined): Promise<GetBlockByHeightResponse> {
  const answer = await access.call("block", height === undefined ? {} : { height: height.toString() });
  const { blockId, block } = blockSchema.parse(answer);
  const { proposerAddress, ...header } = block.header;
  const { evidence, data, lastCommit } = block;
  return {
    blockId,
    block,
    sdkBlock: {
      header: { ...header, proposerAddress: consensusAddress(access, proposerAddress) },
      data,
      evidence,
      ...(lastCommit === undefined ? {} : { lastCommit }),
    },
  };
}

async function validatorsAt(
  access: ChainAccess,
  height: bigint | undefined,
  pagination: GetLatestValidatorSetRequest["pagination"],
): Promise<Uint8Array> {
  const { page, size } = pageNumber(pagination);
  const place = height === undefined ? {} : { height: height.toString() };
  const answer = await access.call("validators", { ...place, page: page.toString(), per_page: size.toString() });
  const { block_height: blockHeight, validators, total } = validatorsSchema.parse(answer);
  return GetLatestValidatorSetResponse.encode(
    GetLatestValidatorSetResponse.fromPartial({
      blockHeight,
      validators: validators.map((one) => ({
        address: consensusAddress(access, one.address),
        pubKey: { typeUrl: PubKey.typeUrl, value: PubKey.encode({ key: one.pub_key.value }).finish() },
        votingPower: one.voting_power,
        proposerPriority: one.proposer_priority,
      })),
      pagination: PageResponse.fromPartial({ total }),
    }),
  ).finish();
}

function consensusAddress(access: ChainAccess, address: Uint8Array): string {
  const request = QueryParametersRequest.encode({}).finish();
  const answer = access.query("/dcx.exchange.v1.Query/Parameters", request, 0n);
  if (answer.code !== 0) throw refusalOfQuery(answer);
  const { addressPrefix } = QueryParametersResponse.decode(answer.value);
  return toBech32(`${addressPrefix}valcons`, address);
}
