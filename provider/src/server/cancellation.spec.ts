import { Deadline } from "../await/wait";
import { Cancellation } from "./cancellation";

/** Sixty days: longer than a timer can wait. */
const long = 60 * 24 * 3600;

it.each<[string, () => { readonly signal: AbortSignal } & Disposable]>([
  ["a request", () => new Cancellation().request(long)],
  ["a wait", () => new Deadline(new AbortController().signal, long, 10)],
])("%s that may take two months is not over at once", async (_what, begin) => {
  using begun = begin();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(begun.signal.aborted).toBe(false);
});
