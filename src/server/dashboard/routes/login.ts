/** The login form, and what else is visible without a login. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { localPath } from '../../edge.ts';
import { startSession } from '../access.ts';
import { loginPage } from '../pages/login.ts';
import { SCRIPT } from '../script.ts';
import {
  cookieOptions,
  type Fields,
  LANGUAGE_COOKIE,
  languageOf,
  redirectTo,
  type SiteTools,
  sendPage,
  wordsFor,
} from '../site-tools.ts';
import { STYLE } from '../style.ts';
import { isLanguage } from '../words/language.ts';

/** Routes without a login. */
const config = { access: 'public' } as const;

export function loginRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { edge, mode, passwords } = tools;
  const base = edge.basePath;

  app.get<{ Querystring: Fields }>('/login', { config }, async (request, reply) => {
    const to = localPath(request.query.to, base);
    return sendPage(reply, loginPage({ language: languageOf(request), mode, base, to, notice: null }));
  });

  app.post<{ Body: Fields }>('/login', { config }, async (request, reply) => {
    const { name = '', password = '', to: given } = request.body ?? {};
    const to = localPath(given, base);
    const operator = await passwords.check(request, { name, password, way: 'form' });
    if (operator === null) {
      const notice = wordsFor(request).wrongLogin;
      return sendPage(reply.code(401), loginPage({ language: languageOf(request), mode, base, to, notice }));
    }
    await startSession(tools, request, reply, { operator, way: 'password' });
    return redirectTo(tools, reply, to);
  });

  app.get<{ Params: { language: string } }>('/language/:language', { config }, async (request, reply) => {
    const { language } = request.params;
    if (isLanguage(language)) {
      reply.setCookie(LANGUAGE_COOKIE, language, cookieOptions(tools, request));
    }
    return redirectTo(tools, reply, previousPath(request, base));
  });

  // The address contains a hash of the content, so a browser may keep it.
  const kept = 'public, max-age=31536000, immutable';
  app.get('/style.css', { config }, async (_request, reply) =>
    reply.header('cache-control', kept).type('text/css; charset=utf-8').send(STYLE),
  );
  app.get('/site.js', { config }, async (_request, reply) =>
    reply.header('cache-control', kept).type('text/javascript; charset=utf-8').send(SCRIPT),
  );
}

/** The page from which the reader came, if it belongs to this site. */
function previousPath(request: FastifyRequest, base: string): string {
  const { referer } = request.headers;
  if (referer === undefined || !URL.canParse(referer)) return '/';
  const url = new URL(referer);
  return url.host === request.host ? localPath(`${url.pathname}${url.search}`, base) : '/';
}
