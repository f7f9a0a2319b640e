/** Milliseconds that a timer of Node's can wait, about 25 days: one that is to wait longer fires at once. */
export const longestTimer = 2 ** 31 - 1;
