/**
 * Which paths are refused before anything looks at them, as Connect's HTTP server does (Jetty 12):
 * what an encoded slash or an empty segment means differs between proxies and servers, so it means
 * nothing here.
 */

export type RequestPath =
  /** Answered with 400. */
  | { at: "refused" }
  /** Without matrix parameters and trailing slash; percent-encoding is kept. */
  | { at: "path"; url: string };

const encodedControl = /%(?:[01][0-9a-f]|7f)/i;
const ambiguous = /%2f|%5c|%25|\\/i;
const malformed = /%(?![0-9a-f]{2})/i;

/** Reads the target of a request line. */
export function parseRequestPath(target: string): RequestPath {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? "" : target.slice(mark);
  if (!path.startsWith("/")) return { at: "refused" };
  if (malformed.test(path) || ambiguous.test(path) || encodedControl.test(path)) {
    return { at: "refused" };
  }
  const segments = path.slice(1).split("/");
  if (segments.length > 1 && segments.at(-1) === "") segments.pop();
  const plain: string[] = [];
  for (const segment of segments) {
    const [name = ""] = segment.split(";");
    const decoded = decode(name);
    if (decoded === undefined || decoded === "." || decoded === "..") return { at: "refused" };
    if (decoded === "" && path !== "/") return { at: "refused" };
    plain.push(name);
  }
  return { at: "path", url: `/${plain.join("/")}${query}` };
}

/**
 * A path segment for `Location`, as Java's UriBuilder writes it: a slash in a name stays, so such
 * names can be made but not addressed.
 */
export function encodeName(name: string): string {
  // A lone surrogate has no UTF-8 form; it becomes U+FFFD as in Java.
  const wellFormed = Buffer.from(name, "utf8").toString("utf8");
  return encodeURI(wellFormed).replace(/[?#]/g, encodeURIComponent);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
