import { z } from "zod";

/** HTTP over a socket in the agent's home, which only the agent's user can open: for who operates the datacenter. */
export const controlSocket = "control.sock";

/** What `GET /status` answers. Heights are in decimal. */
export const ControlStatus = z.object({
  address: z.string(),
  chainId: z.string(),
  /** "0": the chain has not been read yet. */
  height: z.string(),
  /** Milliseconds between blocks; absent before the chain has been read. */
  blockInterval: z.string().optional(),
  leases: z.number().int(),
  bids: z.number().int(),
  instances: z.number().int(),
  /** Present while its root is being replaced. Roots are SHA-256 of the certificates, in hexadecimal. */
  rotation: z
    .object({
      since: z.string(),
      oldRoot: z.string(),
      newRoot: z.string(),
      phase: z.enum(["announcing", "settling", "renewed", "withdrawing"]),
      /** Tunnels that were made under the old root and carry something still. */
      standing: z.number().int(),
      /** Last block in which the old root counts. */
      endHeight: z.string().optional(),
    })
    .optional(),
  /** Present while it drains. */
  draining: z
    .object({
      since: z.string(),
      exit: z.boolean(),
      withoutNotice: z.number().int(),
      /** Height at which the last notice ends. */
      lastEnd: z.string().optional(),
      drained: z.boolean(),
    })
    .optional(),
});
export type ControlStatus = z.infer<typeof ControlStatus>;

/** Body of `POST /drain`. `exit`: the agent ends, with 0, once it is drained. */
export const DrainRequest = z.object({ exit: z.boolean() });

/** Body of `POST /rotate-root`. `overlap`: longest that both roots count, in milliseconds; 0: the old one ends at once. */
export const RotationRequest = z.object({
  overlap: z
    .number()
    .int()
    .min(0)
    .max(10 * 365 * 24 * 3_600_000),
});
