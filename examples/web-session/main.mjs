/**
 * The backend of a web shop: send the person to Tencent's page, and learn the decision when the person returns.
 *
 *   API=http://127.0.0.1:8080 KEY=… node examples/web-session/main.mjs
 *
 * With `npm run dev`, set EMULATOR: its page plays Tencent's.
 */
import http from 'node:http';
import { BestframeHttpClient } from 'bestframe-client/http';

const { API, KEY, EMULATOR, PORT = '8090' } = process.env;
if (API === undefined || KEY === undefined) {
  console.error('Set API and KEY.');
  process.exit(2);
}

const shop = `http://127.0.0.1:${PORT}`;
const bestframe = new BestframeHttpClient({ url: API, key: KEY });

/** `/check?order=7`: starts a session, and sends the browser to Tencent's page. */
async function check(/** @type {string} */ order) {
  const { token, url } = await bestframe.startSession({
    key: `order-${order}`,
    region: 'ap-singapore',
    action: 'ApplyWebVerificationBizTokenIntl',
    // Bestframe replaces {id}. Tencent adds `token`; this backend does not need it.
    parameters: { RedirectURL: `${shop}/back?id={id}`, Config: { CheckMode: 1 } },
  });
  if (token === null || url === null) return null;
  return EMULATOR === undefined ? url : `${EMULATOR}/phone?token=${token}`;
}

/** `/back?id=…`: the person has returned. Anybody can open this address, so it decides nothing by itself. */
async function decide(/** @type {string} */ id) {
  await bestframe.finishSession(id);
  const view = await bestframe.wait(id, { until: 'decided', timeoutMs: 30_000 });
  return view?.next ?? 'wait';
}

const server = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', shop);
  try {
    if (pathname === '/check') {
      const page = await check(searchParams.get('order') ?? '0');
      if (page === null) response.writeHead(503, { 'retry-after': '1' }).end('Try again.\n');
      else response.writeHead(303, { location: page }).end();
    } else if (pathname === '/back') {
      response.end(`next: ${await decide(searchParams.get('id') ?? '')}\n`);
    } else {
      response.writeHead(404).end('Open /check?order=1\n');
    }
  } catch (error) {
    console.error(error);
    response.writeHead(500).end('Something failed.\n');
  }
});
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${shop}`));
