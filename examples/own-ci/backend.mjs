/** Stands in for your backend: the function that acts on the answer of a liveness check. This is the code that your CI tests. */

/**
 * @param {import('bestframe-client/http').Bestframe} bestframe
 * @param {{ session: string, recording: string, photo: string }} visit
 * @returns {Promise<{ status: number, message: string }>} the answer to the phone
 */
export async function openAccount(bestframe, { session, recording, photo }) {
  const view = await bestframe.verify({
    key: session,
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: { liveData: { from: 'file', path: recording }, image: { from: 'file', path: photo } },
  });
  switch (view.next) {
    case 'accept':
      return { status: 201, message: 'The account is open.' };
    case 'refuse':
      return { status: 403, message: 'We could not confirm that it is you.' };
    case 'recapture':
      return { status: 422, message: view.reason?.personAdvice ?? 'Please record again.' };
    case 'wait':
      return { status: 202, message: 'Please come back in a moment.' };
    case 'investigate':
      return { status: 503, message: 'Please try again later.' };
  }
}
