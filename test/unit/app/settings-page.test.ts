import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../../src/app/settings.ts';
import { GROUPS, settingsPage } from './settings-page.ts';

describe('docs/settings.md', () => {
  it('lists each setting once', () => {
    expect(GROUPS.flatMap(([, names]) => names).sort()).toEqual(Object.keys(SETTINGS).sort());
  });

  it('describes each setting', () => {
    for (const [name, { description }] of Object.entries(SETTINGS)) expect([name, description ?? '']).not.toContain('');
  });

  it('shows no default for a secret', () => {
    const page = settingsPage();
    for (const name of ['TENCENTCLOUD_SECRET_ID', 'TENCENTCLOUD_SECRET_KEY', 'BESTFRAME_DASHBOARD_PASSWORD']) {
      expect(page).toContain(`| \`${name}\` | – |`);
    }
  });

  it('matches the settings (after a change: npx vitest run --project unit test/unit/app -u)', async () => {
    await expect(settingsPage()).toMatchFileSnapshot('../../../docs/settings.md');
  });
});
