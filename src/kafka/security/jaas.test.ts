/** The login text of Java's clients. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorLine } from "../../base/error.ts";
import { parseJaas } from "./jaas.ts";

const plain = "org.apache.kafka.common.security.plain.PlainLoginModule";
const scram = "org.apache.kafka.common.security.scram.ScramLoginModule";

for (const { name, text, mechanism = "PLAIN", expect } of [
  {
    name: "the usual text",
    text: `${plain} required username="alice" password="s3cret";`,
    expect: ["alice", "s3cret"],
  },
  {
    name: "a SCRAM login over several lines, with comments and other options",
    text: `${scram} REQUIRED\n  // ours\n  username="bob" /* and */ password='p w'\n  user_x="y" ;\n`,
    mechanism: "SCRAM-SHA-512",
    expect: ["bob", "p w"],
  },
  {
    name: "escapes, equal signs, semicolons and quotes inside of quotes",
    text: `${plain} required username="a\\"b'c" password="x=;\\\\y\\101\\t/*";`,
    expect: ["a\"b'c", "x=;\\yA\t/*"],
  },
  {
    name: "words without quotes",
    text: `${plain} required username=alice-1 password=abc_2;`,
    expect: ["alice-1", "abc_2"],
  },
  {
    name: "letters beyond ASCII",
    text: `${plain} required username="jörg" password="пароль";`,
    expect: ["jörg", "пароль"],
  },
  {
    name: "an empty password",
    text: `${plain} required username="a" password="";`,
    expect: ["a", ""],
  },
]) {
  test(`${name} is read`, () => {
    const login = parseJaas(text, mechanism);
    assert.deepEqual([login.username, login.password.reveal()], expect);
  });
}

for (const { name, text, mechanism = "PLAIN", says } of [
  { name: "nothing", text: "", says: /login module/ },
  {
    name: "another module",
    text: 'com.Krb5LoginModule required password="s3cret";',
    says: /none that/,
  },
  { name: "no flag", text: `${plain} username="a" password="s3cret";`, says: /required/ },
  {
    name: "a module of another mechanism",
    text: `${scram} required username="a" password="s3cret";`,
    says: /sasl.mechanism=PLAIN/,
  },
  { name: "no password", text: `${plain} required username="s3cret";`, says: /no option password/ },
  {
    name: "no semicolon",
    text: `${plain} required username="a" password="s3cret"`,
    says: /semicolon/,
  },
  {
    name: "an open quote",
    text: `${plain} required username="a" password="s3cret;`,
    says: /never closed/,
  },
  {
    name: "a value without quotes",
    text: `${plain} required username="a" password=s3cret!;`,
    says: /quotes/,
  },
  {
    name: "an option without a value",
    text: `${plain} required username="a" password=;`,
    says: /no value/,
  },
  {
    name: "two modules",
    text: `${plain} required username="a" password="s3cret"; ${plain} required;`,
    says: /more than one/,
  },
  {
    name: "a delegation token",
    text: `${scram} required username="a" password="s3cret" tokenauth="true";`,
    mechanism: "SCRAM-SHA-256",
    says: /tokenauth/,
  },
]) {
  test(`${name} is refused, without showing the password`, () => {
    assert.throws(
      () => parseJaas(text, mechanism),
      (error: Error) => {
        assert.match(errorLine(error), says);
        assert.match(errorLine(error), /sasl\.jaas\.config/);
        assert.doesNotMatch(JSON.stringify(error) + String(error.stack), /s3cret/);
        return true;
      },
    );
  });
}
