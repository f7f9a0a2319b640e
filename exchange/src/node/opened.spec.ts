import { Opened } from "./opened";

it("all that was opened is closed once, the last first, also where one can't be", async () => {
  const closed: string[] = [];
  const opened = new Opened();
  opened.push(() => closed.push("lock"));
  opened.push(async () => {
    closed.push("engine");
    throw new Error("the engine hangs");
  });
  opened.push(() => closed.push("server"));
  expect(opened.isClosing).toBe(false);
  const both = [opened.close(), opened.close()];
  expect(opened.isClosing).toBe(true);
  for (const closing of both) await expect(closing).rejects.toThrow("the engine hangs");
  expect(closed).toEqual(["server", "engine", "lock"]);
});
