/**
 * Tests the operators' site in a real browser: logging in, finding a verification, deciding and steering. It also
 * covers a phone, the keyboard, the dark scheme and Chinese.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { openBrowser } from '../support/chromium.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const PASSWORD = 'ana-may-do-all';
/** Folder of the screenshots. Set BESTFRAME_SCREENSHOTS=docs/images to renew the screenshots of the documentation. */
const SCREENSHOTS = process.env.BESTFRAME_SCREENSHOTS ?? join(HOME, 'screenshots');

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
  rig = await createRig({
    env: {
      BESTFRAME_DASHBOARD_PORT: '0',
      BESTFRAME_DASHBOARD_USERS: `ana=operator+frames=${await hashPassword(PASSWORD)}`,
      BESTFRAME_UNKNOWN_OUTCOME: 'review',
      BESTFRAME_CALL_SECONDS: 'interactive=1,batch=1',
      BESTFRAME_QPS_DETECT: '20',
    },
    emulator: { qps: {} },
  });
  const config = readConfig({ ...rig.env, BESTFRAME_AUDIT: join(rig.dir, 'audit.jsonl') });
  site = await openDashboard(config, pino({ level: 'silent' }));
  await rig.openWorker();
  await mkdir(SCREENSHOTS, { recursive: true });
}, 600_000); // the first run may have to download the browser
afterAll(async () => {
  await browser?.close();
  await site?.stop(0);
  await rig?.dispose();
});

async function logIn(options: Parameters<Browser['newContext']>[0] = {}): Promise<[Page, BrowserContext]> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  await page.goto(site.url);
  await page.getByLabel('Name').fill('ana');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL(site.url);
  return [page, context];
}

async function completeSixVerifications(): Promise<void> {
  const cards = ['match', 'match', 'match', 'lowSimilarity', 'spoof', 'badLight'] as const;
  const requests = await Promise.all(cards.map((card, index) => rig.request(`some-${index}`, { card })));
  const results = await Promise.all(requests.map((each) => rig.client.enqueue(each)));
  await Promise.all(results.map(({ id }) => rig.client.wait(id, { until: 'ended' })));
}

async function createHeld(key: string): Promise<string> {
  await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf(key), times: null });
  const { id } = await rig.client.enqueue(await rig.request(key, { card: 'match' }, { lane: 'batch' }));
  await expect.poll(async () => (await rig.client.get(id))?.state, { timeout: 20_000 }).toBe('held');
  await rig.control.clearFaults();
  return id;
}

async function createTenants(): Promise<void> {
  const policy = {
    read: [{ prefix: 'acme/captures/' }],
    write: [{ prefix: 'acme/frames/' }],
    httpsHosts: ['photos.acme.example'],
    weight: 3,
    limits: { unfinished: 500, budget: 'month=2000USD' },
    demands: ['subject', 'consent'] as ('subject' | 'consent')[],
    similarityThreshold: 80,
  };
  await rig.client.tenants.set({ tenant: 'acme', policy }, { by: 'ana' });
  const keys = new ApiKeys(rig.config.redis, rig.config.prefix);
  for (const tenant of ['acme', 'borealis']) {
    await keys.create({
      tenant,
      mode: 'test',
      scopes: ['submit', 'read'],
      name: `${tenant}-backend`,
      perSecond: 10,
      lifeMs: null,
    });
  }
  await keys.close();
}

