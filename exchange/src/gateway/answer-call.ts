import type { ChainAccess } from "./chain-access";
import type { NodeHandler } from "./node-handler";
import { refusalOfQuery } from "./status";
import { tendermintService } from "./tendermint-service";
import { transactionService } from "./transaction-service";

const nodeServices: Readonly<Record<string, NodeHandler>> = { ...tendermintService, ...transactionService };

/**
 * Answers a call by its gRPC path: the node itself where the service is its own, else the application.
 * @param height whose state is asked for; 0: the newest
 * @throws CallRefused, RpcError, or what went wrong in the node
 */
export async function answerCall(
  access: ChainAccess,
  path: string,
  request: Uint8Array,
  height: bigint,
): Promise<{ readonly value: Uint8Array; readonly height: bigint | undefined }> {
  const handler = Object.hasOwn(nodeServices, path) ? nodeServices[path] : undefined;
  if (handler !== undefined) return { value: await handler(access, request), height: undefined };
  const answer = access.query(path, request, height);
  if (answer.code !== 0) throw refusalOfQuery(answer);
  return answer;
}
