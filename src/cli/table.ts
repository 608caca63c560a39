/** Tables on a terminal, without colours and with as few lines as a reader needs. */
import Table from "cli-table3";

const gapColumns = 2;

/**
 * Lays out rows under a head; texts of the last column are wrapped at words so that no line is longer
 * than `widthMax` columns. A line break in a text stays one.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widthMax: number,
): string {
  const last = head.length - 1;
  const widths = head.map(
    (title, column) =>
      Math.max(title.length, ...rows.map((row) => lengthOf(row[column] ?? ""))) + gapColumns,
  );
  const before = widths.slice(0, last).reduce((sum, width) => sum + width, 0);
  widths[last] = Math.max(20, Math.min(widths[last] ?? 0, widthMax - before));
  const made = new Table({
    head: [...head],
    colWidths: widths,
    wordWrap: true,
    chars: noLines,
    style: { head: [], border: [], "padding-left": 0, "padding-right": gapColumns },
  });
  for (const row of rows) made.push([...row]);
  return made.toString().replaceAll(/[ \t]+$/gm, "");
}

/** Of its longest line. */
function lengthOf(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

const noLines = Object.fromEntries(
  "top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle"
    .split(" ")
    .map((name) => [name, ""]),
);
