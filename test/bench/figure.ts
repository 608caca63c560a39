/** Figures, how they are summed up and how they are shown. */

/** What was measured, once a round. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** The most it should be. */
  readonly aim?: number;
  /** The least it should be. */
  readonly least?: number;
}

export interface Row {
  readonly name: string;
  readonly figures: readonly Figure[];
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** The middle one; of an even number, the mean of both in the middle. */
export function median(values: readonly number[]): number {
  const upper = percentile(values, 0.5);
  if (values.length % 2 === 1) return upper;
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[values.length / 2 - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which this part of all values lies. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** How much `y` grows with each unit of `x`: the line with the least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [middleX, middleY] = [mean(0), mean(1)];
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - middleX) * (y - middleY);
    below += (x - middleX) ** 2;
  }
  return above / below;
}

/** A section for a person: medians, with the lowest and the highest. */
export function textOf({ title, rows }: Section): string {
  const cells = rows.map(({ name, figures }) => [name, ...figures.map(cellOf)]);
  const widths = cells.reduce<number[]>(
    (sofar, row) => row.map((cell, n) => Math.max(cell.length, sofar[n] ?? 0)),
    [],
  );
  const lines = cells.map((row) => row.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join("  "));
  return [title, ...lines.map((line) => `  ${line.trimEnd()}`)].join("\n");
}

function cellOf({ what, unit, values, aim, least }: Figure): string {
  const middle = median(values);
  const digits = middle >= 100 ? 0 : middle >= 10 ? 1 : 2;
  const text = (value: number) => value.toFixed(digits);
  const spread =
    values.length > 1 ? ` (${text(Math.min(...values))}–${text(Math.max(...values))})` : "";
  const verdict = aim === undefined ? "" : middle <= aim ? ` ≤ ${aim}` : ` MISSES ${aim}`;
  const enough = least === undefined ? "" : middle >= least ? ` ≥ ${least}` : ` MISSES ${least}`;
  return `${what} ${text(middle)}${spread} ${unit}${verdict}${enough}`;
}

/** A section for a program: every value, and their median. */
export function jsonOf({ title, rows }: Section): object {
  return {
    title,
    rows: rows.map(({ name, figures }) => ({
      name,
      figures: figures.map((figure) => ({ ...figure, median: median(figure.values) })),
    })),
  };
}
