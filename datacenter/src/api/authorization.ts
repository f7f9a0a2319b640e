import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import {
  type AuthenticationContext,
  type AuthenticationRequest,
  authenticateCaller,
  type Caller,
  deploymentKey,
  LeaseState,
  NO_DEPLOYMENT,
  type PeerVerifier,
  parseDeploymentKey,
  type StatementPurpose,
  statementHeader,
} from "@dcx/protocol";
import type { Logger } from "pino";
import { RateLimit } from "../callers/rate-limit";
import type { ChainView } from "../chain/view";
import { currentRoots } from "../reconcile/wiring";
import { chainUnreachable, Refusal } from "./refusal";

export interface AuthorizationOptions {
  readonly chainId: string;
  readonly datacenter: string;
  readonly verifier: PeerVerifier;
  readonly view: () => ChainView | undefined;
  /** Whether the view (of a deployment) is no older than a few blocks; waits a little while the agent starts. */
  readonly isFresh: (deployment?: string) => Promise<boolean>;
  /** Reads a deployment that the view lacks: its lease may be of a block that the agent has not followed yet. */
  readonly refresh: (deployment: string) => Promise<void>;
  readonly logger: Logger;
}

/** What a caller is told by: of a request, or of a connection that is to be upgraded. */
export interface CallerRequest {
  readonly ip: string;
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly raw: { readonly socket: Socket };
  readonly routeOptions: { readonly url?: string | undefined };
}

/** A caller that may ask what it asks, and the deployment that it asks about. */
export interface Authorized {
  readonly caller: Caller;
  readonly tenant: string;
  readonly sequence: bigint;
  /** `<tenant>/<sequence>` */
  readonly deployment: string;
  /** Whether this datacenter has an active lease of it. */
  readonly held: boolean;
}

/**
 * Decides who is served, by chain state that is no older than a few blocks; without that, nobody.
 * design: "Handing it over".
 */
export class Authorization {
  readonly #refreshes = new RateLimit(5, 20);

  constructor(private readonly options: AuthorizationOptions) {}

  /**
   * @param kinds which callers the request is for
   * @throws {Refusal} for everybody else; what was presented goes into the log
   */
  async authorize(
    request: CallerRequest & { readonly params: { readonly tenant: string; readonly sequence: string } },
    purpose: StatementPurpose,
    kinds: readonly Caller["kind"][],
  ): Promise<Authorized> {
    const { view: look } = this.options;
    const id = deploymentOf(request.params);
    const known = await this.#freshView(deploymentKey(id));
    if (!known.deployments.has(deploymentKey(id)) && this.#refreshes.admit(request.ip, performance.now())) {
      await this.options.refresh(deploymentKey(id));
    }
    const view = look() ?? known;
    const caller = await this.#authenticate(request, { ...id, purpose }, kinds, view);
    return {
      ...id,
      caller,
      deployment: deploymentKey(id),
      held: view.deployments.has(deploymentKey(id)),
    };
  }

  /**
   * Makes sure that the caller is this account.
   * @throws {Refusal} unless it proves that by a statement for a quote
   */
  async authorizeAccount(request: CallerRequest, account: string): Promise<void> {
    const view = await this.#freshView();
    await this.#authenticate(
      request,
      { tenant: account, sequence: NO_DEPLOYMENT, purpose: "quote" },
      ["account"],
      view,
    );
  }

  /** Whether what was allowed still is, as the chain now stands: a command may run for long. */
  stillMay({ caller, deployment, sequence, tenant }: Authorized): boolean {
    const view = this.options.view();
    if (view === undefined) return true;
    if (!view.deployments.has(deployment)) return false;
    return caller.kind !== "account" || this.#context(view).mayManage(caller.account, tenant, sequence);
  }

  async #freshView(deployment?: string): Promise<ChainView> {
    const fresh = await this.options.isFresh(deployment);
    const view = this.options.view();
    if (view === undefined || !fresh) {
      throw chainUnreachable();
    }
    return view;
  }

  async #authenticate(
    request: CallerRequest,
    about: AuthenticationRequest,
    kinds: readonly Caller["kind"][],
    view: ChainView,
  ): Promise<Caller> {
    const { logger, verifier } = this.options;
    const header = request.headers[statementHeader];
    const { socket } = request.raw;
    const verdict = await authenticateCaller(
      {
        certificate: socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined,
        statement: typeof header === "string" ? header : undefined,
      },
      about,
      this.#context(view),
      verifier,
    );
    const what = { deployment: deploymentKey(about), method: request.method, path: request.routeOptions.url };
    if (!verdict.accepted) {
      logger.warn({ ...what, from: request.ip, code: verdict.code, presented: verdict.presented }, "request refused");
      throw new Refusal(403, verdict.code, verdict.message);
    }
    if (!kinds.includes(verdict.caller.kind)) {
      logger.warn(
        { ...what, from: request.ip, caller: verdict.caller },
        "request refused: not for this kind of caller",
      );
      throw new Refusal(403, "not-for-caller", `this is not for a caller of kind ${verdict.caller.kind}`);
    }
    return verdict.caller;
  }

  #context(view: ChainView): AuthenticationContext {
    const { chainId, datacenter } = this.options;
    const deploymentOn = (tenant: string, sequence: bigint) =>
      view.deployments.get(deploymentKey({ tenant, sequence }));
    return {
      chainId,
      datacenter,
      ...(view.parameters.addressPrefix === "" ? {} : { addressPrefix: view.parameters.addressPrefix }),
      now: new Date(),
      mayManage: (account, tenant, sequence) =>
        account === tenant ||
        (deploymentOn(tenant, sequence)?.deployment?.managers ?? []).some(
          ({ address, limits }) =>
            address === account && (limits === undefined || limits.endHeight === 0n || limits.endHeight >= view.height),
        ),
      holderRoots: (tenant, sequence) => {
        const answer = deploymentOn(tenant, sequence);
        const active = (answer?.leases ?? []).filter(({ state }) => state === LeaseState.ACTIVE);
        const holders = new Set(active.map((lease) => lease.datacenter));
        const records = (answer?.datacenters ?? []).filter(({ address }) => holders.has(address));
        return new Map(records.map((record) => [record.address, currentRoots(record, view.height)]));
      },
    };
  }
}

function deploymentOf(params: { tenant: string; sequence: string }): { tenant: string; sequence: bigint } {
  try {
    const { tenant, sequence } = parseDeploymentKey(`${params.tenant}/${params.sequence}`);
    return { tenant, sequence };
  } catch (error) {
    throw new Refusal(400, "malformed", error instanceof Error ? error.message : "no deployment has that id");
  }
}
