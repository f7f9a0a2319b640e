import {
  type Datacenter as DatacenterRecord,
  type Isolation,
  idle,
  type MsgRegisterDatacenter,
  messages,
  type RootCertificate,
  type SigningExchangeClient,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { WantedRoots } from "./identity/rotation";

/** What a datacenter says of itself on chain. */
export interface Registration extends WantedRoots {
  readonly address: string;
  readonly region: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isolation: Isolation;
  readonly agentUrls: readonly string[];
  readonly tunnelAddresses: readonly string[];
}

/** The message that makes the record on chain say this; undefined where it does already. Pure. */
function registrationMessage(
  wanted: Registration,
  known: DatacenterRecord | undefined,
): MsgRegisterDatacenter | undefined {
  // Tenants require one or the other: a class, or any but none.
  const isolated = String(wanted.isolation !== "none");
  const attributes = Object.entries({ ...wanted.attributes, isolation: wanted.isolation, isolated })
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const { value } = messages.registerDatacenter({
    datacenter: wanted.address,
    region: wanted.region,
    attributes,
    agentUrls: [...wanted.agentUrls],
    tunnelAddresses: [...wanted.tunnelAddresses],
    roots: [...wanted.roots],
  });
  const same =
    known !== undefined &&
    known.region === value.region &&
    JSON.stringify(known.attributes) === JSON.stringify(value.attributes) &&
    JSON.stringify(known.agentUrls) === JSON.stringify(value.agentUrls) &&
    JSON.stringify(known.tunnelAddresses) === JSON.stringify(value.tunnelAddresses) &&
    wanted.roots.every((root) => names(known, root)) &&
    !wanted.withdrawn.some((root) => names(known, root));
  return same ? undefined : value;
}

function names({ roots }: DatacenterRecord, { certificate }: RootCertificate): boolean {
  return roots.some((each) => Buffer.compare(each.certificate, certificate) === 0);
}

/**
 * Registers where the record differs, trying until it is there or the signal aborts.
 * @param wantedNow what it is to say, given what the chain says
 */
export async function register(
  signing: SigningExchangeClient,
  wantedNow: (known: DatacenterRecord | undefined) => Promise<Registration>,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (let delay = 500; !signal.aborted; delay = Math.min(delay * 2, 30_000)) {
    try {
      const { datacenters } = await signing.query.datacenters({ address: signing.address }, { signal });
      const wanted = await wantedNow(datacenters[0]);
      const message = registrationMessage(wanted, datacenters[0]);
      if (message === undefined) return;
      const { height } = await signing.submit([messages.registerDatacenter(message)], { signal });
      logger.info({ region: wanted.region, agentUrls: wanted.agentUrls, height }, "registered");
      return;
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ err: error, retryIn: delay }, "the datacenter could not be registered; trying again");
      await idle(delay, signal);
    }
  }
}
