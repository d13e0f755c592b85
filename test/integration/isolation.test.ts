/**
 * Random programs of two tenants in one deployment. Each tenant submits with every kind of source and target, and tries everything
 * that it may know of the other one: objects, files, ids, keys, endpoints. An oracle looks at every answer, event and message that
 * a tenant gets.
 *
 * What must hold for each tenant:
 * 1. No answer, event, export or signed message contains a word or an id of another tenant.
 * 2. Naming something of the other tenant has the same result as naming something that does not exist.
 * 3. What a tenant lists, counts and exports is exactly what it submitted and did not erase, with the frames that it was given.
 *
 * BESTFRAME_TEST_SEED sets another seed. A failure prints its own.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import type { FrameTarget, VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Source } from '../../src/domain/verification/sources.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { inForm, SEED } from '../support/forms.ts';
import { formOf, type Http, openHttp } from '../support/http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createRig, type Rig } from '../support/rig.ts';

/** Each round has a deployment of its own, so that a long run does not search ever more records, calls and messages. */
const ROUNDS = inForm({ short: 1, long: 20 });
const PROGRAMS = inForm({ short: 40, long: 100 });
/** Programs that run at the same time, in the same deployment. */
const AT_ONCE = 6;
/** Long enough for a busy machine, on which breakers may open for a while. */
const WAIT_MS = 180_000;
const REGION = 'ap-singapore' as const;
const SUBJECT = 'the-same-person';
const BY = { by: 'officer', why: 'test' };

let rig: Rig;
let http: Http;
let receiver: Receiver;

beforeEach(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '1000',
    BESTFRAME_SLOTS: '12',
    BESTFRAME_WEBHOOK_ALLOW: 'localhost,127.0.0.0/8',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  receiver = await startReceiver(rig.dir);
  await rig.openWorker();
  await rig.openErase();
  await rig.openNotify({ NO_PROXY: 'localhost', BESTFRAME_CA_FILE: receiver.caFile });
  http = await openHttp(rig);
});
afterEach(async () => {
  await http.close();
  await rig.dispose();
  await receiver.close();
});

// ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const SOURCES = ['cos', 'file', 'sent'] as const;
const FRAMES = ['default', 'named', 'cos', 'none'] as const;
const ATTACKS = [
  'source-object',
  'source-staged',
  'source-frame',
  'source-file',
  'source-sent',
  'source-host',
  'frame-object',
  'frame-free',
  'webhook',
  'webhook-acts',
  'id',
  'http-id',
  'key',
] as const;

const who = fc.constantFrom('a' as const, 'b' as const);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('submit' as const),
      who,
      source: fc.constantFrom(...SOURCES),
      frame: fc.constantFrom(...FRAMES),
      tells: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ act: fc.constant('attack' as const), who, how: fc.constantFrom(...ATTACKS) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('erase' as const), who }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('look' as const), who }) },
);
/** Both tenants have submitted something before the first step, so that there is something to reach. */
const program = fc.array(step, { minLength: 2, maxLength: 6 });
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

// ── one tenant ───────────────────────────────────────────────────────────────────────────────────────────────────────

interface Submitted {
  readonly id: string;
  readonly key: string;
  readonly frame: (typeof FRAMES)[number];
}

class Tenant {
  readonly name: string;
  readonly client: BestframeClient;
  readonly folder: string;
  readonly violations: string[] = [];
  readonly submitted: Submitted[] = [];
  readonly erased = new Set<string>();
  readonly ids = new Set<string>();
  #secret = '';
  #count = 0;

  constructor(name: string) {
    this.name = name;
    this.client = rig.client.forTenant(name);
    this.folder = join(rig.dir, 'inputs', name);
  }

