import {
  type Datacenter,
  ExchangeErrorCode,
  type MsgRegisterDatacenter,
  type MsgRegisterDatacenterResponse,
  type Parameters,
  type RootCertificate,
  rootCertificateProblem,
  TimerKind,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { ExchangeError, invalid } from "../errors";
import { datacenterChanged } from "../events";
import { datacenters, getParameters } from "../records";
import type { KeyValueStore } from "../store";
import { clearTimer, noOrder, setTimer, type Timer } from "../timers";
import { checkAddress, checkedAttributes, checkName, checkText } from "../validation";

const mostAddresses = 8;
/** No end lies beyond: a timer is set for the height after it. */
const lastHeight = 2n ** 53n;
const agentUrlPattern = /^https:\/\/[A-Za-z0-9.[\]:_-]+(\/[A-Za-z0-9._~/-]*)?$/;
const tunnelAddressPattern = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,4})$/;

/**
 * A datacenter makes or changes its record: region, attributes, where its agent and its overlay answer, and one or two
 * root certificates, the newer first; only the older has an end. Whatever was issued under a root that the record no
 * longer holds has ended, for everybody checks against the record. Leases keep the region and attributes of their match.
 *
 * design: "State", "Transactions", "Handing it over".
 * @throws ExchangeError InvalidMessage, InvalidRootProof, LimitExceeded
 *
 * PERF: O(1), with one signature to check for each root.
 */
export function registerDatacenter(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgRegisterDatacenter,
): MsgRegisterDatacenterResponse {
  checkAddress(state, message.datacenter, "datacenter");
  const parameters = getParameters(state);
  checkName(parameters, message.region, "region");
  checkEndpoints(parameters, message);
  checkRoots(context, message.datacenter, message.roots);

  const before = datacenters.get(state, message.datacenter);
  const datacenter: Datacenter = {
    address: message.datacenter,
    region: message.region,
    attributes: checkedAttributes(parameters, message.attributes, "attributes"),
    agentUrls: message.agentUrls,
    tunnelAddresses: message.tunnelAddresses,
    roots: message.roots,
    registeredHeight: before?.registeredHeight ?? context.height,
  };
  for (const root of before?.roots ?? [])
    if (root.endHeight !== 0n) clearTimer(state, root.endHeight + 1n, rootTimer(message.datacenter));
  for (const root of datacenter.roots)
    if (root.endHeight !== 0n) setTimer(state, root.endHeight + 1n, rootTimer(message.datacenter));
  datacenters.put(state, message.datacenter, datacenter);
  context.events.emit(datacenterChanged(message.datacenter));
  return {};
}

function rootTimer(datacenter: string): Timer {
  return { kind: TimerKind.ROOT_END, subject: noOrder, datacenter };
}

function checkEndpoints(parameters: Parameters, message: MsgRegisterDatacenter): void {
  for (const [field, addresses, pattern, example] of [
    ["agent_urls", message.agentUrls, agentUrlPattern, "https://host:port"],
    ["tunnel_addresses", message.tunnelAddresses, tunnelAddressPattern, "host:port"],
  ] as const) {
    if (addresses.length > mostAddresses)
      throw new ExchangeError(
        ExchangeErrorCode.LimitExceeded,
        `${field}: ${addresses.length}, at most ${mostAddresses}`,
      );
    for (const address of addresses) {
      checkText(parameters, address, field);
      if (!pattern.test(address)) throw invalid(field, `"${address}" is not of the form ${example}`);
    }
  }
}

function checkRoots(context: TransactionContext, datacenter: string, roots: readonly RootCertificate[]): void {
  if (roots.length < 1 || roots.length > 2) throw invalid("roots", `must be one or two, not ${roots.length}`);
  const [newer, older] = roots;
  if (newer !== undefined && newer.endHeight !== 0n)
    throw invalid("roots[0].end_height", "only the older root has an end");
  if (older !== undefined && (older.endHeight <= context.height || older.endHeight > lastHeight))
    throw invalid("roots[1].end_height", `the older root must have an end, after this block and up to ${lastHeight}`);
  for (const [index, root] of roots.entries()) {
    const claim = { chainId: context.chainId, datacenter, certificate: root.certificate };
    const problem = rootCertificateProblem(claim, root.proof);
    if (problem !== undefined)
      throw new ExchangeError(ExchangeErrorCode.InvalidRootProof, `roots[${index}] of ${datacenter}: ${problem}`);
  }
}
