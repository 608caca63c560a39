/** Two texts beside each other, lines that are in both on one level. */

/** A line that is on one side only is null on the other. */
type Row = readonly [left: string | null, right: string | null];

/** I5: aligning takes lines × lines; longer texts are shown as they are. */
const alignedLinesMax = 2_000;
const between = "  ";

/** What is different on either side is told apart. */
export interface SideStyle {
  readonly left: (text: string) => string;
  readonly right: (text: string) => string;
}

/** Without styles: for pipes and files. */
export const plainSides: SideStyle = { left: (text) => text, right: (text) => text };

/** Lines of at most `width` columns; what does not fit is cut with `…`. */
export function sideBySide(
  left: readonly string[],
  right: readonly string[],
  width: number,
  style: SideStyle,
): string[] {
  const columns = Math.max(20, Math.floor((width - between.length - 2) / 2));
  return rowsOf(left, right).map(([before, after]) => {
    const isSame = before !== null && before === after;
    const sign = isSame ? " " : before === null ? "+" : after === null ? "-" : "~";
    const shownLeft = fitted(before ?? "", columns).padEnd(columns);
    const shownRight = fitted(after ?? "", columns);
    const [a, b] = isSame
      ? [shownLeft, shownRight]
      : [style.left(shownLeft), style.right(shownRight)];
    return `${sign} ${a}${between}${b}`.trimEnd();
  });
}

const contextLines = 3;

/** What `sideBySide` gave without the lines that are the same and far from any that is not. */
export function nearChanges(lines: readonly string[]): string[] {
  const isNear = lines.map(() => false);
  lines.forEach((line, at) => {
    if (line.startsWith(" ")) return;
    const last = Math.min(lines.length - 1, at + contextLines);
    for (let near = Math.max(0, at - contextLines); near <= last; near += 1) isNear[near] = true;
  });
  return lines.flatMap((line, at) => {
    if (isNear[at]) return [line];
    return at === 0 || isNear[at - 1] ? ["  …"] : [];
  });
}

function fitted(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}

/** Lines that only differ stand beside each other. */
function rowsOf(left: readonly string[], right: readonly string[]): Row[] {
  if (left.length > alignedLinesMax || right.length > alignedLinesMax) {
    const length = Math.max(left.length, right.length);
    return Array.from({ length }, (_, at): Row => [left[at] ?? null, right[at] ?? null]);
  }
  const common = commonLengths(left, right);
  const rows: Row[] = [];
  let [a, b] = [0, 0];
  while (a < left.length || b < right.length) {
    const down = common[a + 1]?.[b] ?? 0;
    const over = common[a]?.[b + 1] ?? 0;
    if (a < left.length && b < right.length && left[a] === right[b]) {
      rows.push([left[a++] as string, right[b++] as string]);
    } else if (
      a < left.length &&
      b < right.length &&
      down === over &&
      common[a + 1]?.[b + 1] === down
    ) {
      rows.push([left[a++] as string, right[b++] as string]);
    } else if (b >= right.length || (a < left.length && down >= over)) {
      rows.push([left[a++] as string, null]);
    } else rows.push([null, right[b++] as string]);
  }
  return rows;
}

/** `[a][b]`: how many lines the rests from there have in common, in order. */
function commonLengths(left: readonly string[], right: readonly string[]): number[][] {
  const lengths = Array.from({ length: left.length + 1 }, () =>
    new Array<number>(right.length + 1).fill(0),
  );
  for (let a = left.length - 1; a >= 0; a -= 1) {
    const row = lengths[a] as number[];
    const below = lengths[a + 1] as number[];
    for (let b = right.length - 1; b >= 0; b -= 1) {
      row[b] =
        left[a] === right[b]
          ? (below[b + 1] as number) + 1
          : Math.max(below[b] as number, row[b + 1] as number);
    }
  }
  return lengths;
}
