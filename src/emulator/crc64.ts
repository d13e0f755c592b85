/**
 * CRC-64 as in `x-cos-hash-crc64ecma`: polynomial of ECMA-182, reflected, all bits inverted before and after. The two halves
 * are 32-bit numbers, because BigInt would be many times slower.
 */

const POLYNOMIAL_HIGH = 0xc96c5795;
const POLYNOMIAL_LOW = 0xd7870f42;

/** Table n (0 to 3) holds, by the value of a byte, the byte's effect on the checksum if n more bytes follow the byte. */
const TABLES = Array.from({ length: 4 }, () => ({ high: new Uint32Array(256), low: new Uint32Array(256) }));
fillTables();

function fillTables(): void {
  const [first] = TABLES;
  if (first === undefined) return;
  for (let byte = 0; byte < 256; byte += 1) {
    let high = 0;
    let low = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        high ^= POLYNOMIAL_HIGH;
        low ^= POLYNOMIAL_LOW;
      }
    }
    first.high[byte] = high;
    first.low[byte] = low;
  }
  for (let step = 1; step < TABLES.length; step += 1) {
    const [previous, table] = [TABLES[step - 1], TABLES[step]];
    if (previous === undefined || table === undefined) return;
    for (let byte = 0; byte < 256; byte += 1) {
      const high = previous.high[byte] ?? 0;
      const low = previous.low[byte] ?? 0;
      const index = low & 0xff;
      table.low[byte] = ((low >>> 8) | (high << 24)) ^ (first.low[index] ?? 0);
      table.high[byte] = (high >>> 8) ^ (first.high[index] ?? 0);
    }
  }
}

export class Crc64 {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(chunk: Uint8Array): void {
    const [t0, t1, t2, t3] = TABLES as [Table, Table, Table, Table];
    let high = this.#high;
    let low = this.#low;
    let at = 0;
    for (const end = chunk.length - 3; at < end; at += 4) {
      const a = (low ^ (chunk[at] as number)) & 0xff;
      const b = ((low >>> 8) ^ (chunk[at + 1] as number)) & 0xff;
      const c = ((low >>> 16) ^ (chunk[at + 2] as number)) & 0xff;
      const d = (low >>> 24) ^ (chunk[at + 3] as number);
      low = high ^ (t3.low[a] as number) ^ (t2.low[b] as number) ^ (t1.low[c] as number) ^ (t0.low[d] as number);
      high = (t3.high[a] as number) ^ (t2.high[b] as number) ^ (t1.high[c] as number) ^ (t0.high[d] as number);
    }
    for (; at < chunk.length; at += 1) {
      const index = (low ^ (chunk[at] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (t0.low[index] as number);
      high = (high >>> 8) ^ (t0.high[index] as number);
    }
    this.#high = high;
    this.#low = low;
  }

  /** The checksum as a decimal number, as COS writes it. */
  digest(): string {
    const high = BigInt(~this.#high >>> 0);
    const low = BigInt(~this.#low >>> 0);
    return ((high << 32n) | low).toString();
  }
}

interface Table {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}
