import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../../src/config.ts';
import { GROUPS, settingsPage } from './settings-page.ts';

describe('docs/settings.md', () => {
  it('has each setting once', () => {
    expect(GROUPS.flatMap(([, names]) => names).sort()).toEqual(Object.keys(SETTINGS).sort());
  });

  it('says of each setting what it means', () => {
    for (const [name, { description }] of Object.entries(SETTINGS)) expect([name, description ?? '']).not.toContain('');
  });

  it('shows no default for a secret', () => {
    const page = settingsPage();
    for (const name of ['TENCENTCLOUD_SECRET_ID', 'TENCENTCLOUD_SECRET_KEY', 'BESTFRAME_DASHBOARD_PASSWORD']) {
      expect(page).toContain(`| \`${name}\` | – |`);
    }
  });

  it('is made from the settings (after a change: npx vitest run --project unit test/unit/config -u)', async () => {
    await expect(settingsPage()).toMatchFileSnapshot('../../../docs/settings.md');
  });
});
