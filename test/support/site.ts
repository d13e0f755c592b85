/** Uses the operators' site through `fetch`, as a browser would. */

/** @returns the cookie of a new session. @throws Error if the site refuses the name or the password */
export async function loggedIn(url: string, name: string, password: string): Promise<string> {
  const body = new URLSearchParams({ name, password });
  const answer = await fetch(new URL('/login', url), { method: 'POST', body, redirect: 'manual' });
  const [cookie] = (answer.headers.getSetCookie()[0] ?? '').split(';');
  if (answer.status !== 303 || cookie === undefined) throw new Error(`login was answered with ${answer.status}`);
  return cookie;
}

/** @returns the token in the form of a page. */
export function tokenIn(page: string): string {
  const [, token] = /name="token" value="([^"]+)"/.exec(page) ?? [];
  if (token === undefined) throw new Error('there is no form on this page');
  return token;
}
