/** The codespace of every refusal by the exchange's own rules; the envelope's (fee, sequence, gas) are "sdk". */
export const exchangeCodespace = "dcx";

/**
 * Why the exchange refused a message. The numbers are part of a block's results and never change their meaning;
 * 0 is success and 1 is kept for internal errors, as everywhere in the Cosmos world.
 */
export enum ExchangeErrorCode {
  /** A field is malformed or out of its range. */
  InvalidMessage = 2,
  /** The message's type is unknown to this exchange. */
  UnknownMessage = 3,
  /** Only facilitators make it, in their part of the block. */
  FacilitatorOnly = 4,
  /** An address is not bech32 with this chain's prefix. */
  InvalidAddress = 5,
  InsufficientFunds = 6,
  DeploymentNotFound = 7,
  DeploymentNotActive = 8,
  /** The update names another revision than the current one. */
  RevisionMismatch = 9,
  /** The cancellation names another incarnation than the current one. */
  IncarnationMismatch = 10,
  /** The sender may not do this to that record. */
  Unauthorized = 11,
  /** A manager's limits forbid it. */
  ManagerLimit = 12,
  InfrastructureNotFound = 13,
  OrderNotFound = 14,
  OrderNotOpen = 15,
  /** The order's wait is not over. */
  OrderWaiting = 16,
  /** The order holds as many fulfillments as it may, all of them at least as good. */
  OrderFull = 17,
  FulfillmentNotFound = 18,
  FulfillmentNotActive = 19,
  /** This datacenter already has an open fulfillment on that order. */
  FulfillmentExists = 20,
  /** A cheaper or earlier fulfillment is there. */
  NotCheapest = 21,
  LeaseNotFound = 22,
  LeaseNotActive = 23,
  /** The lease was confirmed within its period. */
  LeaseNotStale = 24,
  /** Notice has been given already. */
  NoticeGiven = 25,
  DatacenterNotFound = 26,
  /** The datacenter lacks the order's region or attributes, or its lists keep it out. */
  TermsNotMet = 27,
  /** The offer differs in compute, count or collateral, or asks more than the order's price. */
  OfferMismatch = 28,
  /** This datacenter broke a lease of this infrastructure a short while ago. */
  Excluded = 29,
  /** One of the exchange's caps. */
  LimitExceeded = 30,
  /** A root certificate's proof does not hold. */
  InvalidRootProof = 31,
  /** The granter pays fees of that account already. */
  FeeGrantExists = 32,
  FeeGrantNotFound = 33,
  ValidatorNotFound = 34,
  /** The account runs a validator already, or another one has that consensus key. */
  ValidatorExists = 35,
  /** The validator can't leave jail: it is not in it, not yet, or never. */
  NotReleased = 36,
  DelegationNotFound = 37,
  /** The stake came from another validator a short while ago: it can't move on before what that one did has shown. */
  RedelegationPending = 38,
  ProposalNotFound = 39,
  /** The vote on the proposal is over. */
  ProposalNotOpen = 40,
  /** This exchange elects no validators, or votes on nothing. */
  NotOffered = 41,
}

/** The name of a code, as in messages and documentation; "unknown" where this version doesn't know it. */
export function exchangeErrorName(code: number): string {
  return ExchangeErrorCode[code] ?? "unknown";
}
