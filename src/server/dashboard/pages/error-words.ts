/**
 * Title and remedy of an error code, in the language of a page. A code that is not in the error table keeps the English title of
 * the view.
 */
import { explain } from '../../../domain/errors/index.ts';
import type { Language } from '../words/language.ts';

export function titleIn(
  language: Language,
  { code, title }: { readonly code: string; readonly title: string },
): string {
  return explain(code, language)?.title ?? title;
}

/** The remedy for a fault that concerns a gate or a worker, and not a single verification. '' if there is nothing to do. */
export function remedyIn(language: Language, code: string | null): string {
  return code === null ? '' : (explain(code, language)?.advice.operator ?? '');
}
