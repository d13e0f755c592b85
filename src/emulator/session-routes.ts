/** The routes of the control port that play the phone. */
import { z } from 'zod';
import { BadRequest, HtmlPage, parseJson, type Routes, readQuery, SeeOther, validate } from './control-route.ts';
import { renderPhonePage } from './phone-page.ts';
import { playStepSchema } from './play-step.ts';
import { PlayRefused, type Session, type Sessions } from './sessions.ts';

const phoneQuerySchema = z.strictObject({ token: z.string().exactOptional() });

export function sessionRoutes(sessions: Sessions): Routes {
  const describe = (session: Session) => {
    const { id, token, flow, region, createdAt, end, attempts, retryLimit } = session;
    const state = sessions.stateOf(session);
    const codes = attempts.map(({ code }) => code);
    const chargeCount = attempts.filter(({ billed }) => billed).length;
    const redirect = redirectOf(session);
    return { id, token, action: flow, region, createdAt, state, end, codes, retryLimit, chargeCount, redirect };
  };
  const play = async (step: unknown): Promise<Session> => {
    try {
      return await sessions.play(validate(playStepSchema, step));
    } catch (error) {
      throw error instanceof PlayRefused ? new BadRequest(error.message) : error;
    }
  };
  return {
    'GET /sessions': () => sessions.list().map(describe),
    'POST /sessions/play': async ({ body }) => describe(await play(parseJson(body))),
    'GET /phone': ({ url }) => {
      const { token } = validate(phoneQuerySchema, readQuery(url));
      const listed = sessions.list().map((session) => ({ session, state: sessions.stateOf(session) }));
      return new HtmlPage(renderPhonePage(listed, token));
    },
    'POST /phone': async ({ body }) => {
      const session = await play(Object.fromEntries(new URLSearchParams(String(body))));
      const redirect = session.end === null ? null : redirectOf(session);
      return new SeeOther(redirect ?? `/phone?token=${session.token}`);
    },
  };
}

/** Where FaceID's page sends the person in the end: to the caller's URL, with the token as a parameter. Null for apps. */
function redirectOf({ redirectUrl, token }: Session): string | null {
  if (redirectUrl === null) return null;
  const url = new URL(redirectUrl);
  url.searchParams.set('token', token);
  return url.href;
}
