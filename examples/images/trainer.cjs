"use strict";

// One node of the batch example: takes a shard of the data from the management workload, reduces it to sums, takes the
// next. It has nothing to keep: what it had taken when it stops is given to another one.
const manager = `http://${process.env.DCX_CONNECTION_MANAGER}`;

function reduce(points) {
  const sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  for (const [x, y] of points) {
    sums.n += 1;
    sums.x += x;
    sums.y += y;
    sums.xx += x * x;
    sums.xy += x * y;
  }
  return sums;
}

async function work() {
  const response = await fetch(`${manager}/task`, { signal: AbortSignal.timeout(5000) });
  if (response.status !== 200) {
    return false;
  }
  const { id, points } = await response.json();
  const body = JSON.stringify({ task: id, sums: reduce(points) });
  await fetch(`${manager}/results`, { method: "POST", body, signal: AbortSignal.timeout(5000) });
  console.log(`reduced ${points.length} points of task ${id}`);
  return true;
}

async function turn() {
  const worked = await work().catch((error) => console.error(`no task: ${error.message}`));
  setTimeout(turn, worked === true ? 0 : 500);
}

turn();
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => process.exit(0));
}
