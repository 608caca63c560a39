import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

interface Entry<T> {
  readonly digest: Buffer;
  readonly meaning: T;
  readonly isReusable: boolean;
}

/** Tokens and tickets: 256 bits each, compared in constant time; for one use unless said otherwise. */
export class WireSecrets<T> {
  readonly #entries = new Map<string, Entry<T>>();

  get size(): number {
    return this.#entries.size;
  }

  /** A new secret that stands for `meaning` until it is voided or, unless it is reusable, taken. */
  issue(
    meaning: T,
    { isReusable = false }: { isReusable?: boolean } = {},
  ): { secret: string; void: () => void } {
    const secret = randomBytes(32).toString("base64url");
    const digest = digestOf(secret);
    const key = digest.toString("hex");
    this.#entries.set(key, { digest, meaning, isReusable });
    return { secret, void: () => this.#entries.delete(key) };
  }

  /** What it stands for; undefined when it is unknown, void or used. */
  take(secret: string): T | undefined {
    // The look-up is by digest, so its time says nothing about how much of a guess was right.
    const digest = digestOf(secret);
    const key = digest.toString("hex");
    const found = this.#entries.get(key);
    if (found === undefined || !timingSafeEqual(found.digest, digest)) return undefined;
    if (!found.isReusable) this.#entries.delete(key);
    return found.meaning;
  }
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
