/**
 * Runs as a client process: it reads one job per line of stdin and writes one outcome per line of stdout. Jobs may
 * overlap.
 */
import { createInterface } from 'node:readline';

/** @param perform runs a job. If it throws an error, the error becomes the outcome. */
export function serveJobs(perform) {
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const { id, ...job } = JSON.parse(line);
    let outcome;
    try {
      outcome = { ok: encode(await perform(decode(job))) };
    } catch (error) {
      outcome = { error: describeError(error) };
    }
    process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`);
  });
}

function describeError(error) {
  const { name, message, code, requestId, httpCode, statusCode, error: inner } = error ?? {};
  return { name, message, code, requestId, httpCode, statusCode, ...(typeof inner === 'object' ? { inner } : {}) };
}

/** Encodes bytes as `{ base64 }`. */
function encode(value) {
  if (Buffer.isBuffer(value)) return { base64: value.toString('base64') };
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(encode);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, encode(each)]));
}

function decode(value) {
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.base64 === 'string') return Buffer.from(value.base64, 'base64');
  if (Array.isArray(value)) return value.map(decode);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decode(each)]));
}
