import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";
import type { QuickstartHost } from "./quickstart-observer.ts";
import { runQuickstart } from "./quickstart-run.ts";

/** A host whose source and sink are one copy from file to file, made each time somebody asks. */
class CopyingHost {
  stopCalls = 0;
  readonly posted: string[] = [];
  #sourceFile = "";
  #sinkFile = "";
  #state = "RUNNING";
  #count = 0;

  async start(): Promise<QuickstartHost> {
    const server = createServer((request, response) => {
      this.#answer(request).then(
        (body) => response.end(JSON.stringify(body)),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const partition = { topic: "lines", partition: 0 };
    return {
      restUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      admin: {
        describeTopic: async (name) => ({ name, partitionCount: 1, config: {} }),
        endOffsets: async () => [await this.#copy()],
        groupOffsets: async () => [{ ...partition, offset: this.#count }],
      },
      failed: new Promise(() => {}),
      stop: async () => {
        this.stopCalls += 1;
        server.closeAllConnections();
        server.close();
      },
    };
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const { method, url = "" } = request;
    if (method === "POST") return this.#create(request);
    if (method === "PUT") this.#state = "STOPPED";
    if (url.startsWith("/bulkhead/tasks")) {
      return { tasks: [{ connector: "file-source", task: 0, pid: 4711 }] };
    }
    const status = (state: string, tasks: object[]) => ({
      status: { connector: { state }, tasks },
    });
    return {
      "file-source": status(
        this.#state,
        this.#state === "STOPPED" ? [] : [{ id: 0, state: "RUNNING" }],
      ),
      "file-sink": status("RUNNING", [{ id: 0, state: "RUNNING" }]),
    };
  }

  async #create(request: IncomingMessage): Promise<object> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { name, config } = JSON.parse(text) as { name: string; config: Record<string, string> };
    this.posted.push(name);
    if (config["topic"] !== undefined) this.#sourceFile = config["file"] ?? "";
    else this.#sinkFile = config["file"] ?? "";
    return {};
  }

  async #copy(): Promise<number> {
    const text = await readFile(this.#sourceFile, "utf8");
    await writeFile(this.#sinkFile, text);
    this.#count = text.split("\n").length - 1;
    return this.#count;
  }
}

function capture(): { output: Writable; text: () => string } {
  let written = "";
  const output = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  return { output, text: () => written };
}

test("a run creates both connectors, ends after its time and leaves nothing behind", async () => {
  const host = new CopyingHost();
  const { output, text } = capture();
  await runQuickstart({
    startHost: () => host.start(),
    forMs: 300,
    signal: new AbortController().signal,
    output,
  });
  assert.deepEqual(host.posted, ["file-source", "file-sink"]);
  assert.ok(host.stopCalls > 0);
  const lines = text().trimEnd().split("\n");
  const totals = JSON.parse(lines.at(-1) ?? "") as Record<string, number>;
  assert.ok((totals["records_in"] ?? 0) > 0, text());
  assert.equal(totals["records_out"], totals["records_in"], text());
  assert.equal(totals["connectors"], 2);
  const folder = /log in (.*)\/host\.log/.exec(text())?.[1] ?? "";
  assert.ok(folder !== "" && !existsSync(folder), folder);
});

test("a signal ends a run without a limit", async () => {
  const host = new CopyingHost();
  const stop = new AbortController();
  const { output, text } = capture();
  const running = runQuickstart({
    startHost: () => host.start(),
    forMs: undefined,
    signal: stop.signal,
    output: Object.assign(output, { isTTY: true, columns: 80 }),
  });
  setImmediate(() => stop.abort());
  await running;
  assert.match(text(), /\{"records_in":\d+/);
});

test("a host that cannot start leaves no folder", async () => {
  let folder = "";
  const starting = runQuickstart({
    startHost: async (properties) => {
      folder = (properties["bootstrap.servers"] ?? "").replace("embedded:", "");
      throw new Error("no room");
    },
    forMs: 100,
    signal: new AbortController().signal,
    output: capture().output,
  });
  await assert.rejects(starting, /no room/);
  assert.ok(folder !== "" && !existsSync(folder));
});
