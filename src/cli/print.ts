/** Prints to stdout: JSON for machines, text for people. */

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints `value` with `--json`, else `text`. */
export function printResult(value: unknown, text: string, { json }: { readonly json?: boolean }): void {
  if (json) printJson(value);
  else process.stdout.write(text);
}
