import { protocolVersion } from "./session.ts";

export interface LaunchParts {
  /** As gRPC names it. */
  readonly address: string;
  readonly token: string;
  readonly messageBytesMax: number;
  readonly windowBytes: number;
}

/** What a plugin is told before it dials: one line of JSON (proto/README.md, section 2). */
export function launchLine(parts: LaunchParts): string {
  return JSON.stringify({
    protocol: protocolVersion,
    address: parts.address,
    token: parts.token,
    max_message_bytes: parts.messageBytesMax,
    window_bytes: parts.windowBytes,
  });
}
