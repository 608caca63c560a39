/** JSON as others write it: spelt otherwise, saying something else, or no JSON any more. */
import { writeJsonString } from "../../src/record/canonical-json.ts";
import { parseExactJson, parseFirstJson } from "../../src/record/exact-json.ts";
import { Floating, type JsonObject, type JsonValue } from "../../src/record/value.ts";
import type { Choice } from "./random-choice.ts";

/**
 * The same value in another spelling: blanks, escapes, exponents, members in any order and some of them
 * twice, of which the last counts. No number becomes one of another class.
 */
export function respelt(choice: Choice, json: JsonValue): string {
  return new Speller(choice, 0, choice.pick([0.05, 0.3, 1])).text(json);
}

/** With a value or two that are none of their place, mostly in a text that is canonical else. */
export function contradicting(choice: Choice, json: JsonValue): string {
  return new Speller(choice, 1 / leavesOf(json), choice.pick([0, 0, 0.3])).text(json);
}

/** At least 1. */
function leavesOf(json: JsonValue): number {
  const parts = json instanceof Map ? [...json.values()] : Array.isArray(json) ? json : [];
  return parts.reduce<number>((sum, part) => sum + leavesOf(part), parts.length === 0 ? 1 : 0);
}

function canonical(choice: Choice, json: JsonValue): string {
  return new Speller(choice, 0, 0).text(json);
}

class Speller {
  readonly #choice: Choice;
  /** How often a value becomes another. */
  readonly #otherShare: number;
  /** 0: spelt as ever; 1: hardly anywhere. In between a reader in a hurry may overlook what is not. */
  readonly #looseness: number;

  constructor(choice: Choice, otherShare: number, looseness: number) {
    this.#choice = choice;
    this.#otherShare = otherShare;
    this.#looseness = looseness;
  }

  /** With blanks around it. */
  text(json: JsonValue): string {
    const choice = this.#choice;
    const value = choice.chance(this.#otherShare) ? this.#wrong(json) : this.#value(json);
    return this.#blank() + value + this.#blank();
  }

  #isLoose(share: number): boolean {
    return this.#choice.chance(share * this.#looseness);
  }

  #blank(): string {
    return this.#isLoose(0.2) ? this.#choice.pick([" ", "\n", "\t ", "\r\n"]) : "";
  }

  #value(json: JsonValue): string {
    if (json instanceof Floating) return this.#floating(json.text);
    if (typeof json === "string") return this.#string(json);
    if (Array.isArray(json)) return `[${json.map((item) => this.text(item)).join(",")}]`;
    if (json instanceof Map) return this.#object(json);
    if (json === 0 && this.#isLoose(0.2)) return "-0";
    return String(json);
  }

  #object(json: JsonObject): string {
    const choice = this.#choice;
    const all = [...json];
    const members = (this.#isLoose(0.4) ? choice.shuffled(all) : all).filter(
      () => !choice.chance(this.#otherShare / 3),
    );
    const texts = members.map(([name, member]) => this.#member(name, this.text(member)));
    if (members.length > 0 && this.#looseness > 0 && choice.chance(0.1)) {
      // Before all others, so it does not count.
      const [name, member] = choice.pick(members);
      texts.unshift(this.#member(name, this.#other(member)));
    }
    if (choice.chance(this.#otherShare / 3)) texts.push(this.#member("more", "1"));
    return texts.length === 0 ? `{${this.#blank()}}` : `{${texts.join(",")}}`;
  }

  #member(name: string, text: string): string {
    return `${this.#blank()}${this.#string(name)}${this.#blank()}:${text}`;
  }

  #string(text: string): string {
    if (!this.#isLoose(0.5)) return writeJsonString(text);
    const units = Array.from({ length: text.length }, (_, at) => text.charAt(at));
    return `"${units.map((unit) => this.#unit(unit)).join("")}"`;
  }

  #unit(unit: string): string {
    const choice = this.#choice;
    if (unit === "/" && choice.chance(0.5)) return "\\/";
    const isSurrogate = /[\ud800-\udfff]/.test(unit);
    if (!isSurrogate && !choice.chance(0.3)) return writeJsonString(unit).slice(1, -1);
    const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${choice.chance(0.5) ? hex.toUpperCase() : hex}`;
  }

  /** Each says the same number, though not with the same scale. */
  #floating(text: string): string {
    const parts = !this.#isLoose(0.8)
      ? null
      : /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
    if (parts === null) return text;
    const [, sign = "", whole = "", fraction = "", exponent = "0"] = parts;
    const digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, "");
    const power = Number(exponent) - fraction.length;
    return this.#choice.pick([
      text,
      `${sign}${digits}e${power}`,
      `${sign}${digits}E${power < 0 ? power : `+${power}`}`,
      `${sign}${digits}.0e${power}`,
      `${sign}${digits}000E${power - 3}`,
      `${sign}${whole}.${fraction}0e${exponent}`,
    ]);
  }

  /** As `#other`, but perhaps not even JSON. */
  #wrong(json: JsonValue): string {
    const isNumber = json instanceof Floating && this.#choice.chance(0.2);
    return isNumber
      ? `${json.text}${this.#choice.pick([".5", "e", "e5.5", "-1"])}`
      : this.#other(json);
  }

  /** What others would take for the same, or nobody. */
  #other(json: JsonValue): string {
    const choice = this.#choice;
    if (typeof json === "number" || typeof json === "bigint") {
      const text = String(json);
      const larger = [`${text}00`, "128", "-32769", "2147483648", "9223372036854775808"];
      const others = [`${text}.0`, `${text}e0`, `${text}1e-1`, `"${text}"`, "null"];
      return choice.pick(choice.chance(0.4) ? larger : others);
    }
    if (json instanceof Floating)
      return choice.pick(["5", "-0", `"${json.text}"`, "null", "1e400"]);
    if (typeof json === "boolean") return choice.pick([`"${json}"`, "0", "null"]);
    const scalars = ["null", "5", "1.0", "1e2", '""', '"x"', "true", "[]", "{}", "[1]", '{"a":1}'];
    return choice.pick([...scalars, "99999999999999999999", "007"]);
  }
}

