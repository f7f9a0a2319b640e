import fc from "fast-check";

/** What a stack is in the middle of when it is killed. */
export const phases = ["create", "update", "replace", "delete"] as const;
export type Phase = (typeof phases)[number];

/** What is killed, all at the same moment. */
const victims = ["engine and plugin", "engine", "plugin"] as const;
type Victim = (typeof victims)[number];

export interface Moment {
  readonly phase: Phase;
  readonly victim: Victim;
  /** How far into the operation, from 0 to 1, measured by the requests that the plugin has answered. */
  readonly progress: number;
}

/** Moments at random, the phases in turns, so that each is hit as often; the same for the same seed. */
export function drawMoments(count: number, seed: number): readonly Moment[] {
  const drawn = fc.sample(
    fc.record({
      victim: fc.constantFrom(...victims),
      progress: fc.integer({ min: 0, max: 9999 }).map((parts) => parts / 10_000),
    }),
    { seed, numRuns: count },
  );
  return drawn.map((one, index) => ({ phase: phases[index % phases.length] ?? "create", ...one }));
}

export function momentText({ phase, victim, progress }: Moment): string {
  return `${victim} killed ${(progress * 100).toFixed(2)} % into a ${phase}`;
}
