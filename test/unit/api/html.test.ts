/** Whatever is put into a page is text, unless it is HTML already. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { html } from '../../../src/api/site/html.ts';

it('keeps what was written, takes in parts and lists of parts, and leaves out what is not there', () => {
  expect(html`<p>${'a'}${1}${null}${false}${[html`<b>x</b>`, ['y', null]]}</p>`.text).toBe('<p>a1<b>x</b>y</p>');
});

it('lets no text out of its place, between tags or in an attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '"', "'", '`', 'a', ' ', '/') }), (text) => {
      const page = html`<a title="${text}">${text}</a>`.text;
      expect(page.slice(10, -4)).not.toMatch(/[<'](?!\/a>)/);
      expect([...page].filter((char) => char === '"')).toHaveLength(2);
      expect(page.match(/[<>]/g)).toHaveLength(4);
    }),
  );
});
