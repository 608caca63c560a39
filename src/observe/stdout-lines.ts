/** Where the log goes by default. Nobody has to read it, and it has to go nowhere, for the host to go on. */
import { type DestinationStream, pino } from "pino";

/** I5: what nobody reads is kept up to this, then dropped and counted. */
const unreadBytesMax = 8 * 1_024 * 1_024;

export interface StdoutOptions {
  readonly fd?: number;
  readonly unreadBytesMax?: number;
}

/** Never blocks, and never throws: a full disk or a reader that has gone costs lines. */
export function stdoutLines(options: StdoutOptions = {}): DestinationStream {
  const { fd = 1, unreadBytesMax: maxLength = unreadBytesMax } = options;
  const out = pino.destination({ fd, sync: false, minLength: 0, maxLength });
  let dropped = 0;
  out.on("drop", () => {
    dropped += 1;
  });
  out.on("drain", () => {
    if (dropped === 0) return;
    const msg = "lines of the log were dropped: nobody read them, or they could not be written";
    const line = { level: "warn", time: new Date().toISOString(), dropped, msg };
    dropped = 0;
    out.write(`${JSON.stringify(line)}\n`);
  });
  out.on("error", () => {});
  return out;
}
