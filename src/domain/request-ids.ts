/**
 * The vendor's RequestIds as they are kept: several for each verification, for a month. They are UUIDs as far as anybody has
 * seen; one that is none is kept as it is.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MARK = '~';

export function packRequestId(id: string): string {
  if (UUID.test(id)) return `${MARK}${Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')}`;
  return id.startsWith(MARK) ? `${MARK}${id}` : id;
}

export function unpackRequestId(packed: string): string {
  if (!packed.startsWith(MARK)) return packed;
  if (packed.startsWith(MARK, MARK.length)) return packed.slice(MARK.length);
  const hex = Buffer.from(packed.slice(MARK.length), 'base64url').toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