/** Bytes that are no JSON, or not all of them, or JSON in another Unicode encoding. */
export function damagedText(choice: Choice, text: string): Buffer {
  const at = choice.count(text.length);
  const sign = choice.pick([...'{}[],:"\\0-x ', "\u0001", "null", "e", ".", ".5", "\ud800"]);
  switch (choice.count(7)) {
    case 0:
      return Buffer.from(text.slice(0, at));
    case 1:
    case 2:
      return Buffer.from(text.slice(0, at) + sign + text.slice(at + 1));
    case 3:
      return Buffer.from(text.slice(0, at) + sign + text.slice(at));
    case 4:
      return Buffer.from(text + choice.pick([" x", "}", " ", "\u0000", text]));
    case 5:
      return Buffer.concat([
        Buffer.from(text.slice(0, at)),
        Buffer.of(choice.pick([0xff, 0x80, 0xc3])),
        Buffer.from(text.slice(at)),
      ]);
    case 6:
      return Buffer.from(`\ufeff${text}`, choice.pick(["utf8", "utf16le"]));
    default:
      return Buffer.from(
        choice.pick(["", " ", "null", "NaN", "{}", "[".repeat(1_200), "9".repeat(1_200)]),
      );
  }
}

/** Bytes that a converter of the class cannot read, or not as its schema says; some of them it can. */
export function malformed(choice: Choice, converter: string, bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString("utf8");
  if (converter !== "Json") {
    if (choice.chance(0.5)) return damagedText(choice, text);
    return Buffer.from(Array.from({ length: choice.count(9) }, () => choice.count(255)));
  }
  if (choice.chance(0.3)) return damagedText(choice, text);
  const json = parseFirstJson(text) ?? null;
  const schema = json instanceof Map ? json.get("schema") : undefined;
  const payload = json instanceof Map ? json.get("payload") : undefined;
  if (schema !== undefined && payload !== undefined && choice.chance(0.5)) {
    const text = contradicting(choice, payload);
    return Buffer.from(`{"schema":${canonical(choice, schema)},"payload":${text}}`);
  }
  if (choice.chance(0.3) || !(json instanceof Map)) {
    return Buffer.from(contradicting(choice, json));
  }
  return Buffer.from(respelt(choice, damagedEnvelope(choice, json)));
}

/** An envelope that lacks something, has too much, or has a schema that its payload is not of. */
function damagedEnvelope(choice: Choice, envelope: JsonObject): JsonObject {
  const damaged = new Map(envelope);
  const schema = damaged.get("schema");
  switch (choice.count(5)) {
    case 0:
      damaged.delete("schema");
      break;
    case 1:
      damaged.delete("payload");
      break;
    case 2:
      damaged.set("more", null);
      break;
    case 3:
      damaged.set("payload", parseExactJson(choice.pick(otherPayloads)));
      break;
    case 4:
      damaged.set("schema", choice.pick<JsonValue>([null, 5, "string", new Map(), []]));
      break;
    default: {
      const members = schema instanceof Map ? schema : [];
      damaged.set("schema", new Map([...members, ["type", choice.pick(otherTypes)]]));
    }
  }
  return damaged;
}

const otherPayloads = ["null", "5", "1.5", '"x"', "{}", '{"a":1}', "[]", "[[1,2]]"];

const otherTypes = "int8 int64 double string bytes array map struct x".split(" ");
