/** What an endpoint is told, the signature by others' code, and what an operator may write. */
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  checkWebhook,
  newWebhookSecret,
  type WebhookEvent,
  webhookData,
  webhookHeaders,
} from '../../../src/domain/webhooks.ts';

const KNOWN = {
  id: 'v1',
  key: 'session-1',
  mode: 'test',
  state: 'completed',
  decision: 'match',
  similarity: 92.4,
  reason: null,
  frame: 'stored',
} as const;

describe('the signature', () => {
  it('is what the package of Standard Webhooks verifies, by each secret, whatever the body', () => {
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

  it('is the one of the specification’s example', () => {
    const body = '{"test": 2432232314}';
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(webhookHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, body, [secret])).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });
});

describe('what is told', () => {
  it('is what it takes to act, and nothing else of the record', () => {
    const record = {
      ...KNOWN,
      metadata: { who: 'maria' },
      order: { resources: 'https://…' },
      stored: { path: '/frames/1' },
    };
    expect(webhookData(record)).toEqual({ ...KNOWN, next: 'accept' });
  });

  it('says what to do', () => {
    const failed = {
      ...KNOWN,
      state: 'failed',
      decision: null,
      reason: { code: 'DEADLINE_EXCEEDED', requestId: 'r' },
    } as const;
    expect(webhookData(failed)).toMatchObject({
      next: 'investigate',
      reason: { code: 'DEADLINE_EXCEEDED', advice: expect.stringMatching(/.+/) },
    });
    expect(Object.keys(webhookData(failed).reason ?? {})).toEqual(['code', 'advice']);
    expect(webhookData({ ...failed, reason: { code: 'BrandNew' } }).reason).toEqual({ code: 'BrandNew', advice: null });
  });
});

describe('an endpoint', () => {
  const sound = { name: 'shop', url: 'https://shop.example/hooks?a=b', secrets: [newWebhookSecret()], events: null };

  it('is taken as it should be', () => {
    expect(() => checkWebhook(sound)).not.toThrow();
    expect(() => checkWebhook({ ...sound, events: ['decided', 'erased'] })).not.toThrow();
  });

  it.each<[string, Partial<typeof sound> | { events: WebhookEvent[] }]>([
    ['name', { name: 'Shop' }],
    ['name', { name: '-shop' }],
    ['name', { name: 'a'.repeat(41) }],
    ['name', { name: 'shop|batch' }],
    ['url', { url: 'http://shop.example/' }],
    ['url', { url: 'shop.example' }],
    ['url', { url: 'https://user:pass@shop.example/' }],
    ['url', { url: 'https://shop.example/#top' }],
    ['url', { url: `https://shop.example/${'a'.repeat(2_048)}` }],
    ['secret', { secrets: ['whsec_c2hvcnQ='] }],
    ['secret', { secrets: [Buffer.alloc(32).toString('base64')] }],
    ['secret', { secrets: [`whsec_${Buffer.alloc(65).toString('base64')}`] }],
    ['events', { events: ['decided', 'opened' as WebhookEvent] }],
  ])('is refused by its %s: %j', (field, wrong) => {
    const refusal = expect.objectContaining({ code: 'INVALID_WEBHOOK', field });
    expect(() => checkWebhook({ ...sound, ...wrong })).toThrow(refusal);
  });
});
