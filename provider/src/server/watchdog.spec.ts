import { watchEngine } from "./watchdog";

describe("the watch over the engine", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it("tells once when this process has got another parent", () => {
    let parent = 10;
    const gone = jest.fn();
    using _ = watchEngine({ parent: () => parent, unreachable: () => false, gone, interval: 500 });
    jest.advanceTimersByTime(60_000);
    expect(gone).not.toHaveBeenCalled();
    parent = 1;
    jest.advanceTimersByTime(60_000);
    expect(gone).toHaveBeenCalledTimes(1);
  });

  it("forgives an engine that does not answer for a moment, not one that stays away", () => {
    let unreachable = true;
    const gone = jest.fn();
    using _ = watchEngine({ parent: () => 10, unreachable: () => unreachable, gone, interval: 500 });
    jest.advanceTimersByTime(4_500);
    unreachable = false;
    jest.advanceTimersByTime(500);
    unreachable = true;
    jest.advanceTimersByTime(4_500);
    expect(gone).not.toHaveBeenCalled();
    jest.advanceTimersByTime(500);
    expect(gone).toHaveBeenCalledTimes(1);
  });
});
