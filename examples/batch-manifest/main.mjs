/**
 * Enqueues every line of a manifest (CSV or JSON Lines), shows progress, waits, and prints a summary.
 *
 *   node examples/batch-manifest/main.mjs <manifest.csv | manifest.jsonl>
 *
 * It is safe to run the same manifest again: lines that were enqueued before are reported as `same`, and nothing is
 * paid twice.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BestframeClient } from 'bestframe-client';

/** @typedef {{ key: string, liveData: string, image: string }} Line a key of your own and the paths of two files */

const [manifest] = process.argv.slice(2);
if (manifest === undefined) {
  console.error('Give a manifest: a .csv or a .jsonl file.');
  process.exit(2);
}

const text = await readFile(manifest, 'utf8');
const requests = (manifest.endsWith('.csv') ? fromCsv(text) : fromJsonLines(text)).map(toRequest);

const bestframe = new BestframeClient({
  redis: process.env.BESTFRAME_REDIS_URL ?? 'redis://127.0.0.1:6379',
  namespace: process.env.BESTFRAME_NAMESPACE, // the secret of the deployment
  mode: 'test', // `bestframe dev` talks to the emulator. Leave this out in production.
  fileRoots: [process.cwd()], // the client checks files below these folders: a request that names a missing file is refused
});
try {
  // `enqueueMany` does not throw if a line is invalid: it returns one result per line, in the order of the lines. A chunk takes
  // two round trips to Redis.
  const results = await bestframe.enqueueMany(requests, {
    chunk: 2, // small, so that a short manifest shows progress too; the default is 500
    onProgress: (done) => console.log(`${done} of ${requests.length} lines handled`),
  });

  /** @type {Record<string, number>} The number of verifications for each value of `next`. */
  const summary = {};
  for (const result of results) {
    if (result.status === 'refused') {
      console.log(`${result.key}: refused, ${result.error.code}: ${result.error.message}`);
      continue;
    }
    const view = await bestframe.wait(result.id, { timeoutMs: 60_000 });
    const next = view?.next ?? 'erased';
    console.log(`${result.key}: ${result.status}, ${next}`);
    summary[next] = (summary[next] ?? 0) + 1;
  }
  const refused = results.filter(({ status }) => status === 'refused').length;
  const counts = Object.entries({ ...summary, refused }).map(([name, count]) => `${count} ${name}`);
  console.log(`summary: ${counts.join(', ')}`);
} finally {
  await bestframe.close();
}

/** @param {string} text @returns {Line[]} */
function fromJsonLines(text) {
  return nonEmptyLines(text).map((line) => JSON.parse(line));
}

/** Reads a header and plain values. For values with commas or quotes, use JSON Lines. @param {string} text @returns {Line[]} */
function fromCsv(text) {
  const [, ...rows] = nonEmptyLines(text);
  return rows.map((row) => {
    const [key = '', liveData = '', image = ''] = row.split(',');
    return { key, liveData, image };
  });
}

/** @param {Line} line @returns {import('bestframe-client').VerificationRequest} */
function toRequest({ key, liveData, image }) {
  return {
    key,
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: {
      liveData: { from: 'file', path: resolve(liveData) },
      image: { from: 'file', path: resolve(image) },
    },
  };
}

/** @param {string} text */
function nonEmptyLines(text) {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}
