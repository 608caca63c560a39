/** Wakes those who wait for something about one plugin: a message, an end of stream, an exit. */
export class Changes {
  readonly #watchers = new Set<() => void>();

  notify(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /**
   * Resolves with the first thing other than undefined that `look` finds; with undefined when time is
   * up, or when `over` says that nothing can come any more.
   */
  until<T>(
    look: () => T | undefined,
    withinMs: number,
    over: () => boolean = () => false,
  ): Promise<T | undefined> {
    const found = look();
    if (found !== undefined || over()) return Promise.resolve(found);
    return new Promise((resolve) => {
      const finish = (value: T | undefined) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(value);
      };
      const watch = () => {
        const value = look();
        if (value !== undefined || over()) finish(value);
      };
      const timer = setTimeout(() => finish(look()), withinMs);
      this.#watchers.add(watch);
    });
  }
}
