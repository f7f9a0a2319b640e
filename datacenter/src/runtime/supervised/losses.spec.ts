import { restartDelays } from "../restart-delays";
import { Losses } from "./losses";

const { first, most, settled } = restartDelays;

it("starts again at once what is lost for the first time, and what is lost again and again later each time", () => {
  const losses = new Losses();
  let now = 1_000;
  expect(losses.due("a", now)).toBe(true);
  let delay: number = first;
  for (let time = 0; time < 20; time++) {
    expect(losses.due("a", now + delay - 1)).toBe(false);
    now += delay;
    expect(losses.due("a", now)).toBe(true);
    delay = Math.min(delay * 2, most);
  }
  expect(delay).toBe(most);
  // It lasted: soon again.
  now += delay + settled;
  expect(losses.due("a", now)).toBe(true);
  expect(losses.due("a", now + first)).toBe(true);
});

it("knows nothing of another, nor of what was forgotten", () => {
  const losses = new Losses();
  expect(losses.due("a", 0)).toBe(true);
  expect(losses.due("b", 0)).toBe(true);
  losses.forget("a");
  expect(losses.due("a", 0)).toBe(true);
  expect(losses.due("b", 0)).toBe(false);
});
