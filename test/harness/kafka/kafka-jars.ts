/**
 * Apache Kafka's jars, fetched by Maven once per user and once per content of `pom.xml`, and what makes a
 * start from them fast: a formatted data folder to copy, and an archive of loaded classes.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brokerProperties } from "./broker-properties.ts";
import { freePorts } from "./free-ports.ts";
import { putInPlace } from "./put-in-place.ts";
import { scramArgs } from "./sasl-users.ts";
import { underLock } from "./under-lock.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const runFile = promisify(execFile);
const fetchMsMax = 300_000;
const trainMsMax = 60_000;

/** A small heap and little compiling: the machine is shared with what is under test. */
const jvmFlags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xlog:disable"];

const format = ["format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", ...scramArgs];
const formattedName = `formatted-${createHash("sha256").update(format.join("\n")).digest("hex").slice(0, 8)}`;

/** What a JVM with Kafka's classes is started with. */
export interface KafkaJars {
  /** This user's folder for this pom. */
  folder: string;
  classpath: string;
  /** Flags of every JVM, the class path among them. */
  jvmArgs: string[];
  /** A data folder as `kafka-storage format` leaves it; only its `meta.properties` names a node. */
  formatted: string;
}

/** The jars, or why this machine cannot have them, in words fit for a skipped suite. */
export type KafkaJarsFound =
  | { jars: KafkaJars; missing: undefined }
  | { jars: undefined; missing: string };

let found: Promise<KafkaJarsFound> | undefined;

/** Fetches what is missing, once per process; the first time on a machine takes a minute. */
export function kafkaJars(): Promise<KafkaJarsFound> {
  found ??= find();
  return found;
}

async function find(): Promise<KafkaJarsFound> {
  const version = await javaVersion();
  if (version === undefined) return lacking("needs Java 17 or newer (a JDK: java, javac, keytool)");
  const digest = createHash("sha256")
    .update(await readFile(pom))
    .digest("hex")
    .slice(0, 16);
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "bulkhead");
  const folder = join(cache, "kafka-jars", digest);
  const archive = join(folder, `classes-${version}.jsa`);
  if (!existsSync(archive) || !existsSync(join(folder, formattedName))) {
    try {
      await mkdir(folder, { recursive: true });
      await underLock(join(folder, "lock"), () => prepare(folder, archive));
    } catch (error) {
      return lacking(error instanceof Lacking ? error.message : `cannot prepare Kafka: ${error}`);
    }
  }
  return { jars: await jarsIn(folder, archive), missing: undefined };
}

class Lacking extends Error {}

function lacking(missing: string): KafkaJarsFound {
  return { jars: undefined, missing };
}

/** A few characters that stand for the JVM, because an archive of classes fits only one. */
async function javaVersion(): Promise<string | undefined> {
  try {
    await runFile("javac", ["-version"]);
    const { stderr } = await runFile("java", ["-version"]);
    const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
    if (major < 17) return undefined;
    return `${major}-${createHash("sha256").update(stderr).digest("hex").slice(0, 8)}`;
  } catch {
    return undefined;
  }
}

async function jarsIn(folder: string, archive: string): Promise<KafkaJars> {
  const names = (await readdir(join(folder, "jars"))).filter((name) => name.endsWith(".jar"));
  const classpath = names
    .sort()
    .map((name) => join(folder, "jars", name))
    .join(delimiter);
  const archived = existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
  const log4j = fileURLToPath(new URL("log4j2.yaml", import.meta.url));
  const logging = `-Dlog4j2.configurationFile=${log4j}`;
  return {
    folder,
    classpath,
    jvmArgs: [...jvmFlags, ...archived, logging, "-cp", classpath],
    formatted: join(folder, formattedName),
  };
}

/** Each part appears by a rename, so that nobody ever sees half of it. */
async function prepare(folder: string, archive: string): Promise<void> {
  const scratch = await mkdtemp(join(folder, "making-"));
  try {
    if (!existsSync(join(folder, "jars"))) {
      await fetchJars(join(scratch, "jars"));
      await putInPlace(join(scratch, "jars"), join(folder, "jars"));
    }
    const { jvmArgs, formatted } = await jarsIn(folder, archive);
    const [client, internal, controller] = await freePorts(3);
    const properties = join(scratch, "server.properties");
    const data = join(scratch, "data");
    const ports = { client: client!, internal: internal!, controller: controller! };
    await writeFile(properties, brokerProperties({ id: 1, data, ports }));
    const formatting = [...jvmArgs, "kafka.tools.StorageTool", ...format, "-c", properties];
    await runFile("java", formatting, { timeout: trainMsMax });
    if (!existsSync(formatted)) {
      await runFile("cp", ["-R", data, join(scratch, "formatted")]);
      await putInPlace(join(scratch, "formatted"), formatted);
    }
    if (existsSync(archive)) return;
    const classes = join(scratch, "classes.jsa");
    await trainArchive(jvmArgs, properties, classes);
    // A JVM that cannot make one passes over an empty one, and is not asked again.
    if (!existsSync(classes)) await writeFile(classes, "");
    await rename(classes, archive);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fetchJars(into: string): Promise<void> {
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"];
  const args = ["-B", "-q", "-f", pom, ...goal, `-DoutputDirectory=${into}`];
  try {
    await runFile("mvn", args, { timeout: fetchMsMax, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const { code, stdout = "" } = error as { code?: unknown; stdout?: string };
    if (code === "ENOENT") throw new Lacking("needs Maven (mvn), to fetch Kafka's jars once");
    const [line = ""] = stdout.split("\n").filter((text) => text.includes("ERROR"));
    throw new Lacking(`Maven could not fetch Kafka's jars: ${line.slice(0, 300)}`);
  }
}

/** Half of a start is loading classes. A broker's whole life, once, leaves an archive of them. */
async function trainArchive(jvmArgs: string[], properties: string, into: string): Promise<void> {
  const flags = ["-Xmx256m", `-XX:ArchiveClassesAtExit=${into}`, "-Dtest.log.level=info"];
  const child = execFile("java", [...flags, ...jvmArgs, "kafka.Kafka", properties], {
    timeout: trainMsMax,
    maxBuffer: 16 * 1024 * 1024,
  });
  child.stderr?.on("data", (text: string) => {
    if (text.includes("Kafka Server started")) child.kill("SIGTERM");
  });
  await new Promise((resolve) => child.on("close", resolve));
}
