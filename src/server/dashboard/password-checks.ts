/**
 * Runs password checks, which are slow on purpose, a few at a time and in a fair order: each address in turn, and each name of an
 * address in turn.
 *
 * What must hold:
 * 1. A check waits for at most one check of every other address, however many checks those addresses have sent.
 * 2. At most `RUNNING` checks run at once: the hash uses the threads that files and names need, too.
 */

/** A queue inside a queue: by address, then by name. */
type Waiting = Map<string, Map<string, (() => void)[]>>;

const RUNNING = 2;
/** Further checks are refused. Each waits for about 50 ms for every two checks before it. */
const MAX_WAITING = 200;

export interface Turn {
  readonly address: string;
  readonly name: string;
}

export class PasswordChecks {
  readonly #waiting: Waiting = new Map();
  #running = 0;
  #count = 0;

  /** @returns the result of the check, or null if too many checks wait. */
  async run<Result>(turn: Turn, check: () => Promise<Result>): Promise<{ result: Result } | null> {
    if (this.#running >= RUNNING) {
      if (this.#count >= MAX_WAITING) return null;
      await this.#wait(turn);
    } else {
      this.#running += 1;
    }
    try {
      return { result: await check() };
    } finally {
      this.#next();
    }
  }

  #wait({ address, name }: Turn): Promise<void> {
    const names = this.#waiting.get(address) ?? new Map<string, (() => void)[]>();
    const starts = names.get(name) ?? [];
    this.#waiting.set(address, names);
    names.set(name, starts);
    this.#count += 1;
    return new Promise((resolve) => starts.push(resolve));
  }

  /** Passes the place of a finished check on to the next one. */
  #next(): void {
    const start = takeFirst(
      this.#waiting,
      (names) =>
        takeFirst(
          names,
          (starts) => starts.shift(),
          (starts) => starts.length > 0,
        ),
      (names) => names.size > 0,
    );
    if (start === undefined) {
      this.#running -= 1;
      return;
    }
    this.#count -= 1;
    start();
  }
}

/** Takes from the entry that comes first, and moves this entry to the end. An entry that is used up is removed. */
function takeFirst<Value, Taken>(
  entries: Map<string, Value>,
  take: (value: Value) => Taken | undefined,
  hasMore: (value: Value) => boolean,
): Taken | undefined {
  const [first] = entries;
  if (first === undefined) return undefined;
  const [key, value] = first;
  const taken = take(value);
  entries.delete(key);
  if (hasMore(value)) entries.set(key, value);
  return taken;
}
