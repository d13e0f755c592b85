/** Writes XML in COS's style. */

export function element(name: string, text: string): string {
  return text === '' ? `<${name}/>` : `<${name}>${escapeXml(text)}</${name}>`;
}

/** @param parts the content of the root element, already in XML. */
export function documentXml(name: string, parts: readonly string[]): string {
  return `<?xml version='1.0' encoding='utf-8' ?>\n<${name}>${parts.join('')}</${name}>`;
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"]/g, (char) => ({ '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? '&amp;');
}
