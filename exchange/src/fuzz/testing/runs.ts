const factor = Number(process.env["DCX_FUZZ_FACTOR"] ?? "1");
if (!Number.isSafeInteger(factor) || factor < 1)
  throw new Error(`DCX_FUZZ_FACTOR is ${process.env["DCX_FUZZ_FACTOR"]}: a whole number from 1 is expected`);

/**
 * How many inputs a property is tried with: DCX_FUZZ_FACTOR times as many as in an ordinary run of the tests, from another
 * seed each time. What fails is printed with its seed.
 */
export function runs(usual: number): { readonly numRuns: number } {
  return { numRuns: usual * factor };
}

/** Milliseconds that a test of so many inputs may take. */
export const patience = 120_000 * factor;

let tried = 0;

/** Counts an input, so that a long run can say how many there were. */
export function count(inputs = 1): void {
  tried += inputs;
}

export function report(what: string): void {
  if (factor > 1) process.stderr.write(`fuzzed ${what}: ${tried} inputs\n`);
  tried = 0;
}
