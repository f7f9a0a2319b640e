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
