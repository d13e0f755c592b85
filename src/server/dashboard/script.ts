/**
 * The site's only script. Without it every page works; it adds the reader's time zone, updates of the page without reload, and a
 * button that copies text. It is served as a file of its own, because the policy (CSP) forbids inline scripts.
 */
import { createHash } from 'node:crypto';

export const SCRIPT = `
'use strict';
(() => {
  const data = document.documentElement.dataset;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && data.zone !== zone) {
    document.cookie = 'bestframe-zone=' + encodeURIComponent(zone) + ';path=' + (data.base || '/') + ';max-age=31536000;samesite=strict' + (location.protocol === 'https:' ? ';secure' : '');
    const same = document.cookie.includes('bestframe-zone=' + encodeURIComponent(zone));
    if (same && !document.querySelector('form.act') && !document.querySelector('[data-dirty]')) update();
  }
  // scrollIntoView would also let the Tab key start at this link, behind the one that skips to the content.
  const current = document.querySelector('.pages [aria-current]');
  if (current) {
    const [link, strip] = [current, current.closest('.pages')].map((each) => each.getBoundingClientRect());
    current.closest('.pages').scrollLeft += link.left - strip.left - (strip.width - link.width) / 2;
  }
  document.addEventListener('input', (event) => event.target.form?.setAttribute('data-dirty', ''));
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('button[data-copy]');
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text); } catch { getSelection().selectAllChildren(document.getElementById(button.dataset.copy)); }
    button.textContent = button.dataset.done;
  });
  for (const each of document.querySelectorAll('[data-needs-script]')) each.hidden = false;

  // Parts of the page with data-live are replaced, unless the reader is using them.
  let running = false;
  async function update() {
    if (running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(location.href, { headers: { 'x-bestframe-live': '1', accept: 'text/html' } });
      if (answer.redirected) return void location.reload(); // the session has ended
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const part of document.querySelectorAll('[data-live]')) {
        const next = fresh.getElementById(part.id);
        const used = part.contains(document.activeElement) || part.closest('[data-dirty]') || part.querySelector('[data-dirty], details[open]');
        if (next && !used && next.innerHTML !== part.innerHTML) part.replaceWith(document.importNode(next, true));
      }
      document.title = fresh.title;
    } catch { /* the stream says when the site is back */ } finally { running = false; }
  }
  if (!document.querySelector('[data-live]') || !window.EventSource) return;
  let stream = null;
  const open = () => {
    stream = new EventSource((data.base || '') + '/live');
    stream.addEventListener('change', update);
  };
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { stream?.close(); stream = null; }
    else if (!stream) { open(); update(); }
  });
  if (!document.hidden) open();
})();
`.trim();

export const SCRIPT_VERSION = createHash('sha256').update(SCRIPT).digest('base64url').slice(0, 10);
