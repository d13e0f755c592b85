/**
 * The history as Redis stores it: a list of the newest entries, oldest first.
 *
 * What must hold:
 * 1. With a key ring, an entry is stored as `<position>:<sealed entry>`, and its seal is bound to the verification and to this
 *    position. The first entry has position 1, each further one the next. So an entry that was moved, repeated, replaced or
 *    removed from between others is noticed when the history is read.
 * 2. A writer seals before it knows the position. It guesses; if the guess is wrong, the script changes nothing and answers the
 *    right position (`runWithEntry`).
 * 3. Without a key ring, an entry is stored as JSON and proves nothing.
 */
import type { HistoryEntry } from '../domain/verification/history.ts';
import type { Sealer } from './sealer.ts';

/** How many entries are kept; equals MAX_ENTRIES in includes/history.lua. */
export const MAX_ENTRIES = 40;
const POSITION = /^(\d{1,15}):/;

/** An entry as a script expects it. With a key ring, it is sealed for `position`. */
export function entryText(sealer: Sealer, id: string, position: number, entry: HistoryEntry): string {
  const text = JSON.stringify(entry.ms === undefined ? entry : { ...entry, ms: Math.round(entry.ms) });
  return sealer.seals ? `${position}:${sealer.seal(id, fieldAt(position), text)}` : text;
}

/**
 * Opens a history. Where entries were moved, repeated, replaced or removed, it has an entry with the event `altered` in their
 * place. The removal of the newest entries is not noticed, because no later entry shows it.
 * @param isSealed whether the record is sealed: then an entry in clear is not from this deployment.
 * @param createdAt time of an `altered` entry that follows no other entry, ms since 1970.
 * @throws Failure SEAL_KEY_MISSING if an entry is sealed with a key that is not in the ring.
 */
export function openHistory(
  sealer: Sealer,
  id: string,
  texts: readonly string[],
  { isSealed, createdAt }: { isSealed: boolean; createdAt: number },
): HistoryEntry[] {
  const history: HistoryEntry[] = [];
  const markAltered = () => {
    const last = history.at(-1);
    if (last?.event !== 'altered') history.push({ at: last?.at ?? createdAt, event: 'altered' });
  };
  let clearAllowed = !isSealed;
  // Older entries are dropped only from a full list. Then the first entry may have any position.
  let next = texts.length < MAX_ENTRIES ? 1 : null;
  for (const text of texts) {
    const position = positionIn(text);
    const entry = position === null ? (clearAllowed ? parsed(text) : null) : openAt(sealer, id, position, text);
    if (position !== null) clearAllowed = false;
    const isRepeated = position !== null && next !== null && position < next;
    const isAfterGap = position !== null && next !== null && position > next;
    if (entry === null || isRepeated) {
      markAltered();
      continue;
    }
    if (isAfterGap) markAltered();
    history.push(entry);
    next = position === null ? next && next + 1 : position + 1;
  }
  return history;
}

/** Guesses the next position of histories that this process wrote to. It forgets the oldest guesses; a forgotten one is 1. */
export class NextPositions {
  static readonly #MOST = 1_000;
  readonly #next = new Map<string, number>();

  get(id: string): number {
    return this.#next.get(id) ?? 1;
  }

  set(id: string, position: number): void {
    this.#next.delete(id);
    this.#next.set(id, position);
    const [oldest] = this.#next.keys();
    if (this.#next.size > NextPositions.#MOST && oldest !== undefined) this.#next.delete(oldest);
  }
}

function positionIn(text: string): number | null {
  const [, digits] = POSITION.exec(text) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** @returns null if the text was not sealed for this verification and this position. */
function openAt(sealer: Sealer, id: string, position: number, text: string): HistoryEntry | null {
  const opened = sealer.openSealed(id, fieldAt(position), text.slice(text.indexOf(':') + 1));
  return opened === null ? null : (JSON.parse(opened) as HistoryEntry);
}

/** @returns null if the text is not JSON. */
function parsed(text: string): HistoryEntry | null {
  try {
    return JSON.parse(text) as HistoryEntry;
  } catch {
    return null;
  }
}

function fieldAt(position: number): string {
  return `history/${position}`;
}
