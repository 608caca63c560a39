import assert from "node:assert/strict";
import { test } from "node:test";
import { calendarOf, dayToMs, isoDate, isoTime, javaDate } from "./java-calendar.ts";
import { javaDouble, javaFloat } from "./java-text.ts";
import { formatDecimal, parseDecimal } from "./logical.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const numbers: { value: number; double: string; float: string }[] = [
  { value: 1, double: "1.0", float: "1.0" },
  { value: -0, double: "-0.0", float: "-0.0" },
  { value: 0.1, double: "0.1", float: "0.1" },
  { value: 0.001, double: "0.001", float: "0.001" },
  { value: 0.0001, double: "1.0E-4", float: "1.0E-4" },
  { value: 9_999_999, double: "9999999.0", float: "9999999.0" },
  { value: 1e7, double: "1.0E7", float: "1.0E7" },
  { value: 123_456_789.123, double: "1.23456789123E8", float: "1.2345679E8" },
  { value: 5e-324, double: "4.9E-324", float: "0.0" },
  { value: 1.4e-45, double: "1.4E-45", float: "1.4E-45" },
  { value: 1e300, double: "1.0E300", float: "Infinity" },
  { value: Number.NaN, double: "NaN", float: "NaN" },
  { value: Number.NEGATIVE_INFINITY, double: "-Infinity", float: "-Infinity" },
];

for (const { value, double, float } of numbers) {
  test(`${value} is ${double} as a double and ${float} as a float`, () => {
    assert.equal(javaDouble(value), double);
    assert.equal(javaFloat(value), float);
  });
}

const decimals: { text: string; shown: string }[] = [
  { text: "123.45", shown: "123.45" },
  { text: "-0.010", shown: "-0.010" },
  { text: "5e2", shown: "5E+2" },
  { text: "1e-18", shown: "1E-18" },
  { text: "12e-8", shown: "1.2E-7" },
  { text: "0.000001", shown: "0.000001" },
  { text: "+.5", shown: "0.5" },
  { text: "5.", shown: "5" },
];

for (const { text, shown } of decimals) {
  test(`the decimal ${text} is shown as ${shown}`, () => {
    const decimal = parseDecimal(text);
    assert.ok(decimal !== undefined);
    assert.equal(formatDecimal(decimal), shown);
  });
}

for (const text of ["", ".", "e5", "1e", "1,5", "1e9999999999"]) {
  test(`"${text}" is no decimal`, () => assert.equal(parseDecimal(text), undefined));
}

test("before October 1582 dates are Julian", () => {
  assert.equal(dayToMs(1, 1, 1), -62_135_769_600_000);
  assert.equal(dayToMs(1582, 10, 15) - dayToMs(1582, 10, 4), 86_400_000);
  assert.equal(isoDate(dayToMs(1500, 2, 29)), "1500-02-29");
  for (let ms = -70_000_000_000_000; ms < 70_000_000_000_000; ms += 864_000_013_000) {
    const { year, month, day } = calendarOf(ms);
    assert.equal(dayToMs(year, month, day), Math.floor(ms / 86_400_000) * 86_400_000);
  }
});

test("moments are shown as Java shows them", () => {
  assert.equal(javaDate(1_700_000_000_123), "Tue Nov 14 22:13:20 UTC 2023");
  assert.equal(isoTime(-1), "23:59:59.999Z");
});

test("malformed UTF-8 becomes one U+FFFD where Java makes one", () => {
  const cases: [number[], string][] = [
    [[0x61, 0xff, 0x62], "a\ufffdb"],
    [[0xe2, 0x82], "\ufffd"],
    [[0xed, 0xa0, 0x80, 0x61], "\ufffda"],
    [[0xc3, 0xa9], "é"],
  ];
  for (const [bytes, text] of cases) {
    assert.equal(decodeUtf8(Uint8Array.from([0, ...bytes, 0]), 1, 1 + bytes.length), text);
  }
  assert.equal(encodeUtf8("a\ud800b😀").toString(), "a?b😀");
});
