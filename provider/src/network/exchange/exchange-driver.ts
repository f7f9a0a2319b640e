import {
  clientToken,
  DeploymentState,
  FeeRefused,
  type Message,
  manifestSalt,
  messages,
  NetworkUnreachable,
  ownerStamp,
  PageRequest,
  pages,
  type Quote,
  SignerFailed,
  type SubmitResult,
  unlessAborted,
  WrongChain,
} from "@dcx/protocol";
import type { FeeSettings } from "../../configuration/configuration";
import {
  type DatacenterRecord,
  type DeploymentKey,
  type DeploymentStatus,
  type LeaseRecord,
  type NetworkCapabilities,
  type NetworkDriver,
  NetworkError,
  type NetworkIdentity,
  type NetworkParameters,
  type OrderKey,
  type OrderRecord,
  type RecordsOf,
  type StatusCursor,
  type Transaction,
  type TransactionResult,
} from "../driver";
import type { Envelope, Snapshot, Terms } from "../snapshot";
import { type Connection, connect, identityOf } from "./connection";
import type { EndpointSource } from "./endpoint";
import { bytes, datacenterOf, snapshotOf, submitMessage, updateMessage } from "./translate";
import { asked, translateError } from "./translate-error";

/** Milliseconds for which it is remembered that it is stopped: a preview asks once for each resource. */
const STOPPED_MEMORY = 5000;

/** The driver of an exchange, one's own or somebody's. It connects when it is first asked something. */
export class ExchangeDriver implements NetworkDriver {
  readonly capabilities: NetworkCapabilities = { separateResources: true, infrastructureUpdates: true };
  /** With the signal of who began to make it. */
  #connection: { readonly connecting: Promise<Connection>; readonly signal: AbortSignal } | undefined;
  /** Until when an embedded network that did not answer counts as stopped without being asked again. */
  #stoppedUntil = 0;

  constructor(readonly source: EndpointSource) {}