  #next(): number {
    this.#count += 1;
    return this.#count;
  }

  get endpoint(): string {
    return 'hook';
  }

  /** A word that appears in everything of this tenant, and in nothing of others. */
  word(text: string): string {
    return `cn_${this.name}_${text}`;
  }

  objectKey(text: string): string {
    return `bestframe/t/${this.name}/${this.word(text)}`;
  }

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    this.#secret = await http.keyFor({ tenant: this.name });
    await rig.client.tenants.set({ tenant: this.name, policy: { fileRoots: [this.folder] } }, { by: 'operator' });
    await this.client.webhooks.add({ name: this.endpoint, url: receiver.url(`/${this.name}`) });
  }

  /** Checks an answer: it has no word and no id of another tenant, except those that the tenant itself named. */
  hear(what: string, answer: unknown, named: readonly string[] = []): void {
    let text = typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? '');
    for (const each of named) text = text.replaceAll(each, '');
    for (const [, owner] of text.matchAll(/cn_(p\d+-[ab])_/g))
      if (owner !== this.name) this.violations.push(`${this.name} heard a word of ${owner} in ${what}`);
    for (const [id] of text.matchAll(/\bv[0-9a-z]{25}\b/g))
      if (!this.ids.has(id)) this.violations.push(`${this.name} heard the id ${id} in ${what}`);
  }

  demand(holds: boolean, what: string): void {
    if (!holds) this.violations.push(`${this.name}: ${what}`);
  }

  async call(method: string, path: string, options: Parameters<Http['call']>[2] = {}) {
    const answer = await repeated(() => http.call(method, path, { secret: this.#secret, ...options }));
    const { requestId: _, ...json } = answer.json;
    const text = Object.keys(json).length > 0 ? '' : answer.bytes.toString('latin1'); // a JSON answer has an id of the request
    return { status: answer.status, json, text };
  }

  async submit({ source, frame, tells }: Extract<Step, { act: 'submit' }>): Promise<void> {
    const key = this.word(`key-${this.#next()}`);
    const [live, photo] = [sampleLiveData({ nonce: key, card: 'match' }), sampleImage(key)];
    const targets: Record<(typeof FRAMES)[number], FrameTarget> = {
      default: { to: 'file' },
      named: { to: 'file', name: `portrait-${this.#count}.jpg` }, // the same names for both tenants
      cos: { to: 'cos', bucket: rig.bucket, region: REGION, key: this.objectKey(`frame-${this.#count}.jpg`) },
      none: { to: 'none' },
    };
    const request = {
      key,
      region: REGION,
      upload: 'own-bucket' as const,
      lane: 'interactive' as const,
      subject: SUBJECT,
      metadata: { note: this.word('note') },
      frame: targets[frame],
      ...(tells ? { webhook: this.endpoint } : {}),
    };
    const id = this.client.idOf(key);
    this.ids.add(id);
    if (source === 'sent') {
      const answer = await this.call('POST', '/v1/verifications', {
        body: formOf(request, { liveData: live, image: photo }),
      });
      this.hear('a submission', answer.json);
      this.demand(answer.status < 300, `a submission over HTTP got ${JSON.stringify(answer.json)}`);
    } else {
      const place = source === 'cos' ? this.#object(key) : this.#file(key);
      const resources = { liveData: await place('live', live), image: await place('photo', photo) };
      this.hear('a submission', await this.client.enqueue({ ...request, resources }));
    }
    this.submitted.push({ id, key, frame });
  }

  #object(key: string) {
    return async (name: string, bytes: Buffer): Promise<Source> => {
      const object = this.objectKey(`${key}-${name}`);
      await repeated(() => rig.control.putObject(rig.bucket, object, bytes));
      return { from: 'cos', bucket: rig.bucket, region: REGION, key: object };
    };
  }

  #file(key: string) {
    return async (name: string, bytes: Buffer): Promise<Source> => {
      const path = join(this.folder, `${key}-${name}`);
      await writeFile(path, bytes);
      return { from: 'file', path };
    };
  }

  async eraseOne(): Promise<void> {
    const target = this.submitted.find(({ id }) => !this.erased.has(id));
    if (target === undefined) return;
    this.erased.add(target.id);
    this.hear('an erasure', await this.client.erase(target.id, BY));
  }

  /** Tries what a tenant may know of another one, and the same with something that does not exist. */
  async attack(victim: Tenant, how: (typeof ATTACKS)[number]): Promise<void> {
    const target = victim.submitted[0];
    if (target === undefined) return;
    const nothing = `v${'0'.repeat(24)}${this.#next() % 10}`;
    const named = [target.id, target.key, nothing, victim.name, victim.folder];
    const same = async (what: string, real: Promise<unknown>, missing: Promise<unknown>, words = named) => {
      const [one, other] = await Promise.all([outcomeOf(real), outcomeOf(missing)]);
      this.hear(what, one, words);
      const [mine, theirs] = [one, other].map((answer) =>
        words.reduce((text, word) => text.replaceAll(word, '·'), JSON.stringify(answer)),
      );
      this.demand(mine === theirs, `${what} can be told apart: ${mine?.slice(0, 300)} and ${theirs?.slice(0, 300)}`);
    };
    const source = (image: Source) =>
      outcomeOf(this.client.enqueue({ ...this.#bait(), resources: { ...this.#baitSources(), image } }));
    const frame = (key: string) =>
      outcomeOf(
        this.client.enqueue({ ...this.#bait(), frame: { to: 'cos', bucket: rig.bucket, region: REGION, key } }),
      );
    const object = (key: string): Source => ({ from: 'cos', bucket: rig.bucket, region: REGION, key });
    switch (how) {
      case 'source-object':
        return same(how, source(object(victim.objectKey(`${target.key}-photo`))), source(object('nowhere/x.jpg')));
      case 'source-staged':
        return same(
          how,
          source(object(`bestframe/t/${victim.name}/${target.id}/0/image`)),
          source(object(`bestframe/t/${victim.name}/${nothing}/0/image`)),
        );
      case 'source-frame':
        return same(how, source(object(victim.objectKey('frame-1.jpg'))), source(object('nowhere/frame.jpg')));
      case 'source-file':
        return same(
          how,
          source({ from: 'file', path: join(victim.folder, `${target.key}-photo`) }),
          source({ from: 'file', path: '/nowhere/photo' }),
        );
      case 'source-sent':
        return same(
          how,
          source({ from: 'file', path: join(rig.dir, 'inputs', 'staging', `${target.id}.image.${'x'.repeat(22)}`) }),
          source({ from: 'file', path: `/nowhere/${nothing}.image.${'x'.repeat(22)}` }),
        );
      case 'source-host':
        return same(
          how,
          source({ from: 'https', url: 'https://127.0.0.1/a.jpg' }),
          source({ from: 'https', url: 'https://nowhere.example/a.jpg' }),
        );
      case 'frame-object':
        return same(how, frame(victim.objectKey('frame-1.jpg')), frame('nowhere/frame-1.jpg'));
      case 'frame-free':
        return same(how, frame(victim.objectKey('frame-free.jpg')), frame('nowhere/frame-free.jpg'));
      case 'webhook': {
        // Both tenants have an endpoint of the same name. A message for the other one would reach its receiver.
        const bait = await this.#complete();
        this.ids.add(this.client.idOf(bait.key));
        this.submitted.push({ id: this.client.idOf(bait.key), key: bait.key, frame: 'none' });
        this.hear(how, await this.client.enqueue({ ...bait, frame: { to: 'none' }, webhook: this.endpoint }), named);
        return;
      }
      case 'webhook-acts': {
        // The name is the victim's alone: if both had an endpoint of this name, an act on one's own would be no attack.
        const name = `only-${victim.name}`;
        await rig.client.forTenant(victim.name).webhooks.add({ name, url: receiver.url(`/${victim.name}`) });
        for (const act of ['rotate', 'settle', 'enable', 'remove'] as const)
          await same(how, this.client.webhooks[act](name), this.client.webhooks[act]('missing'), [name, 'missing']);
        await same(
          how,
          this.client.enqueue({ ...this.#bait(), webhook: name }),
          this.client.enqueue({ ...this.#bait(), webhook: 'missing' }),
          [name, 'missing'],
        );
        this.demand((await victim.client.webhooks.list()).length === 2, 'the endpoint of another tenant was changed');
        return;
      }
      case 'id':
        await same('get', this.client.get(target.id), this.client.get(nothing));
        await same('support', this.client.support(target.id), this.client.support(nothing));
        await same('cancel', this.client.cancel(target.id), this.client.cancel(nothing));
        await same('erase', this.client.erase(target.id, BY), this.client.erase(nothing, BY));
        await same('receipt', this.client.receipt(target.id), this.client.receipt(nothing));
        await same('acknowledge', this.client.acknowledge(target.id), this.client.acknowledge(nothing));
        await same('legal hold', this.client.legalHold(target.id, BY), this.client.legalHold(nothing, BY));
        return;
      case 'http-id':
        for (const [method, path] of HTTP_ROUTES)
          await same(
            `${method} ${path}`,
            this.call(method, path.replace('ID', target.id)),
            this.call(method, path.replace('ID', nothing)),
          );
        return;
      case 'key':
        return same(how, this.client.getByKey(target.key), this.client.getByKey(victim.word('missing')));
    }
  }

  #bait() {
    return {
      key: this.word(`bait-${this.#next()}`),
      region: REGION,
      upload: 'own-bucket',
      resources: this.#baitSources(),
    } as const;
  }

  /** Sources that this tenant may use. They need not exist: the policy is asked first. */
  #baitSources() {
    const own = (name: string): Source => ({
      from: 'cos',
      bucket: rig.bucket,
      region: REGION,
      key: this.objectKey(`bait-${name}`),
    });
    return { liveData: own('live'), image: own('photo') };
  }

  async #complete(): Promise<VerificationRequest> {
    const bait = this.#bait();
    const place = this.#object(bait.key);
    const liveData = await place('live', sampleLiveData({ nonce: bait.key, card: 'match' }));
    return { ...bait, subject: SUBJECT, resources: { liveData, image: await place('photo', sampleImage(bait.key)) } };
  }

  /** Everything that lists, counts, streams or exports. */
  async look(): Promise<void> {
    const { client } = this;
    for (const [what, answer] of [
      ['list', client.list({ limit: 1_000 })],
      ['page', client.page()],
      ['subject', client.bySubject(SUBJECT)],
      ['held', client.held()],
      ['costs', client.costs({ by: 'tenant' })],
      ['webhooks', client.webhooks.list()],
      ['dead letters', client.webhooks.deadLetters()],
      ['GET list', this.call('GET', '/v1/verifications').then(({ json }) => json)],
      ['GET costs', this.call('GET', '/v1/costs?by=tenant').then(({ json }) => json)],
      ['GET endpoints', this.call('GET', '/v1/webhook-endpoints').then(({ json }) => json)],
      ['GET dead', this.call('GET', '/v1/dead-notifications').then(({ json }) => json)],
      ['GET gate', this.call('GET', '/v1/gate').then(({ json }) => json)],
      ['GET metrics', this.call('GET', '/metrics').then(({ json, text }) => [json, text])],
    ] as const)
      this.hear(what, await answer);
  }

  /** Compares what the tenant has at the end with what it submitted. */
  async close(): Promise<void> {
    const kept = this.submitted.filter(({ id }) => !this.erased.has(id));
    for (const { id, frame } of kept) {
      const view = await this.client.wait(id, { until: 'ended', timeoutMs: WAIT_MS });
      this.hear('a wait', view);
      this.demand(view?.decision === 'match', `${id} ended with ${view?.decision} ${view?.reason?.code}`);
      this.demand(
        view?.frame === (frame === 'none' ? 'none' : 'stored'),
        `the frame of ${id} is ${view?.frame} ${view?.reason?.code}`,
      );
      if (view?.bestFrame != null && !view.bestFrame.path.startsWith('cos:')) {
        const md5 = createHash('md5')
          .update(await readFile(view.bestFrame.path))
          .digest('hex');
        this.demand(md5 === view.bestFrame.md5, `the frame of ${id} was replaced`);
      }
      const events = await this.call('GET', `/v1/verifications/${id}/events`);
      this.hear('events', events.text);
    }
    await this.look();
    const expected = kept
      .map(({ id }) => id)
      .sort()
      .join();
    const idsOf = (views: readonly { id: string }[]) =>
      views
        .map(({ id }) => id)
        .sort()
        .join();
    this.demand(idsOf(await this.client.list({ limit: 1_000 })) === expected, 'the list is not what was submitted');
    this.demand(idsOf((await this.client.page()).verifications) === expected, 'the page is not what was submitted');
    this.demand(idsOf(await this.client.bySubject(SUBJECT)) === expected, 'the export is not what was submitted');
    for (const { body, data } of receiver.at(`/${this.name}`)) {
      this.hear('a message', body);
      this.demand(data.tenant === this.name, `a message of ${data.tenant} arrived`);
    }
  }
}

const HTTP_ROUTES = [
  ['GET', '/v1/verifications/ID'],
  ['GET', '/v1/verifications/ID/events'],
  ['GET', '/v1/verifications/ID/best-frame'],
  ['GET', '/v1/verifications/ID/media/liveVideo'],
  ['POST', '/v1/verifications/ID/acknowledge'],
  ['POST', '/v1/verifications/ID/cancel'],
  ['DELETE', '/v1/verifications/ID'],
  ['GET', '/v1/verifications/ID/receipt'],
] as const;

/** On a busy machine, a server may close a kept connection at the moment at which it is used again. */
async function repeated<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return send();
  }
}

/** A call's value, or the parts of its failure that a caller sees. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => ({ value }),
    ({ code, field, message }: { code?: string; field?: string; message?: string }) => ({ code, field, message }),
  );
}

/** @returns what the oracle found. @param weaken takes a protection away from the first tenant. */
async function run(
  index: number,
  steps: readonly Step[],
  weaken?: (name: string) => Promise<unknown>,
): Promise<string[]> {
  const a = new Tenant(`p${index}-a`);
  const b = new Tenant(`p${index}-b`);
  await Promise.all([a.open(), b.open()]);
  await weaken?.(a.name);
  const first = { act: 'submit', source: 'cos', frame: 'cos', tells: true } as const;
  await Promise.all([a.submit({ ...first, who: 'a' }), b.submit({ ...first, who: 'b' })]);
  for (const each of steps) {
    const [actor, other] = each.who === 'a' ? [a, b] : [b, a];
    if (each.act === 'submit') await actor.submit(each);
    else if (each.act === 'attack') await actor.attack(other, each.how);
    else if (each.act === 'erase') await actor.eraseOne();
    else await actor.look();
  }
  await Promise.all([a.close(), b.close()]);
  return [...a.violations, ...b.violations];
}

it.each(Array.from({ length: ROUNDS }, (_, round) => SEED + round))(
  `no byte, id, name, count or message of one tenant reaches the other, in ${PROGRAMS} programs of seed %i`,
  async (seed) => {
    const programs = fc.sample(program, { numRuns: PROGRAMS, seed });
    const found: string[] = [];
    let next = 0;
    const lane = async () => {
      for (let index = next++; index < programs.length; index = next++) {
        const steps = programs[index] ?? [];
        const violations = await run(index, steps);
        if (violations.length > 0)
          found.push(`program ${index} of seed ${seed}: ${JSON.stringify(steps)}\n  ${violations.join('\n  ')}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    expect(found).toEqual([]);
  },
  60_000 + PROGRAMS * 10_000,
);

it.each<[string, Step, (name: string) => Promise<unknown>]>([
  [
    'a policy that allows foreign objects',
    { act: 'attack', who: 'a', how: 'source-object' },
    (tenant) => rig.client.tenants.set({ tenant, policy: { read: [{ prefix: 'bestframe/t/' }] } }, { by: 'operator' }),
  ],
  [
    'a policy that allows foreign frames',
    { act: 'attack', who: 'a', how: 'frame-free' },
    (tenant) => rig.client.tenants.set({ tenant, policy: { write: [{ prefix: 'bestframe/t/' }] } }, { by: 'operator' }),
  ],
  [
    'messages of one tenant at the receiver of the other',
    { act: 'look', who: 'a' },
    (tenant) =>
      rig.client.forTenant(tenant.replace('-a', '-b')).webhooks.add({ name: 'hook', url: receiver.url(`/${tenant}`) }),
  ],
])('the oracle reports %s', async (_case, attack, weaken) => {
  const index = 900_000 + Math.floor(Math.random() * 100_000);
  expect(await run(index, [attack], weaken)).not.toEqual([]);
});
