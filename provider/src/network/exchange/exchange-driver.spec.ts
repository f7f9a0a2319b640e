import type { ExchangeEndpoint } from "./endpoint";
import { ExchangeDriver } from "./exchange-driver";

it("whoever is cancelled while a connection is made takes it from nobody else", async () => {
  let looked = 0;
  const found = new AbortController();
  const driver = new ExchangeDriver({
    locate: (signal) => {
      looked += 1;
      return new Promise<ExchangeEndpoint | undefined>((resolve, reject) => {
        found.signal.addEventListener("abort", () => resolve(undefined));
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
    start: () => Promise.reject(new Error("nobody starts it")),
    isGone: () => false,
  });
  const first = new AbortController();
  const cancelled = expect(driver.parameters(first.signal)).rejects.toThrow("cancelled");
  const others = [1, 2, 3].map(() => driver.parameters(new AbortController().signal));
  const outcomes = Promise.allSettled(others);
  first.abort(new Error("cancelled"));
  await cancelled;
  found.abort();
  // There is none here: that is what they are told.
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ reason: { message: expect.stringContaining("no embedded network yet") } });
  }
  expect(looked).toBe(2);
  await driver.close();
});
