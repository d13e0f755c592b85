/** Tests that a template escapes every value that is not already HTML. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { html } from '../../../src/server/dashboard/html.ts';

it('keeps the template text, inserts nested HTML and lists, and skips null and false', () => {
  expect(html`<p>${'a'}${1}${null}${false}${[html`<b>x</b>`, ['y', null]]}</p>`.text).toBe('<p>a1<b>x</b>y</p>');
});

it('text can never close the element or attribute that contains it', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', '"', "'", '`', 'a', ' ', '/') }), (text) => {
      const page = html`<a title="${text}">${text}</a>`.text;
      expect(page.slice(10, -4)).not.toMatch(/[<'](?!\/a>)/);
      expect([...page].filter((char) => char === '"')).toHaveLength(2);
      expect(page.match(/[<>]/g)).toHaveLength(4);
    }),
  );
});
