import { readFileSync } from "node:fs";

/** What the host tells a plugin before it dials: one JSON line. */
export interface Launch {
  readonly address: string;
  readonly token: string;
  readonly messageBytesMax: number;
  readonly windowBytes: number;
  readonly tls: { ca?: string; cert?: string; key?: string; serverName?: string } | undefined;
}

/** The one version of the protocol that this SDK speaks. */
export const protocolVersion = 1;

const lineBytesMax = 64 * 1024;

/** @throws Error that says which member is wrong */
export function parseLaunch(line: string): Launch {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch (cause) {
    throw new Error("cannot read the launch line: it is not JSON", { cause });
  }
  if (typeof given !== "object" || given === null) throw new Error("the launch line is no object");
  const members = given as Readonly<Record<string, unknown>>;
  // It names the highest version that the host speaks: a newer host welcomes this one or rejects it.
  const highest = members["protocol"];
  if (typeof highest !== "number" || highest < protocolVersion) {
    throw new Error(
      `the host speaks protocol ${String(highest)} at most; this SDK knows ${protocolVersion}`,
    );
  }
  const text = (name: string): string => {
    const value = members[name];
    if (typeof value !== "string" || value === "") throw new Error(`the launch line lacks ${name}`);
    return value;
  };
  const size = (name: string): number => {
    const value = members[name];
    if (!Number.isSafeInteger(value) || Number(value) <= 0) {
      throw new Error(`the launch line lacks ${name}`);
    }
    return Number(value);
  };
  return {
    address: text("address"),
    token: text("token"),
    messageBytesMax: size("max_message_bytes"),
    windowBytes: size("window_bytes"),
    tls: parseTls(members["tls"]),
  };
}

function parseTls(given: unknown): Launch["tls"] {
  if (typeof given !== "object" || given === null) return undefined;
  const members = given as Readonly<Record<string, unknown>>;
  const text = (name: string) => {
    const value = members[name];
    return typeof value === "string" ? value : undefined;
  };
  const [ca, cert, key, serverName] = [text("ca"), text("cert"), text("key"), text("server_name")];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** Attach mode: the same JSON in a file, for a plugin that runs in a debugger or a container. */
export function readLaunchFile(path: string): Launch {
  return parseLaunch(readFileSync(path, "utf8"));
}

/**
 * Reads the line from the liveness pipe. `ended` resolves when the host closes the pipe, which means:
 * end yourself.
 */
export async function readLaunchPipe(
  pipe: NodeJS.ReadableStream,
): Promise<{ launch: Launch; ended: Promise<void> }> {
  const ended = new Promise<void>((resolve) => {
    pipe.once("end", resolve);
    pipe.once("close", resolve);
    pipe.once("error", () => resolve());
  });
  const line = new Promise<string>((resolve, reject) => {
    let text = "";
    pipe.setEncoding("utf8");
    // Stays attached: the pipe has to be read to its end to notice the end.
    pipe.on("data", (part: string) => {
      if (text.length > lineBytesMax) return;
      text += part;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > lineBytesMax) reject(new Error("the launch line is too long"));
    });
  });
  const first = await Promise.race([line, ended]);
  if (first === undefined) throw new Error("stdin ended before the launch line");
  return { launch: parseLaunch(first), ended };
}
