/** A client process: one job a line of stdin, one outcome a line of stdout; ends with its stdin. Jobs may overlap. */
import { createInterface } from 'node:readline';

/** @param perform does a job; what it throws is an outcome too. */
export function serveJobs(perform) {
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const { id, ...job } = JSON.parse(line);
    let outcome;
    try {
      outcome = { ok: encoded(await perform(decoded(job))) };
    } catch (error) {
      outcome = { error: described(error) };
    }
    process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`);
  });
}

function described(error) {
  const { name, message, code, requestId, httpCode, statusCode, error: inner } = error ?? {};
  return { name, message, code, requestId, httpCode, statusCode, ...(typeof inner === 'object' ? { inner } : {}) };
}

/** Bytes travel as `{ base64 }`. */
function encoded(value) {
  if (Buffer.isBuffer(value)) return { base64: value.toString('base64') };
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(encoded);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, encoded(each)]));
}

function decoded(value) {
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.base64 === 'string') return Buffer.from(value.base64, 'base64');
  if (Array.isArray(value)) return value.map(decoded);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decoded(each)]));
}
