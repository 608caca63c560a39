/** What Kafka's admin tools do to a cluster, by one request instead of a JVM that takes two seconds. */
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { ask, int32, Reader, text } from "./ask-broker.ts";

const createPartitionsKey = 37;
const electLeadersKey = 43;
const alterPartitionReassignmentsKey = 45;
const alterUserScramCredentialsKey = 51;

const withinMs = 20_000;
const iterations = 4_096;

/** Lets a topic grow. @throws Error with Kafka's code */
export async function askMorePartitions(port: number, topic: string, count: number): Promise<void> {
  const nowhere = int32(-1);
  const topics = [int32(1), text(topic), int32(count), nowhere];
  const body = Buffer.concat([...topics, int32(withinMs), Buffer.of(0)]);
  const reader = new Reader(await ask(port, createPartitionsKey, 1, body, withinMs));
  reader.int32(); // throttle time
  reader.int32(); // one topic
  reader.string();
  refused(`let ${topic} grow`, reader.int16());
}

/** The first replica is the one that leads when `askElection` is told to. @throws Error with Kafka's code */
export async function askReplicas(
  port: number,
  topic: string,
  partition: number,
  replicas: readonly number[],
): Promise<void> {
  const ids = [compactCount(replicas.length), ...replicas.map(int32)];
  const partitions = [compactCount(1), int32(partition), ...ids, noTags, noTags];
  const topics = [compactCount(1), compactText(topic), ...partitions];
  // The header of such a request ends with tags too.
  const body = Buffer.concat([noTags, int32(withinMs), ...topics, noTags]);
  const answer = await ask(port, alterPartitionReassignmentsKey, 0, body, withinMs);
  const reader = new Reader(answer.subarray(noTags.length));
  reader.int32(); // throttle time
  refused(`move ${topic}-${partition}`, reader.int16());
}

/** The first replica leads from now on. @throws Error with Kafka's code */
export async function askElection(port: number, topic: string, partition: number): Promise<void> {
  const preferred = Buffer.of(0);
  const place = [int32(1), text(topic), int32(1), int32(partition)];
  const body = Buffer.concat([preferred, ...place, int32(withinMs)]);
  const reader = new Reader(await ask(port, electLeadersKey, 1, body, withinMs));
  reader.int32(); // throttle time
  refused(`elect the leader of ${topic}-${partition}`, reader.int16());
}

/** Gives a user a SCRAM password, or takes it away. @throws Error with Kafka's code */
export async function askScramUser(
  port: number,
  name: string,
  mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-512",
  password: string | undefined,
): Promise<void> {
  const [digest, size, kind] =
    mechanism === "SCRAM-SHA-256" ? ["sha256", 32, 1] : ["sha512", 64, 2];
  const who = [compactText(name), Buffer.of(Number(kind))];
  const none = compactCount(0);
  const changes: Buffer[] = [];
  if (password === undefined) changes.push(compactCount(1), ...who, noTags, none);
  else {
    const salt = randomBytes(16);
    const salted = pbkdf2Sync(password, salt, iterations, Number(size), String(digest));
    const secret = [int32(iterations), compactBytes(salt), compactBytes(salted)];
    changes.push(none, compactCount(1), ...who, ...secret, noTags);
  }
  const body = Buffer.concat([noTags, ...changes, noTags]);
  const answer = await ask(port, alterUserScramCredentialsKey, 0, body, withinMs);
  const reader = new Reader(answer.subarray(noTags.length));
  reader.int32(); // throttle time
  reader.int8(); // one user
  const nameLength = reader.int8() - 1;
  for (let at = 0; at < nameLength; at += 1) reader.int8();
  refused(`change the login of ${name}`, reader.int16());
}

function refused(what: string, code: number): void {
  if (code !== 0) throw new Error(`cannot ${what}: the broker answered ${code}`);
}

const noTags = Buffer.of(0);

/** Of fewer than 127 elements. */
function compactCount(count: number): Buffer {
  return Buffer.of(count + 1);
}

function compactBytes(bytes: Buffer): Buffer {
  return Buffer.concat([compactCount(bytes.length), bytes]);
}

function compactText(value: string): Buffer {
  return compactBytes(Buffer.from(value));
}
