/** Finds environment variables that begin with BESTFRAME_ but are not settings, and describes them for a warning. */

/**
 * Variables that Kubernetes and Docker inject for a service whose name begins with `bestframe`, such as
 * `BESTFRAME_API_SERVICE_HOST` or `BESTFRAME_PORT_80_TCP_ADDR`.
 */
const SERVICE_LINK_NAME = /_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)$/;
/**
 * The value of an injected `…_PORT`. Such a variable may have the name of a setting: a service `bestframe-api` yields
 * `BESTFRAME_API_PORT`.
 */
const SERVICE_LINK_VALUE = /^(?:tcp|udp|sctp):\/\//;

/** A suggested name may differ from the given name in at most this share of the letters. */
const MAX_TYPOS = 0.25;

export function isServiceLink(name: string, value: string): boolean {
  return (
    name.startsWith('BESTFRAME_') &&
    (SERVICE_LINK_NAME.test(name) || (/_PORT$/.test(name) && SERVICE_LINK_VALUE.test(value)))
  );
}

/** Describes a variable that looks like a setting but is not. */
export function unknownSetting(name: string, settings: readonly string[]): string {
  const [nearest] = settings
    .map((setting) => ({ setting, typos: editDistance(name, setting) }))
    .filter(({ typos }) => typos <= Math.ceil((name.length - 'BESTFRAME_'.length) * MAX_TYPOS))
    .sort((a, b) => a.typos - b.typos);
  const advice = nearest === undefined ? 'remove it, or see docs/settings.md' : `did you mean ${nearest.setting}?`;
  return `${name} is not a setting and is ignored: ${advice}`;
}

/** The Levenshtein distance: how many letters must be added, removed or replaced. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...b].entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
