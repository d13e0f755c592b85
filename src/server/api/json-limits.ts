/**
 * Refuses JSON that is nested too deeply or has too many values, while it arrives. `JSON.parse` cannot be interrupted: for 15 MiB of
 * brackets it holds up every other request for about a second.
 */
import { Transform } from 'node:stream';
import { ourFailure } from './problems.ts';

/** A verification in a batch has a depth of 5. */
const MAX_DEPTH = 32;
/** 200 for each verification of the largest batch. */
const MAX_VALUES = 200_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Counts brackets and commas outside strings. It accepts malformed JSON, which the parser refuses. */
export class JsonLimits {
  #depth = 0;
  #values = 0;
  #isInString = false;
  #isEscaped = false;

  /** @throws Failure MALFORMED_REQUEST or BODY_TOO_LARGE */
  push(chunk: Buffer): void {
    for (const byte of chunk) {
      if (this.#isInString) this.#readInString(byte);
      else if (byte === QUOTE) this.#isInString = true;
      else if (byte === COMMA) this.#addValue();
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#open();
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#depth -= 1;
    }
  }

  #readInString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  #open(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      throw ourFailure('MALFORMED_REQUEST', `the JSON is nested deeper than ${MAX_DEPTH} levels`);
    this.#addValue();
  }

  #addValue(): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES)
      throw ourFailure('BODY_TOO_LARGE', `the JSON has more than ${MAX_VALUES} values: send several requests`);
  }
}

/** A stream that passes JSON on, and fails at the first byte beyond the limits. */
export function limitJson(): Transform {
  const limits = new JsonLimits();
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        limits.push(chunk);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  // The reader of the body gets the error. A refused request has no reader: without this listener, its error would end the process.
  return stream.on('error', () => undefined);
}
