/** `/bulkhead/connectors/{name}/logs`: the last log lines of a connector, once or as they come. */
import { RequestError } from "../base/error.ts";
import type { Herder } from "../herder/herder.ts";
import { parseLevel, pinoLevel, severity } from "../observe/log-level.ts";
import type { LogLine, LogRing } from "../observe/log-ring.ts";
import type { LogRings } from "../observe/log-rings.ts";
import { loadPrettyLine } from "../observe/pretty-line.ts";
import { type Answer, frameworkAnswer } from "./http-error.ts";
import { LogStream, lineId, resumeSeq } from "./log-stream.ts";
import { preferred } from "./media-type.ts";
import { type Call, param, queryFlag, type Resource } from "./resource.ts";

export interface LogParts {
  readonly herder: Herder;
  readonly rings: LogRings;
  /** Fires when the server closes: followers end. */
  readonly closing: AbortSignal;
  readonly heartbeatMs?: number;
  readonly followersMax?: number;
}

const types = ["application/json", "text/plain", "text/event-stream"] as const;

/** The resources. */
export function logResources(parts: LogParts): readonly Resource[] {
  const logs = new Logs(parts);
  return [
    {
      path: "/bulkhead/connectors/:name/logs",
      methods: { GET: { produces: types, handle: async (call) => logs.answer(call) } },
    },
  ];
}

interface Wanted {
  readonly linesMax: number;
  readonly severityMin: number;
  readonly sinceMs: number;
}

class Logs {
  readonly #parts: LogParts;
  #followers = 0;

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  answer(call: Call): Answer | Promise<Answer> {
    const { herder, rings } = this.#parts;
    const name = param(call, "name");
    const wanted = parseWanted(call, rings.linesMax);
    if (!herder.connectors().includes(name)) {
      const text = `Connector ${name} not found`;
      throw new RequestError("herder.connector_unknown", text, { status: 404 });
    }
    const ring = rings.of(name);
    const type = preferred(call.header("accept"), types);
    if (type === "text/event-stream" || queryFlag(call, "follow")) {
      if (preferred(call.header("accept"), [types[2]]) === undefined) return frameworkAnswer(406);
      return this.#follow(ring, wanted, call.header("last-event-id"));
    }
    const lines = tail(ring, wanted);
    return type === "text/plain" ? plain(lines) : json(name, ring, lines);
  }

  #follow(ring: LogRing, wanted: Wanted, lastEventId: string | undefined): Answer {
    const { closing, followersMax = 64, heartbeatMs = 15_000 } = this.#parts;
    // I5: each holds a connection.
    if (this.#followers >= followersMax) {
      const text = `${followersMax} readers follow logs already: end one of them, or try again later`;
      throw new RequestError("rest.too_many_followers", text, { status: 429 });
    }
    const { severityMin } = wanted;
    const fromSeq =
      lastEventId === undefined
        ? (tail(ring, wanted)[0]?.seq ?? ring.nextSeq)
        : resumeSeq(ring, lastEventId);
    const stream = new LogStream(ring, { fromSeq, severityMin, heartbeatMs, closing });
    this.#followers += 1;
    stream.once("close", () => {
      this.#followers -= 1;
    });
    const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
    return { status: 200, headers, stream };
  }
}

/** The newest of those that suit, oldest first. */
function tail(ring: LogRing, { linesMax, severityMin, sinceMs }: Wanted): readonly LogLine[] {
  const lines: LogLine[] = [];
  for (let seq = ring.nextSeq - 1; seq >= ring.oldestSeq && lines.length < linesMax; seq -= 1) {
    const line = ring.line(seq);
    if (line === undefined || line.timeMs < sinceMs) break;
    if (line.severity >= severityMin) lines.push(line);
  }
  return lines.reverse();
}

function json(connector: string, ring: LogRing, lines: readonly LogLine[]): Answer {
  const shown = lines.map(({ seq, text }) => ({ id: lineId(ring, seq), ...JSON.parse(text) }));
  return { status: 200, body: { connector, lines: shown } };
}

async function plain(lines: readonly LogLine[]): Promise<Answer> {
  const pretty = await loadPrettyLine({ color: false });
  const body = lines.map(({ text }) => pretty(text)).join("");
  return { status: 200, body, headers: { "content-type": "text/plain; charset=utf-8" } };
}

const linesUsual = 100;

function parseWanted(call: Call, linesMax: number): Wanted {
  const [lines] = call.query("lines");
  const [level] = call.query("level");
  const [since] = call.query("since");
  return {
    linesMax: lines === undefined ? linesUsual : parseLines(lines, linesMax),
    severityMin: level === undefined ? 0 : parseSeverity(level),
    sinceMs: since === undefined ? 0 : parseTime(since),
  };
}

function parseLines(text: string, max: number): number {
  if (!/^\d{1,9}$/.test(text)) refuse("lines", text, `write a number from 0 to ${max}`);
  return Math.min(Number(text), max);
}

function parseSeverity(text: string): number {
  const level = parseLevel(text);
  if (level === undefined) return refuse("level", text, "write trace, debug, info, warn or error");
  return severity(pinoLevel(level));
}

/** ISO 8601, or milliseconds since the epoch. */
function parseTime(text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  return refuse(
    "since",
    text,
    "write a time as 2026-01-31T12:00:00Z or in milliseconds since 1970",
  );
}

function refuse(name: string, value: string, remedy: string): never {
  const text = `cannot use ${name}=${value.slice(0, 100)}: ${remedy}`;
  throw new RequestError("rest.query_invalid", text, { status: 400 });
}
