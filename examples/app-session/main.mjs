/**
 * The backend of an app with Tencent's SDK: start a session, give its token to the app, and learn the decision.
 *
 *   API=http://127.0.0.1:8080 KEY=… node examples/app-session/main.mjs
 *
 * The app's two requests are functions here. With `npm run dev`, EMULATOR plays the phone.
 */
import { BestframeHttpClient } from 'bestframe-client/http';

const { API, KEY, EMULATOR } = process.env;
if (API === undefined || KEY === undefined) {
  console.error('Set API and KEY.');
  process.exit(2);
}

const bestframe = new BestframeHttpClient({ url: API, key: KEY });

/** The app asks for a token. The same key returns the same token, so the app may ask again after a lost answer. */
async function onStart(/** @type {string} */ order) {
  const { id, token } = await bestframe.startSession({
    key: `session-${order}`,
    region: 'ap-singapore',
    action: 'ApplySdkVerificationToken',
    // 1: read an identity document, then compare the person with its photo.
    parameters: { CheckMode: 1, RetryLimit: 3 },
    media: ['bestFrame', 'ocr'],
  });
  if (token === null) throw new Error('there is no token yet: let the app ask again');
  return { id, token };
}

/** The app reports that Tencent's SDK has returned. What it says about the result is not to be trusted: ask Bestframe. */
async function onFinished(/** @type {string} */ id) {
  await bestframe.finishSession(id);
  const view = await bestframe.wait(id, { until: 'ended', timeoutMs: 30_000 });
  return { next: view?.next ?? 'wait', advice: view?.reason?.advice ?? null };
}

/** Stands in for the phone: the app gives the token to Tencent's SDK, and the person looks into the camera. */
async function usePhone(/** @type {string} */ token, card = process.argv[2] ?? 'match') {
  if (EMULATOR === undefined) throw new Error('Set EMULATOR, or give the token to an app with Tencent’s SDK.');
  const body = JSON.stringify({ token, step: 'finish', card });
  const { ok } = await fetch(`${EMULATOR}/sessions/play`, { method: 'POST', body });
  if (!ok) throw new Error('the phone could not use the token');
}

try {
  const { id, token } = await onStart(String(Date.now()));
  console.log(`started ${id}`);
  await usePhone(token);
  const { next, advice } = await onFinished(id);
  console.log(`next: ${next}${advice === null ? '' : ` (${advice})`}`);
} finally {
  await bestframe.close();
}
