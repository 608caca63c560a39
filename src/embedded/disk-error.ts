import { TaskError } from "../base/error.ts";

/** What the file system said, as the error of what was being done; `doing` reads "write to topic a". */
export function diskError(cause: unknown, doing: string, directory: string): TaskError {
  const errno = (cause as { code?: unknown }).code;
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new TaskError(
      "embedded.disk_full",
      `cannot ${doing}: no room is left for the embedded log in ${directory}`,
      {
        cause,
        hint:
          `Free some space on the disk of ${directory}, or lower embedded.retention.ms or ` +
          "embedded.retention.bytes, then restart what failed; everything stored stays readable.",
      },
    );
  }
  return new TaskError(
    "embedded.write_failed",
    `cannot ${doing} in the embedded log in ${directory}`,
    { cause },
  );
}
