/**
 * Who wrote an object: its metadata has the id of the verification, and the MD5 of the bytes. COS stores `x-cos-meta-…` headers
 * with each version of an object, and returns them for HEAD.
 */
const OWNER = 'x-cos-meta-bestframe-id';
const MD5 = 'x-cos-meta-bestframe-md5';

/** Headers of a PUT. They need not be signed. @param md5 32 hex digits. */
export function ownerHeaders(owner: string, md5: string): Readonly<Record<string, string>> {
  return { [OWNER]: owner, [MD5]: md5 };
}

/** @returns null if Bestframe did not write the object. */
export function readOwner(response: { header(name: string): string | null }): string | null {
  return response.header(OWNER);
}
