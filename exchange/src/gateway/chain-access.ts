import { z } from "zod";
import type { Application } from "../application";
import { CallParameters } from "../node/rpc/call-parameters";
import { call } from "../node/rpc/dispatch";
import type { NodeView } from "../node/rpc/methods";
import { RpcError } from "../node/rpc/rpc-error";
import { CallRefused, Status } from "./status";

export interface QueryAnswer {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly value: Uint8Array;
  readonly height: bigint;
}

/** What the gateway and the gRPC server read a chain by, however its node runs. */
export interface ChainAccess {
  /** Asks the application, at a height or (0) of the newest state. */
  query(path: string, data: Uint8Array, height: bigint): QueryAnswer;
  /** Calls a method of CometBFT's JSON-RPC. @throws RpcError when it is refused, CallRefused when nobody answers */
  call(method: string, parameters: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** Of a node in this process. */
export function embeddedAccess(view: NodeView): ChainAccess {
  return {
    query: queryOf(view.application),
    call: async (method, parameters) => call(view, method, new CallParameters(parameters, "json")),
  };
}

const answerSchema = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.string().default("") }).optional(),
});
/** Milliseconds that CometBFT is waited for. */
const patience = 20_000;

/** Of an application in this process, and of CometBFT beside it. */
export function distributedAccess(application: Application, rpcUrl: string): ChainAccess {
  return {
    query: queryOf(application),
    call: async (method, params) => {
      let answer: z.infer<typeof answerSchema>;
      try {
        const response = await fetch(rpcUrl, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
          signal: AbortSignal.timeout(patience),
        });
        answer = answerSchema.parse(await response.json());
      } catch (error) {
        throw new CallRefused(Status.Unavailable, "the consensus engine does not answer: try again", { cause: error });
      }
      if (answer.error !== undefined) throw new RpcError(answer.error.code, answer.error.message, answer.error.data);
      return answer.result;
    },
  };
}

function queryOf(application: Application): ChainAccess["query"] {
  return (path, data, height) => application.query({ path, data, height, prove: false });
}
