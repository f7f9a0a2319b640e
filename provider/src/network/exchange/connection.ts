import {
  type DeploymentId,
  ExchangeQueryClient,
  type QueryDeploymentResponse,
  type SigningClientOptions,
  SigningExchangeClient,
} from "@dcx/protocol";
import type DataLoader from "dataloader";
import { NetworkError, type NetworkIdentity, type NetworkParameters } from "../driver";
import { Agents } from "./agents";
import type { ExchangeEndpoint, TenantAccount } from "./endpoint";
import { readTogether } from "./read-together";
import { asked } from "./translate-error";

/** An exchange that answers, and who speaks to it. */
export interface Connection {
  readonly endpoint: ExchangeEndpoint;
  readonly account: TenantAccount;
  readonly query: ExchangeQueryClient;
  /** Deployments that are asked for one by one, and read together. */
  readonly deployments: DataLoader<DeploymentId, QueryDeploymentResponse>;
  readonly agents: Agents;
  readonly parameters: NetworkParameters;
  /** Made when something is to be signed: previews never load what signs. */
  readonly signing: () => Promise<SigningExchangeClient>;
}

/**
 * Transactions of different deployments on their way at once: of one deployment never two are (see GroupCommit and the
 * session's turns), so none depends on another that is not committed.
 */
const MOST_IN_FLIGHT = 64;

/** Milliseconds until a node of this machine counts as stopped. */
const EMBEDDED_PATIENCE = 3000;

/** @throws {NetworkError} */
export async function connect(endpoint: ExchangeEndpoint, signal: AbortSignal): Promise<Connection> {
  try {
    return await connectTo(endpoint, signal);
  } catch (error) {
    if (endpoint.network === "embedded" && error instanceof NetworkError && error.code === "unreachable") {
      throw new NetworkError(
        "unreachable",
        `The embedded network ${endpoint.chainId ?? ""} of this machine does not answer. \`dcx network start\` starts it again, with all that is on it; \`dcx network status\` says how it is.`,
        { cause: error },
      );
    }
    throw error;
  }
}

async function connectTo(endpoint: ExchangeEndpoint, signal: AbortSignal): Promise<Connection> {
  return asked(signal, async () => {
    const options = {
      ...(endpoint.chainId === undefined ? {} : { chainId: endpoint.chainId }),
      ...(endpoint.patience === undefined ? {} : { patience: endpoint.patience }),
    };
    if (endpoint.network === "embedded") {
      // Whether it runs is soon known; once it does, it is as patiently followed as any other.
      (await ExchangeQueryClient.connect(endpoint.endpoints, { ...options, patience: EMBEDDED_PATIENCE })).close();
    }
    const query = await ExchangeQueryClient.connect(endpoint.endpoints, options);
    const answer = await query.parameters({ signal });
    const { parameters } = answer;
    if (parameters === undefined) {
      throw new NetworkError("refused", `${endpoint.endpoints.join(", ")} does not say the parameters of its chain.`);
    }
    const account = await endpoint.account(answer.addressPrefix);
    let signing: Promise<SigningExchangeClient> | undefined;
    return {
      endpoint,
      account,
      query,
      deployments: readTogether(query),
      agents: new Agents(query, account.signer, endpoint.agentProxy),
      parameters: {
        blockInterval: Number(parameters.blockInterval),
        denomination: answer.denomination,
        addressPrefix: answer.addressPrefix,
        maxWaitDuration: parameters.maxWaitDuration,
        maxInfrastructures: parameters.maxInfrastructures,
        maxGroups: parameters.maxGroups,
        maxAttributes: parameters.maxAttributes,
        maxCount: parameters.maxCount,
        maxManagers: parameters.maxManagers,
      },
      signing: () => {
        if (signing === undefined) {
          const options = signingOptions(endpoint, Number(parameters.blockInterval));
          signing = SigningExchangeClient.connect(query, account.signer, options);
          // A signer that could not be asked now may be asked again.
          signing.catch(() => {
            signing = undefined;
          });
        }
        return signing;
      },
    };
  });
}

/** @param blockInterval milliseconds */
function signingOptions({ fees, signingTime }: ExchangeEndpoint, blockInterval: number): SigningClientOptions {
  const { gasAdjustment, gasPrice, maxFee } = fees;
  return {
    // What takes long to be signed must still count afterwards.
    timeoutBlocks: TIMEOUT_BLOCKS + Math.ceil((signingTime ?? 0) / blockInterval),
    inFlight: MOST_IN_FLIGHT,
    ...(gasAdjustment === undefined ? {} : { gasFactor: gasAdjustment }),
    ...(gasPrice === undefined ? {} : { gasPrice }),
    ...(maxFee === undefined ? {} : { maxFee }),
  };
}

/** Blocks in which a transaction can count, once it is signed. */
const TIMEOUT_BLOCKS = 60;

export function identityOf({ endpoint, account, query }: Connection): NetworkIdentity {
  return { network: endpoint.network, chain: query.chainId, tenant: account.signer.address };
}
