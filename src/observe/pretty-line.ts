/** Lines of the log for people, by pino-pretty, which is loaded when somebody wants them. */

/** Makes text for people, with a line break at its end, of one line of JSON. */
export type PrettyLine = (json: string) => string;

/** `color`: with the escapes of a terminal. */
export async function loadPrettyLine(options: { readonly color: boolean }): Promise<PrettyLine> {
  const { prettyFactory } = await import("pino-pretty");
  return prettyFactory({
    colorize: options.color,
    singleLine: true,
    translateTime: "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'",
  }) as PrettyLine;
}