it('an operator logs in, finds a verification, sees its timeline and frame, decides a held one, and logs out', async () => {
  await completeSixVerifications();
  await createTenants();
  const id = await createHeld('for-a-person');
  const [page, context] = await logIn({ viewport: { width: 1000, height: 1080 } });
  const failures: string[] = [];
  page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
  const verdict = () => page.getByRole('heading', { level: 1 }).textContent();
  expect(await verdict()).toMatch(/^Idle/);
  const backlog = await Promise.all(Array.from({ length: 100 }, (_, index) => rig.request(`backlog-${index}`)));
  await rig.client.enqueueMany(backlog);
  await rig.client.wait(rig.client.idOf('backlog-20'), { until: 'ended' });
  await page.reload();
  expect(await verdict()).toMatch(/^Working: \d.* waiting/);
  await page.screenshot({ path: join(SCREENSHOTS, 'site-overview.png') });

  await page.getByLabel('Find by id or key').fill('some-0');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Show the frame' }).click();
  const frame = page.getByRole('img', { name: 'Frame' });
  await expect
    .poll(() => frame.evaluate<number, { naturalWidth: number }>((image) => image.naturalWidth))
    .toBeGreaterThan(0);

  await page.getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('link', { name: id }).first().click();
  await page.getByRole('radio', { name: /^Retry/ }).check();
  await page.getByRole('checkbox').check();
  await page.getByLabel('Why').fill('the line was cut, and the vendor says that nothing came');
  await page.screenshot({ path: join(SCREENSHOTS, 'site-held.png'), fullPage: true });
  await page.getByRole('button', { name: 'Decide' }).click();
  expect(await page.getByRole('status').textContent()).toBe('Done.');
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
  await page.reload();
  expect(await page.getByRole('row', { name: /resolved/ }).textContent()).toContain('ana');
  await page.screenshot({ path: join(SCREENSHOTS, 'site-verification.png'), fullPage: true });

  await page.getByRole('link', { name: 'Sessions' }).click();
  await page.screenshot({ path: join(SCREENSHOTS, 'site-sessions.png'), fullPage: true });
  expect(await page.evaluate<number>('document.querySelector(".wide").scrollWidth')).toBeLessThanOrEqual(1_000);
  expect(await page.getByRole('row', { name: /^ana \(this session\)/ }).count()).toBe(1);

  await page.getByRole('link', { name: 'Tenants' }).click();
  await page.screenshot({ path: join(SCREENSHOTS, 'site-tenants.png'), fullPage: true });
  expect(await page.evaluate<number>('document.querySelector(".wide").scrollWidth')).toBeLessThanOrEqual(1_000);
  const acme = page.getByRole('row', { name: /^acme / });
  expect(await acme.textContent()).toContain('photos.acme.example');
  expect(await acme.textContent()).toContain('At most: 500 unfinished, month=2000USD');
  expect(await page.getByRole('row', { name: /^borealis / }).textContent()).toContain('no policy');

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.goto(new URL(`/v/${id}`, site.url).href);
  expect(new URL(page.url()).pathname).toBe('/login');
  expect(failures).toEqual([]);
  await context.close();
});

it('an operator pauses a gate, sees that work stops and nothing is lost, and resumes it', async () => {
  const [page, context] = await logIn();
  await page.getByLabel(/^Why.*Detect/).fill('contract is being renewed');
  await page.getByRole('button', { name: 'Pause' }).click();
  const { id } = await rig.client.enqueue(await rig.request('behind', { card: 'match' }));
  await page.goto(site.url);
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toMatch(
    /^Stopped: paused by ana since .* \d+ waiting/,
  );
  await page.screenshot({ path: join(SCREENSHOTS, 'site-stopped.png') });
  await page.getByLabel(/^Why.*Detect/).fill('renewed');
  await page.getByRole('button', { name: 'Resume' }).click();
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  await context.close();
});

it('the site is readable on a phone, in the dark scheme and in Chinese, and works by keyboard alone', async () => {
  const [page, context] = await logIn({ viewport: { width: 375, height: 760 }, colorScheme: 'dark' });
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
  await page.getByRole('link', { name: '中文' }).click();
  expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN');
  await page.screenshot({ path: join(SCREENSHOTS, 'site-phone.png') });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(375);
  await context.close();
});

interface PageAudit {
  readonly nameless: readonly string[];
  readonly levels: readonly number[];
  readonly faint: readonly { readonly text: string; readonly ratio: number }[];
}

/** Runs in the page. It finds controls without a name, the levels of the headings, and text with a contrast below WCAG's 4.5. */
const PAGE_AUDIT = `(() => {
  const named = (each) => each.textContent.trim() || each.getAttribute('aria-label') || each.labels?.length;
  const controls = [...document.querySelectorAll('a, button, input:not([type=hidden]), select')];
  const levels = [...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]));
  const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    const color = numbers(getComputedStyle(element).backgroundColor);
    return color.length === 4 && color[3] === 0 ? behind(element.parentElement) : color;
  };
  const faint = [...document.querySelectorAll('main *, header *')]
    .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((each) => {
      const [a, b] = [light(numbers(getComputedStyle(each).color)), light(behind(each))];
      return { text: each.textContent.slice(0, 30), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
    })
    .filter(({ ratio }) => ratio < 4.5);
  return { nameless: controls.filter((each) => !named(each)).map((each) => each.outerHTML), levels, faint };
})()`;

it('every control has a name, headings are in order, and all text has enough contrast', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const [page, context] = await logIn({ colorScheme });
    const found = await page.evaluate<PageAudit>(PAGE_AUDIT);
    expect(found.nameless).toEqual([]);
    expect(found.levels[0]).toBe(1);
    expect(found.levels.filter((level, index) => level > (found.levels[index - 1] ?? 0) + 1)).toEqual([]);
    expect(found.faint).toEqual([]);
    await context.close();
  }
});
