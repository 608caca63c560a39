/** `sasl.jaas.config`: one login module with its options, in the syntax of Java's login files. */
import { Secret } from "../../config/secret.ts";
import { wrongKey } from "../connection/client-config.ts";

export interface JaasLogin {
  readonly username: string;
  readonly password: Secret;
}

const key = "sasl.jaas.config";

const modules: Readonly<Record<string, RegExp>> = {
  "org.apache.kafka.common.security.plain.PlainLoginModule": /^PLAIN$/,
  "org.apache.kafka.common.security.scram.ScramLoginModule": /^SCRAM-/,
};

const flags = ["required", "requisite", "sufficient", "optional"];

/** A quoted text with its escapes, a comment, a word, or one other character. */
const token =
  /\s*(?:(["'])((?:\\[\s\S]|(?!\1)[^\\\r\n])*)\1|(\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)|([\w.$\u0080-\uffff-]+)|(\S))/y;

/** @throws ConfigError that says what is wrong and shows nothing of the text but names of options */
export function parseJaas(text: string, mechanism: string): JaasLogin {
  const tokens = tokensOf(text);
  const module = tokens.shift();
  const flag = tokens.shift()?.text.toLowerCase();
  const hint =
    "write org.apache.kafka.common.security.plain.PlainLoginModule (or …scram.ScramLoginModule) " +
    'required username="…" password="…";';
  if (module === undefined || flag === undefined || !flags.includes(flag)) {
    throw wrongKey(key, "it does not begin with a login module and the word required", hint);
  }
  const fits = modules[module.text];
  if (fits === undefined) {
    throw wrongKey(key, "its login module is none that this driver has", hint);
  }
  if (!fits.test(mechanism)) {
    throw wrongKey(key, `its login module is not for sasl.mechanism=${mechanism}`, hint);
  }
  const options = optionsOf(tokens, hint);
  if (options.get("tokenauth") === "true") {
    throw wrongKey(key, "tokenauth=true (delegation tokens) is not supported", hint);
  }
  const username = options.get("username");
  const password = options.get("password");
  if (username === undefined || password === undefined) {
    const missing = username === undefined ? "username" : "password";
    throw wrongKey(key, `it has no option ${missing}`, hint);
  }
  return { username, password: new Secret(password) };
}

interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (text.slice(token.lastIndex).trim() !== "") {
    const found = token.exec(text);
    if (found === null) break;
    const [, quote, quoted = "", comment, word, sign] = found;
    if (comment !== undefined) continue;
    if (sign === '"' || sign === "'") throw wrongKey(key, "a quotation mark is never closed");
    if (quote !== undefined) tokens.push({ text: unescaped(quoted), isQuoted: true });
    else tokens.push({ text: word ?? sign ?? "", isQuoted: false });
  }
  return tokens;
}

function optionsOf(tokens: Token[], hint: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  const isSign = (found: Token | undefined, sign: string) =>
    found !== undefined && !found.isQuoted && found.text === sign;
  for (;;) {
    const name = tokens.shift();
    if (name === undefined) throw wrongKey(key, "it does not end with a semicolon", hint);
    if (isSign(name, ";")) break;
    if (!isSign(tokens.shift(), "=")) {
      throw wrongKey(key, "an option has no = after its name, or a value has no quotes", hint);
    }
    const value = tokens.shift();
    if (value === undefined || isSign(value, ";") || isSign(value, "=")) {
      throw wrongKey(key, "an option has no value", hint);
    }
    options.set(name.text, value.text);
  }
  if (tokens.length > 0) throw wrongKey(key, "it has more than one login module", hint);
  return options;
}

const letters: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\u000b",
};

function unescaped(text: string): string {
  return text.replace(/\\([0-3]?[0-7]{1,2}|[\s\S])/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
  );
}
