/** @returns null unless the text is standard Base64 with its padding (RFC 4648). */
export function decodeBase64(text: string): Buffer | null {
  const content = Buffer.from(text, 'base64');
  // Node ignores characters that are not Base64. Encoding again is quicker than a regular expression, and safe for any length.
  return content.toString('base64') === text ? content : null;
}