  async identify(signal: AbortSignal): Promise<NetworkIdentity | undefined> {
    const endpoint = this.#connection === undefined ? await this.source.locate(signal) : undefined;
    const stopped = endpoint?.network === "embedded" && Date.now() < this.#stoppedUntil;
    if (this.#connection === undefined && (endpoint === undefined || stopped)) {
      return undefined;
    }
    try {
      return identityOf(await this.#connected(signal));
    } catch (error) {
      if (endpoint?.network === "embedded" && error instanceof NetworkError && error.code === "unreachable") {
        // It has been stopped: the next create starts it again.
        this.#stoppedUntil = Date.now() + STOPPED_MEMORY;
        return undefined;
      }
      throw error;
    }
  }

  async ensure(status: (line: string) => void, signal: AbortSignal): Promise<NetworkIdentity> {
    const start = async () => connect(await this.source.start(status, signal), signal);
    return identityOf(await this.#shared(signal, start));
  }

  async relation(chain: string, signal: AbortSignal): Promise<"same" | "gone" | "other"> {
    if (this.source.isGone(chain)) {
      return "gone";
    }
    const chainId = this.#connection === undefined ? (await this.source.locate(signal))?.chainId : undefined;
    const known = chainId ?? (await this.identify(signal))?.chain;
    return known === chain ? "same" : "other";
  }

  async parameters(signal: AbortSignal): Promise<NetworkParameters> {
    return (await this.#connected(signal)).parameters;
  }

  async snapshot(deployment: DeploymentKey, signal: AbortSignal): Promise<Snapshot> {
    const { query, deployments } = await this.#connected(signal);
    // What others ask for in the same query goes on where this caller leaves.
    const described = () => unlessAborted(signal, deployments.load(deployment));
    return asked(signal, async () => snapshotOf(query.chainId, await described()));
  }

  async listDeployments(
    tenant: string,
    { after, size }: { readonly after: string | undefined; readonly size: number },
    signal: AbortSignal,
  ): Promise<{ readonly found: readonly DeploymentKey[]; readonly next: string | undefined }> {
    const { query } = await this.#connected(signal);
    const page = PageRequest.fromPartial({ key: Buffer.from(after ?? "", "base64url"), limit: size });
    const answer = await asked(signal, () =>
      query.deployments({ tenant, state: DeploymentState.ACTIVE, page }, { signal }),
    );
    const next = Buffer.from(answer.page?.nextKey ?? []).toString("base64url");
    return {
      found: answer.deployments.flatMap(({ id }) => (id === undefined ? [] : [id])),
      next: next === "" ? undefined : next,
    };
  }

  async findByToken(token: string, signal: AbortSignal): Promise<Snapshot> {
    const { query, account } = await this.#connected(signal);
    return asked(signal, async () =>
      snapshotOf(query.chainId, await query.deploymentByToken(account.signer.address, bytes(token), { signal })),
    );
  }

  async submit(transaction: Transaction, signal: AbortSignal): Promise<TransactionResult> {
    const { signing, account, endpoint } = await this.#connected(signal);
    const client = await signing();
    let result: SubmitResult;
    try {
      const message = messageOf(account.signer.address, transaction);
      result = await client.submit([message], { signal, ...feeOptions(endpoint.fees) });
    } catch (error) {
      throw translateError(error, signal);
    }
    const [response] = result.responses;
    const id = response?.type === "submitDeployment" ? response.value.id : undefined;
    return {
      hash: result.hash,
      height: result.height,
      fee: result.fee.amount,
      submitted:
        response?.type === "submitDeployment" && id !== undefined
          ? { deployment: id, incarnation: response.value.incarnation, existed: response.value.existed }
          : undefined,
    };
  }

  async estimateFee(transaction: Transaction, signal: AbortSignal): Promise<bigint | undefined> {
    const { signing, account, endpoint } = await this.#connected(signal);
    try {
      const client = await signing();
      const message = messageOf(account.signer.address, transaction);
      return (await client.estimateFee([message], { signal, ...feeOptions(endpoint.fees) })).amount;
    } catch (error) {
      signal.throwIfAborted();
      const telling = [NetworkUnreachable, WrongChain, FeeRefused, SignerFailed];
      if (telling.some((kind) => error instanceof kind)) {
        throw translateError(error, signal);
      }
      // What is refused now may be accepted once steps before it have run.
      return undefined;
    }
  }

  async waitForHeight(height: bigint, signal: AbortSignal): Promise<bigint> {
    const { query } = await this.#connected(signal);
    return asked(signal, () => query.waitForHeight(height + 1n, { signal }));
  }

  async datacenters(signal: AbortSignal): Promise<readonly DatacenterRecord[]> {
    const { query } = await this.#connected(signal);
    return asked(signal, async () => {
      const found: DatacenterRecord[] = [];
      for await (const one of pages(
        (page) => query.datacenters({ page }, { signal }),
        (answer) => answer.datacenters,
      )) {
        found.push(datacenterOf(one));
      }
      return found;
    });
  }

  async quote(order: OrderKey, datacenter: string, signal: AbortSignal): Promise<Quote> {
    return (await this.#connected(signal)).agents.quote(order, datacenter, signal);
  }

  async quoteTerms(terms: Terms, datacenter: string, signal: AbortSignal): Promise<Quote> {
    return (await this.#connected(signal)).agents.quoteTerms(terms, datacenter, signal);
  }

  async orders(of: RecordsOf, state: OrderRecord["state"], signal: AbortSignal): Promise<readonly OrderRecord[]> {
    const { query } = await this.#connected(signal);
    const { ordersOf } = await import("./records.js");
    return asked(signal, () => ordersOf(query, of, state, signal));
  }

  async leases(of: RecordsOf, state: LeaseRecord["state"], signal: AbortSignal): Promise<readonly LeaseRecord[]> {
    const { query } = await this.#connected(signal);
    const { leasesOf } = await import("./records.js");
    return asked(signal, () => leasesOf(query, of, state, signal));
  }

  async balance(address: string, signal: AbortSignal): Promise<bigint> {
    const { query } = await this.#connected(signal);
    return asked(signal, async () => (await query.account(address, { signal }))?.balance ?? 0n);
  }

  async handManifest(
    deployment: DeploymentKey,
    holder: string,
    envelope: Envelope,
    signal: AbortSignal,
  ): Promise<void> {
    await (await this.#connected(signal)).agents.hand(deployment, holder, envelope, signal);
  }

  async fetchManifest(
    deployment: DeploymentKey,
    holder: string,
    version: string,
    signal: AbortSignal,
  ): Promise<Envelope | undefined> {
    return (await this.#connected(signal)).agents.fetch(deployment, holder, version, signal);
  }

  async status(
    deployment: DeploymentKey,
    holder: string,
    after: StatusCursor,
    signal: AbortSignal,
  ): Promise<DeploymentStatus> {
    return (await this.#connected(signal)).agents.status(deployment, holder, after, signal);
  }

  async clientToken(urn: string, namespace: string, signal: AbortSignal): Promise<string> {
    const { account } = await this.#connected(signal);
    return Buffer.from(clientToken(account.tenantKey, urn, namespace)).toString("hex");
  }

  async manifestSalt(token: string, nonce: string, signal: AbortSignal): Promise<string> {
    const { account } = await this.#connected(signal);
    return manifestSalt(account.tenantKey, bytes(token), bytes(nonce));
  }

  async owner(text: string, signal: AbortSignal): Promise<string> {
    const { account } = await this.#connected(signal);
    return ownerStamp(account.tenantKey, text);
  }

  /** Ends connections. A later call connects again. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    // Where none was made there is none to end.
    const made = await connection?.connecting.catch(() => undefined);
    await made?.agents.close();
    made?.query.close();
  }

  #connected(signal: AbortSignal): Promise<Connection> {
    return this.#shared(signal, async () => {
      const endpoint = await this.source.locate(signal);
      if (endpoint === undefined) {
        throw new NetworkError(
          "unreachable",
          "There is no embedded network yet. The first `pulumi up` that creates something starts it, or `dcx network start` does.",
        );
      }
      return connect(endpoint, signal);
    });
  }

  /** The connection that there is, or is being made, else a new one. Whoever makes it may be cancelled: others go on. */
  async #shared(signal: AbortSignal, make: () => Promise<Connection>): Promise<Connection> {
    for (;;) {
      const theirs = this.#connection;
      if (theirs === undefined) {
        return this.#keep(signal, make());
      }
      try {
        return await unlessAborted(signal, theirs.connecting);
      } catch (error) {
        if (signal.aborted || !theirs.signal.aborted) {
          throw error;
        }
      }
    }
  }

  #keep(signal: AbortSignal, connecting: Promise<Connection>): Promise<Connection> {
    const mine = { connecting, signal };
    this.#connection = mine;
    connecting.catch(() => {
      if (this.#connection === mine) {
        this.#connection = undefined;
      }
    });
    return connecting;
  }
}

function feeOptions({ feeGranter, gasLimit }: FeeSettings): { readonly feeGranter?: string; readonly gas?: bigint } {
  return {
    ...(feeGranter === undefined ? {} : { feeGranter }),
    ...(gasLimit === undefined ? {} : { gas: gasLimit }),
  };
}

function messageOf(sender: string, transaction: Transaction): Message {
  switch (transaction.kind) {
    case "submit-deployment":
      return messages.submitDeployment(submitMessage(sender, transaction));
    case "update-deployment":
      return messages.updateDeployment(updateMessage(sender, transaction));
    case "cancel-deployment":
      return messages.cancelDeployment({
        tenant: sender,
        id: { tenant: transaction.deployment.tenant, sequence: transaction.deployment.sequence },
        incarnation: transaction.incarnation,
      });
  }
}
