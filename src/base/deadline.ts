/** Resolves as `work` does, or with `late` after `ms`; the work itself goes on. Never leaves a timer. */
export async function within<T, L>(work: Promise<T>, ms: number, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<L>((resolve) => {
        timer = setTimeout(resolve, ms, late);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
