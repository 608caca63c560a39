/** A reader of server-sent events over fetch. */
import { waitFor } from "./wait-for.ts";

export interface ServerEvent {
  /** `message` unless the server says otherwise. */
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

export class EventStream {
  readonly response: Response;
  readonly events: ServerEvent[] = [];
  /** Comments, which keep a connection alive. */
  comments = 0;
  hasEnded = false;
  readonly #cancel: AbortController;

  private constructor(response: Response, cancel: AbortController) {
    this.response = response;
    this.#cancel = cancel;
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
    const cancel = new AbortController();
    const response = await fetch(url, { headers, signal: cancel.signal });
    const stream = new EventStream(response, cancel);
    void stream.#read();
    return stream;
  }

  /** Goes away in the middle. */
  close(): void {
    this.#cancel.abort();
  }

  async waitForEvents(count: number): Promise<void> {
    const what = `${count} events, got ${this.events.length}`;
    await waitFor(() => this.events.length >= count, { withinMs: 20_000, what });
  }

  async waitForEnd(withinMs = 20_000): Promise<void> {
    await waitFor(() => this.hasEnded, { withinMs, what: "the end of the stream" });
  }

  async #read(): Promise<void> {
    let text = "";
    try {
      const decoder = new TextDecoder();
      for await (const chunk of this.response.body ?? []) {
        const blocks = (text + decoder.decode(chunk, { stream: true })).split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) this.#take(block);
      }
    } catch {
      // It was closed, or cut.
    }
    this.hasEnded = true;
  }

  #take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    const data = field("data");
    if (data === undefined) this.comments += 1;
    else this.events.push({ event: field("event") ?? "message", id: field("id"), data });
  }
}
