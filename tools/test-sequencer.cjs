"use strict";

const Sequencer = require("@jest/test-sequencer").default;

/** End-to-end tests that take minutes: begun last, they would keep one worker busy while the others have nothing left. */
const longest = [
  "lifecycle",
  "killed",
  "perturbed-validators",
  "soak",
  "container",
  "validators",
  "lost-datacenter",
  "moving",
  "providertest",
  "restarts",
  "refusals",
  "rotate-root",
];

/**
 * The longest end-to-end tests first, then the others, then the unit tests, which fill what room is left: jest's own order
 * goes by the sizes of files where it has no times of an earlier run, and CI never has.
 */
module.exports = class extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((one, other) => rank(one.path) - rank(other.path));
  }
};

function rank(path) {
  const [, name] = /\/tests\/(.+)\.spec\.ts$/.exec(path) ?? [];
  if (name === undefined) return longest.length + 1;
  const place = longest.findIndex((long) => name.includes(long));
  return place === -1 ? longest.length : place;
}
