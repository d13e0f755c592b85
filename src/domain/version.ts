/** The version of Bestframe, as in package.json. A constant, so that bundles need no file beside them. */
export const VERSION = '0.1.0';

/** How Bestframe names itself to other servers. Firewalls refuse requests without a User-Agent. */
export const USER_AGENT = `bestframe/${VERSION}`;
