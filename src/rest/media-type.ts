/** Content negotiation: everything here is JSON. */

/** Does `Accept` allow JSON? A missing header allows everything. */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  return accept.split(",").some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((each) => each.startsWith("q="));
    if (weight !== undefined && Number(weight.slice(2)) === 0) return false;
    return type === "*/*" || type === "application/*" || type === "application/json";
  });
}

/** Is this `Content-Type` JSON, whatever its parameters? */
export function isJson(contentType: string): boolean {
  const [type = ""] = contentType.split(";");
  return type.trim().toLowerCase() === "application/json";
}
