/** Tests webhook messages, the validation of endpoints, and signatures, which the official package verifies. */
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  checkWebhook,
  newWebhookSecret,
  type WebhookEvent,
  webhookData,
  webhookHeaders,
} from '../../../src/domain/operations/webhooks.ts';

const VERIFICATION = {
  id: 'v1',
  key: 'session-1',
  tenant: 'acme',
  mode: 'test',
  state: 'completed',
  decision: 'match',
  similarity: 92.4,
  next: 'accept',
  reason: null,
  retake: 'none',
  pausedBy: null,
  retryAfter: null,
  stage: 'download',
  frame: 'stored',
  paidCalls: 1,
  possiblyPaidCalls: 0,
  cost: { currency: 'USD', paid: 0.15, possiblyPaid: 0 },
  secondOpinion: null,
} as const;

describe('the signature', () => {
  it('is valid for the Standard Webhooks package, with each secret and any body', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 2 }), (text, count) => {
        const body = JSON.stringify({ text });
        const secrets = Array.from({ length: count }, newWebhookSecret);
        const headers = webhookHeaders('notify-v1-decided', Date.now(), body, secrets);
        for (const secret of secrets) expect(new Webhook(secret).verify(body, { ...headers })).toEqual({ text });
        expect(() => new Webhook(newWebhookSecret()).verify(body, { ...headers })).toThrow();
        expect(() => new Webhook(secrets[0] ?? '').verify(`${body} `, { ...headers })).toThrow();
      }),
    );
  });

  it('matches the example in the specification', () => {
    const body = '{"test": 2432232314}';
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(webhookHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, body, [secret])).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });
});

describe('a message', () => {
  it('contains only the fields of the record that the receiver needs', () => {
    const record = {
      ...VERIFICATION,
      metadata: { who: 'maria' },
      order: { resources: 'https://…' },
      stored: { path: '/frames/1' },
    };
    expect(webhookData(record)).toStrictEqual(VERIFICATION);
  });

  it('contains the reason and the advice, but no host that the caller chose', () => {
    const reason = {
      code: 'DEPENDENCY_DOWN',
      class: 'transient',
      title: 'A service is down',
      advice: 'Wait.',
      audience: 'caller',
      requestId: 'r',
    } as const;
    const waiting = { ...VERIFICATION, state: 'delayed', decision: null, next: 'wait', pausedBy: 'breaker' } as const;
    const data = webhookData({ ...waiting, reason: { ...reason, dependency: 'source:host.example' } as typeof reason });
    const { requestId: _requestId, ...told } = reason;
    expect(data).toStrictEqual({ ...waiting, reason: told });
    const person = { ...reason, personAdvice: 'Please record again.', similarity: 41, threshold: 70 };
    expect(webhookData({ ...waiting, reason: person }).reason).toMatchObject({
      personAdvice: 'Please record again.',
      similarity: 41,
      threshold: 70,
    });
  });
});

/** A fixed one, because it is part of the names of tests. */
const SECRET = `whsec_${Buffer.alloc(32, 's').toString('base64')}`;

describe('an endpoint', () => {
  const valid = { name: 'shop', url: 'https://shop.example/hooks?a=b', secrets: [SECRET], events: null };

  it.each([
    [{ name: 'Shop' }, 'name is not an endpoint name: use up to 40 lower-case letters, digits and "-"'],
    [{ url: 'ftp://shop.example' }, 'url is not an https URL: write it in full, starting with https://'],
    [{ url: 'https://u@shop.example' }, 'url has a user name or password: remove them, deliveries are signed instead'],
    [{ url: 'https://shop.example#a' }, 'url has a fragment, which is never sent: remove it'],
    [{ url: `https://a.example/${'a'.repeat(2_048)}` }, 'url is longer than 2048 characters: use a shorter one'],
    [{ secrets: ['x'] }, 'secret is not a secret: write whsec_ followed by 24 to 64 bytes in base64'],
    [
      { events: ['opened'] },
      'events contains the unknown event "opened": use one or more of decided, held, completed, failed, cancelled, erased',
    ],
  ])('is told what is wrong: %j', (invalid, message) => {
    expect(() => checkWebhook({ ...valid, ...(invalid as object) })).toThrow(message);
  });

  it('is accepted if it is valid', () => {
    expect(() => checkWebhook(valid)).not.toThrow();
    expect(() => checkWebhook({ ...valid, url: `https://shop.example/${'a'.repeat(2_027)}` })).not.toThrow();
    for (const bytes of [24, 64]) {
      const secrets = [`whsec_${Buffer.alloc(bytes).toString('base64')}`, newWebhookSecret()];
      expect(() => checkWebhook({ ...valid, secrets })).not.toThrow();
    }
    expect(Buffer.from(newWebhookSecret().slice('whsec_'.length), 'base64')).toHaveLength(32);
    expect(() => checkWebhook({ ...valid, events: ['decided', 'erased'] })).not.toThrow();
  });

  it.each<[string, Partial<typeof valid> | { events: WebhookEvent[] }]>([
    ['name', { name: 'Shop' }],
    ['name', { name: '-shop' }],
    ['name', { name: 'a'.repeat(41) }],
    ['name', { name: 'shop|batch' }],
    ['url', { url: 'http://shop.example/' }],
    ['url', { url: 'shop.example' }],
    ['url', { url: 'https://user:pass@shop.example/' }],
    ['url', { url: 'https://shop.example/#top' }],
    ['url', { url: `https://shop.example/${'a'.repeat(2_028)}` }],
    ['url', { url: 'https://user@shop.example/' }],
    ['url', { url: 'https://:pass@shop.example/' }],
    ['secret', { secrets: ['whsec_'] }],
    ['secret', { secrets: [`whsec_${Buffer.alloc(23).toString('base64')}`] }],
    ['secret', { secrets: [`xwhsec_${Buffer.alloc(32).toString('base64')}`] }],
    ['secret', { secrets: [`whsec_${Buffer.alloc(32).toString('base64')}x`] }],
    ['secret', { secrets: [SECRET, ''] }],
    ['secret', { secrets: ['whsec_c2hvcnQ='] }],
    ['secret', { secrets: [Buffer.alloc(32).toString('base64')] }],
    ['secret', { secrets: [`whsec_${Buffer.alloc(65).toString('base64')}`] }],
    ['events', { events: ['decided', 'opened' as WebhookEvent] }],
  ])('is refused for its %s: %j', (field, invalid) => {
    const refusal = expect.objectContaining({ code: 'INVALID_WEBHOOK', field });
    expect(() => checkWebhook({ ...valid, ...invalid })).toThrow(refusal);
  });
});
