/**
 * Fires at the first SIGINT, SIGTERM or SIGHUP, so that the command can drain. A second signal ends the
 * process at once.
 */
export function askedToStop(): AbortSignal {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(130);
      stopping.abort();
    });
  }
  return stopping.signal;
}
