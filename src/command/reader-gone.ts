let gone: AbortController | undefined;

/**
 * Fires when nobody reads stdout any more: `head` and the like may stop at any time. Whoever asks for it
 * need not care; what is written from then on goes nowhere.
 */
export function readerGone(): AbortSignal {
  if (gone === undefined) {
    const over = new AbortController();
    process.stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      over.abort();
    });
    gone = over;
  }
  return gone.signal;
}
