/**
 * Every error code with a sentence on what it means. The list is the documentation; a test checks
 * that each code is used and that none is missing. Add yours in alphabetical order of the part
 * before the dot.
 */
export const errorCodes = {
  "config.invalid": "a config has values that cannot be used; all of them are listed",
} as const;

export type ErrorCode = keyof typeof errorCodes;
