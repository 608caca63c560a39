/** One recorded session replayed against a worker: its requests, its files, its waiting. */
import { randomBytes } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { shape } from "./answer-shape.ts";
import { differences, getPath } from "./match.ts";

/** A step of a case file; which members it has says what it does. */
export interface Step {
  readonly do?: string;
  readonly json?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly until?: Readonly<Record<string, unknown>>;
  readonly deadline?: number;
  readonly noretry?: boolean;
  readonly pick?: string;
  readonly only?: boolean;
  readonly where?: Readonly<Record<string, readonly unknown[]>>;
  readonly superset?: boolean;
  readonly project?: string;
  readonly unordered?: boolean;
  readonly ignore?: readonly string[];
  readonly write?: string;
  readonly append?: string;
  readonly text?: string;
  readonly mkdir?: string;
  readonly sleep?: number;
  readonly lines?: string;
  readonly count?: number;
}

/** What was answered, in the form of the goldens. */
export type StepAnswer = Readonly<Record<string, unknown>>;

interface Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const busyText = /momentarily|rebalance/;

export class Session {
  readonly #base: string;
  readonly #scale: number;
  /** New for each case and run; part of every name. */
  readonly #run = `r${randomBytes(4).toString("hex").slice(0, 7)}`;
  #folder = "";
  /** After the first wait in vain the others are short. */
  #timedOut = false;

  constructor(base: string, scale: number) {
    this.#base = base.replace(/\/+$/, "");
    this.#scale = scale;
  }

  async open(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "compat-"));
  }

  /** Undefined for steps that only prepare something. */
  async step(raw: Step): Promise<StepAnswer | undefined> {
    const step = this.#fill(raw) as Step;
    if (step.do !== undefined) return this.#hide(await this.#answer(step)) as StepAnswer;
    if (step.lines !== undefined) return this.#hide(await this.#lines(step)) as StepAnswer;
    if (step.write !== undefined) await writeFile(step.write, step.text ?? "");
    else if (step.append !== undefined) await appendFile(step.append, step.text ?? "");
    else if (step.mkdir !== undefined) await mkdir(step.mkdir, { recursive: true });
    else if (step.sleep !== undefined) await wait(step.sleep * 1000);
    else throw new Error(`unknown step ${JSON.stringify(raw)}`);
    return undefined;
  }

  /** Deletes what the case made. */
  async close(): Promise<void> {
    const { text } = await this.#call("GET", "/connectors", { accept: "application/json" });
    for (const name of JSON.parse(text) as unknown[]) {
      if (typeof name !== "string" || !name.includes(this.#run)) continue;
      await this.#call("DELETE", `/connectors/${encodeURIComponent(name)}`, {});
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answer(step: Step): Promise<StepAnswer> {
    const { until } = step;
    if (until === undefined) return shape(step, await this.#http(step), this.#run);
    const end = this.#deadline(step);
    for (;;) {
      const answer = await this.#http(step);
      if (holds(until, answer)) return shape(step, answer, this.#run);
      if (performance.now() > end) {
        this.#timedOut = true;
        const shown = shape(step, answer, this.#run);
        return { ...shown, deadline: `condition not reached: ${JSON.stringify(until)}` };
      }
      await wait(50);
    }
  }

  async #lines(step: Step): Promise<StepAnswer> {
    const end = this.#deadline(step);
    const count = step.count ?? 0;
    for (;;) {
      const text = await readFile(step.lines ?? "", "utf8").catch(() => "");
      const lines = text.split("\n").slice(0, -1);
      if (lines.length >= count) return { lines: step.unordered ? lines.sort() : lines };
      if (performance.now() > end) {
        this.#timedOut = true;
        return { lines, deadline: `${count} lines not reached` };
      }
      await wait(50);
    }
  }

  #deadline(step: Step): number {
    const seconds = this.#timedOut ? 2 : (step.deadline ?? 25);
    return performance.now() + this.#scale * seconds * 1000;
  }

  /** A worker that is just rebalancing says so; that is no answer yet. */
  async #http(step: Step): Promise<Record<string, unknown>> {
    const body = "json" in step ? JSON.stringify(step.json) : step.raw;
    const headers: Record<string, string> = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    for (const [name, value] of Object.entries(step.headers ?? {})) {
      delete headers[name.toLowerCase()];
      if (value !== null) headers[name.toLowerCase()] = value;
    }
    const [method = "", path = ""] = (step.do ?? "").split(/ (.*)/s);
    const end = performance.now() + 20_000;
    for (;;) {
      const response = await this.#call(method, path, headers, body);
      const { status, text } = response;
      const busy =
        (status === 409 && busyText.test(text)) ||
        (status === 500 && text.includes("because a rebalance is expected"));
      if (!busy || step.noretry || performance.now() > end) return answerOf(response);
      await wait(200);
    }
  }

  #call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<Response> {
    const { hostname, port } = new URL(this.#base);
    const sent = { ...headers };
    if (body !== undefined || ["POST", "PUT", "PATCH"].includes(method)) {
      sent["content-length"] = String(Buffer.byteLength(body ?? ""));
    }
    return new Promise((resolve, reject) => {
      const call = request({ hostname, port, method, path, headers: sent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      });
      call.once("error", reject);
      call.end(body);
    });
  }

  /** Placeholders to what they stand for in this run. */
  #fill(value: unknown): unknown {
    const meant: Record<string, string> = { RUN: this.#run, TMP: this.#folder, BASE: this.#base };
    return mapTexts(value, (text) =>
      text.replace(/\$\{(RUN|TMP|BASE)\}/g, (_, name: string) => meant[name] ?? ""),
    );
  }

  #hide(value: unknown): unknown {
    return mapTexts(value, (text) =>
      text
        .replaceAll(this.#folder, placeholder("TMP"))
        .replaceAll(this.#base, placeholder("BASE"))
        .replaceAll(this.#run, placeholder("RUN")),
    );
  }
}

/** A function, since a text in a replacement would have its dollars read. */
function placeholder(name: string): () => string {
  return () => `\${${name}}`;
}

function answerOf({ status, headers, text }: Response): Record<string, unknown> {
  const type = headers["content-type"]?.replace(/\s*;\s*charset=utf-8$/i, "").toLowerCase();
  const answer: Record<string, unknown> = { status, content_type: type ?? null };
  if (headers.location !== undefined) answer["location"] = headers.location;
  if (headers.allow !== undefined) {
    answer["allow"] = headers.allow
      .split(/\s*,\s*/)
      .sort()
      .join(",");
  }
  if (text === "") return answer;
  try {
    answer["body"] = JSON.parse(text);
  } catch {
    answer["text"] = text;
  }
  return answer;
}

function holds(until: Readonly<Record<string, unknown>>, answer: StepAnswer): boolean {
  return Object.entries(until).every(([path, wanted]) => {
    const got = path === "$status" ? answer["status"] : getPath(answer["body"], path);
    return got !== undefined && differences(wanted, got).length === 0;
  });
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((each) => mapTexts(each, map));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [map(key), mapTexts(each, map)]);
  return Object.fromEntries(entries);
}
