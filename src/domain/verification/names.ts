/** Names of tenants, endpoints, staged files and frames. */

/** Names that an operator gives: up to 40 lower-case letters, digits and hyphens, with a letter or digit at both ends. */
const OPERATOR_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** Tenant of a shared deployment. */
export const TENANT_PATTERN = OPERATOR_NAME;

/** Webhook endpoint, as a verification refers to it. */
export const WEBHOOK_NAME_PATTERN = OPERATOR_NAME;

const STAGED_SUFFIX = /^[A-Za-z0-9_-]{22}(?:\.[A-Za-z0-9_-]{22})?$/;

/**
 * Whether a path has the name of a file that was sent with this verification: `<id>.<resource>.<fingerprint>.<random>`. An id
 * cannot be computed without the namespace, so no other verification can name the file.
 */
export function isStagedFile(path: string, id: string, resource: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const start = `${id}.${resource}.`;
  return name.startsWith(start) && STAGED_SUFFIX.test(name.slice(start.length));
}

/** The same for an object: `…/<id>/<resource>.<fingerprint>.<random>`. */
export function isStagedObject(key: string, id: string, resource: string): boolean {
  const [folder, name = ''] = key.split('/').slice(-2);
  return folder === id && name.startsWith(`${resource}.`) && STAGED_SUFFIX.test(name.slice(resource.length + 1));
}

/** A frame whose name begins with an id belongs to the verification with this id. So no request may choose such a name. */
export const ID_START = /^v[0-9a-z]{25}\./;
