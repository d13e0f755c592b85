/** Restate: a handler of four steps. Each call is sent to the server, which answers when it has recorded it, and then runs the handler. */
import { Countdown, load, repeat, serve } from './load.mjs';

const restate = await load('@restatedev/restate-sdk');
const { INGRESS: ingress, ADMIN: admin, PORT: port } = process.env;
const ended = new Countdown();
const verification = restate.service({
  name: 'verification',
  handlers: {
    verify: async (context, key) => {
      for (const name of ['upload', 'md5', 'detect', 'download'])
        await context.run(name, async () => ({ name, done: true }));
      ended.count();
      return key;
    },
  },
});
await restate.serve({ services: [verification], port: Number(port) });
await post(`${admin}/deployments`, { uri: `http://127.0.0.1:${port}` });

async function post(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`Restate answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

let sent = 0;
serve(async (count) => {
  const all = ended.from(count);
  await repeat(count, async () => {
    sent += 1;
    await post(`${ingress}/verification/verify/send`, `verification-${sent}`);
  });
  await all;
});
