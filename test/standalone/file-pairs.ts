/** Pairs of connectors in one host, through which lines of NAME.in become lines of NAME.out. */
import assert from "node:assert/strict";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type HostProcess, startHost } from "../harness/host-process.ts";
import { inFolder, type LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

export const fileStream = "org.apache.kafka.connect.file.FileStream";

export class FilePairs {
  readonly host: HostProcess;
  readonly #directory: string;
  readonly #place: LogPlace;

  private constructor(host: HostProcess, directory: string, place: LogPlace) {
    this.host = host;
    this.#directory = directory;
    this.#place = place;
  }

  /** Starts the host; whoever does kills it. */
  static async start(
    directory: string,
    {
      place = inFolder,
      worker = {},
    }: { place?: LogPlace; worker?: Readonly<Record<string, string>> } = {},
  ): Promise<FilePairs> {
    const settings = { ...(await place.worker(directory)), ...worker };
    return new FilePairs(await startHost({ directory, worker: settings }), directory, place);
  }

  source(pair: string): string {
    return this.#place.nameOf(`${pair}-source`);
  }

  sink(pair: string): string {
    return this.#place.nameOf(`${pair}-sink`);
  }

  sinkConfig(pair: string) {
    return {
      "connector.class": `${fileStream}SinkConnector`,
      file: this.#path(`${pair}.out`),
      topics: this.#place.nameOf(`${pair}-lines`),
    };
  }

  async create(name: string, config: object): Promise<void> {
    const { status, body } = await this.host.request("POST", "/connectors", { name, config });
    assert.equal(status, 201, JSON.stringify(body));
  }

  async createSource(pair: string): Promise<void> {
    await this.append(pair, "");
    await this.create(this.source(pair), {
      "connector.class": `${fileStream}SourceConnector`,
      file: this.#path(`${pair}.in`),
      topic: this.#place.nameOf(`${pair}-lines`),
    });
    await this.host.waitForState(this.source(pair), "RUNNING");
  }

  /** Both of them, running. */
  async createPair(pair: string): Promise<void> {
    await this.createSource(pair);
    await this.create(this.sink(pair), this.sinkConfig(pair));
    await this.host.waitForState(this.sink(pair), "RUNNING");
  }

  async append(pair: string, text: string): Promise<void> {
    await appendFile(this.#path(`${pair}.in`), text);
  }

  /** Appends a line and waits until it has arrived. */
  async send(pair: string, line: string): Promise<void> {
    await this.append(pair, `${line}\n`);
    await waitFor(async () => (await this.linesOf(pair)).includes(line), {
      withinMs: 30_000,
      what: `"${line}" to arrive`,
    });
  }

  /** What arrived. */
  async linesOf(pair: string): Promise<string[]> {
    const text = await readFile(this.#path(`${pair}.out`), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  #path(file: string): string {
    return join(this.#directory, file);
  }
}
