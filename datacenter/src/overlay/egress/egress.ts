import type { Duplex } from "node:stream";
import type { PeerVerifier } from "@dcx/protocol";
import type { InstanceNetwork } from "../../runtime/runtime";
import { Doorways } from "../doorways";
import type { Flows } from "../flows";
import type { OverlayLogger, WantedEgress } from "../overlay";
import type { EgressLimits, InternetRule } from "./decide";
import { dialInternet, type EgressEffects } from "./dial";
import { dialAgent } from "./dial-agent";
import { ExchangeProxy } from "./exchange-proxy";
import { ForwardProxy } from "./forward-proxy";

export interface EgressOptions {
  readonly network: (instance: string) => Promise<InstanceNetwork>;
  /** The datacenter's own endpoints of the exchange. */
  readonly exchange: readonly string[];
  readonly limits: EgressLimits;
  readonly chainId: string;
  readonly verifier: PeerVerifier;
  /** For tests. */
  readonly effects?: EgressEffects;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/** Streams that one instance may have open to the outside at a time. */
const mostStreams = 1_024;

/**
 * What one workload may reach outside: a proxy at a loopback address in each of its instances, which opens what the
 * workload's egress declares and nothing else.
 */
export class Egress {
  readonly #doorways: Doorways;
  readonly #proxy: { serve(stream: Duplex, flows: Flows): void; close(): void };
  #wanted: WantedEgress;

  constructor(options: EgressOptions, wanted: WantedEgress) {
    this.#wanted = wanted;
    const { effects, exchange, limits, logger, network, onChange } = options;
    const { address, port, source } = wanted;
    const onRefused = (reason: string) => logger.info({ ...source, reason }, "egress refused");
    this.#proxy =
      wanted.rules === undefined
        ? new ExchangeProxy({
            endpoints: exchange,
            dial: (target) => dialAgent(this.#wanted.agents ?? [], target, options),
            onRefused,
          })
        : new ForwardProxy({ dial: (target) => dialInternet(this.#rules, limits, target, effects), onRefused });
    this.#doorways = new Doorways({
      network,
      address,
      port,
      onStream: (stream, flows, instance) => {
        if (flows.size >= mostStreams) {
          logger.info({ ...source, instance }, "egress refused: the instance has too many streams open");
          stream.on("error", () => undefined);
          stream.destroy();
          return;
        }
        this.#proxy.serve(stream, flows);
      },
      onChange,
    });
    this.apply(wanted);
  }

  get #rules(): readonly InternetRule[] {
    return this.#wanted.rules ?? [];
  }

  /** `wanted` is of the same workload, address and port. Where its rules change, what they no longer allow is cut. */
  apply(wanted: WantedEgress): void {
    const changed = JSON.stringify(wanted.rules) !== JSON.stringify(this.#wanted.rules);
    this.#wanted = wanted;
    // Which flow rests on which rule is not kept: all begin anew.
    if (changed) this.#doorways.cut();
    this.#doorways.apply(wanted.instances);
  }

  /** Opens what is not open. */
  check(): void {
    this.#doorways.check();
  }

  close(): void {
    this.#doorways.close();
    this.#proxy.close();
  }
}
