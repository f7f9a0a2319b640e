/** Resolves when this process is asked to end (SIGINT, SIGTERM). A second request ends it at once. */
export function onTermination(): Promise<void> {
  return new Promise((resolve) => {
    const asked = (): void => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.removeListener(signal, asked);
      }
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, asked);
    }
  });
}
