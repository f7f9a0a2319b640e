import { Activity } from "./activity";

const soon = 20;

/** Resolves with whether it was told within a while. */
function told(activity: Activity): {
  readonly waiting: ReturnType<Activity["begin"]>;
  readonly after: Promise<string>;
} {
  const waiting = activity.begin();
  const after = Promise.race([
    new Promise<string>((resolve) => waiting.wait(() => resolve("told"))),
    new Promise<string>((resolve) => setTimeout(() => resolve("not told"), 5 * soon)),
  ]);
  return { waiting, after };
}

test("who waits alone is told", async () => {
  const { after } = told(new Activity(soon));
  expect(await after).toBe("told");
});

test("who waits while others are at work is told only once they are done", async () => {
  const activity = new Activity(soon);
  const other = activity.begin();
  expect(await told(activity).after).toBe("not told");
  const { after } = told(activity);
  other[Symbol.dispose]();
  expect(await after).toBe("told");
});

test("who goes on in time is not told", async () => {
  const activity = new Activity(soon);
  const { waiting, after } = told(activity);
  waiting.goOn();
  expect(await after).toBe("not told");
});

test("whoever ends while waiting leaves nothing behind", async () => {
  const activity = new Activity(soon);
  const { waiting, after } = told(activity);
  waiting[Symbol.dispose]();
  expect(await after).toBe("not told");
});
