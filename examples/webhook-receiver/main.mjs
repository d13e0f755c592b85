/**
 * Receives webhooks: verify the signature (Standard Webhooks), drop repeated deliveries by `webhook-id`, answer 204,
 * then act.
 *
 *   WEBHOOK_SECRET=whsec_… node examples/webhook-receiver/main.mjs
 *
 * Bestframe delivers over https only. Set TLS_CERT and TLS_KEY to PEM files. If a proxy in front of this receiver terminates TLS,
 * leave both out.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const { WEBHOOK_SECRET = '', TLS_CERT, TLS_KEY, PORT = '8443' } = process.env;
const TOLERANCE_S = 5 * 60;
const MAX_BODY_BYTES = 100_000;

const signingKey = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
if (signingKey.length === 0) {
  console.error('Set WEBHOOK_SECRET: `bestframe webhooks add` prints it once.');
  process.exit(2);
}

/** The ids of all deliveries so far. In production, store them in a table with a unique index: they must outlive the process. */
const seenIds = new Set();

/** @type {http.RequestListener} */
async function receive(request, response) {
  const body = await readBody(request);
  const id = String(request.headers['webhook-id'] ?? '');
  if (body === null || !isAuthentic(id, request.headers, body)) {
    response.writeHead(401).end();
    return;
  }
  // A notification may be delivered more than once, each time with the same id.
  const isRepeat = seenIds.has(id);
  seenIds.add(id);
  response.writeHead(204).end();
  if (!isRepeat) act(JSON.parse(body.toString()));
}

/** @param {import('bestframe-client').WebhookMessage} message */
function act({ type, data }) {
  if ('next' in data) console.log(`${type}: ${data.key} → ${data.next}`);
  else console.log(`${type}: ${data.id}`);
}

/**
 * The signature covers the raw bytes, so this runs before the body is parsed. While a secret is rotated, the header
 * contains one signature per secret; one match is enough.
 *
 * @param {string} id
 * @param {http.IncomingHttpHeaders} headers
 * @param {Buffer} body
 */
function isAuthentic(id, headers, body) {
  const timestamp = String(headers['webhook-timestamp'] ?? '');
  const ageS = Date.now() / 1_000 - Number(timestamp);
  if (!(Math.abs(ageS) < TOLERANCE_S)) return false; // a replayed request, or a timestamp that is not a number
  const expected = createHmac('sha256', signingKey).update(`${id}.${timestamp}.`).update(body).digest();
  return String(headers['webhook-signature'] ?? '')
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice('v1,'.length), 'base64'))
    .some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected));
}

/**
 * @param {http.IncomingMessage} request
 * @returns {Promise<Buffer | null>} null if the body is too long or breaks off
 */
async function readBody(request) {
  const pieces = [];
  let bytes = 0;
  try {
    for await (const piece of request) {
      bytes += piece.length;
      if (bytes > MAX_BODY_BYTES) return null;
      pieces.push(piece);
    }
  } catch {
    return null;
  }
  return Buffer.concat(pieces);
}

const hasTls = TLS_CERT !== undefined && TLS_KEY !== undefined;
const server = hasTls
  ? https.createServer({ cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) }, receive)
  : http.createServer(receive);
server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on ${hasTls ? 'https' : 'http'}://localhost:${PORT}`);
});
