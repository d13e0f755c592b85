/**
 * A backend that reaches only the HTTP API: send two files of this machine, wait for the decision, save the frame.
 *
 *   API=http://127.0.0.1:8080 KEY=… node examples/http-upload/main.mjs <live data> <photo> [frame file]
 */
import { writeFile } from 'node:fs/promises';
import { BestframeHttpClient } from 'bestframe-client/http';

const [liveData, photo, frameFile = 'frame.jpg'] = process.argv.slice(2);
const { API, KEY } = process.env;
if (liveData === undefined || photo === undefined || API === undefined || KEY === undefined) {
  console.error('Give two files, the liveness package and the photo, and set API and KEY.');
  process.exit(2);
}

const bestframe = new BestframeHttpClient({ url: API, key: KEY });
try {
  // Checks and hashes both files, streams them, and waits up to 30 s for the decision. The call can be repeated with the same
  // key.
  const { id, next, reason } = await bestframe.verify({
    key: `session-${Date.now()}`,
    region: 'ap-singapore',
    upload: 'own-bucket',
    resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: photo } },
  });
  console.log(`next: ${next}${reason === null ? '' : ` (${reason.advice})`}`);

  // The decision comes before the frame. `ended` means that the frame is stored, lost, or never existed.
  await bestframe.wait(id, { until: 'ended', timeoutMs: 30_000 });
  const frame = await bestframe.bestFrame(id);
  if (frame === null) {
    console.log('no frame');
  } else {
    await writeFile(frameFile, frame.stream);
    console.log(`saved ${frame.bytes} bytes to ${frameFile}`);
  }
} finally {
  await bestframe.close();
}
