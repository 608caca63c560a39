import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** Tokens and tickets: 256 bits each, for one use, compared in constant time. */
export class OneTimeSecrets<T> {
  readonly #waiting = new Map<string, { digest: Buffer; meaning: T }>();

  get size(): number {
    return this.#waiting.size;
  }

  /** A new secret that stands for `meaning` until it is taken or voided. */
  issue(meaning: T): { secret: string; void: () => void } {
    const secret = randomBytes(32).toString("base64url");
    const digest = digestOf(secret);
    const key = digest.toString("hex");
    this.#waiting.set(key, { digest, meaning });
    return { secret, void: () => this.#waiting.delete(key) };
  }

  /** What it stood for; undefined when it is unknown, void or used. */
  take(secret: string): T | undefined {
    // The look-up is by digest, so its time says nothing about how much of a guess was right.
    const digest = digestOf(secret);
    const key = digest.toString("hex");
    const found = this.#waiting.get(key);
    if (found === undefined || !timingSafeEqual(found.digest, digest)) return undefined;
    this.#waiting.delete(key);
    return found.meaning;
  }
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
