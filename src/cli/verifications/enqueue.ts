import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { serves } from '../../domain/verification/actions.ts';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { Env } from '../env.ts';
import { formatVerification } from '../format-verification.ts';
import { parseMetadata, parseSeconds } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';
import { buildRequest, type RequestDefaults, type RequestFields } from './build-request.ts';
import { COLUMN_NAMES } from './csv-columns.ts';
import { enqueueManifest } from './enqueue-manifest.ts';

interface Options extends RequestFields {
  manifest?: string;
  wait?: boolean;
  timeout: number;
  json?: boolean;
}

export function enqueueCommand(env: Env): Command {
  return new Command('enqueue')
    .option('--key <key>', 'your own key: the same key is always the same verification')
    .option('--live-data <source>', 'liveness package: a file, an https URL, or cos:region/bucket/key')
    .option('--video <source>', 'video for VideoLivenessCompare or CompareFaceLiveness')
    .option('--image <source>', 'photo to compare with')
    .option('--action <name>', 'DetectReflectLivenessAndCompare (default), VideoLivenessCompare or CompareFaceLiveness')
    .option('--liveness <type>', 'SILENT, ACTION or LIP; required with a video. CompareFaceLiveness takes no LIP')
    .option('--validate-data <data>', 'four digits with LIP, one or two actions with ACTION, e.g. 2,1')
    .option(
      '--region <region>',
      'ap-singapore, ap-hongkong or ap-bangkok (default: the first of them in BESTFRAME_REGIONS)',
    )
    .option(
      '--upload <way>',
      'own-bucket or create-upload-url (default: own-bucket if the region has one); none for CompareFaceLiveness',
    )
    .option('--lane <lane>', 'interactive (default) or batch (default for a manifest)')
    .option('--threshold <n>', 'lowest similarity of a match, 0 to 100 (default: 70)')
    .option('--deadline <time>', 'ISO 8601 time (default: 60 s from now if interactive, 24 h if batch)')
    .option('--webhook <name>', 'webhook endpoint to notify (default: BESTFRAME_WEBHOOK)')
    .option('--subject <id>', 'the person, as an opaque id of your own')
    .option('--purpose <word>', 'purpose of the check, e.g. account-opening')
    .option('--consent-ref <ref>', 'reference to the stored consent')
    .option('--consent-version <version>', 'version of the consent text')
    .option('--consent-at <time>', 'ISO 8601 time of the consent')
    .option('--metadata <name=value>', 'a short string that is returned unchanged; repeatable', parseMetadata)
    .option('--frame <target>', 'none, file (default), file:name.jpg or cos:region/bucket/key')
    .option('--second-opinion', 'ask DetectAIFakeFaces about the frame before the person is accepted: a paid call more')
    .option('--manifest <file>', 'JSON Lines or CSV file with one verification per line; - reads JSON Lines from stdin')
    .option('--wait', 'wait for the decisions')
    .option('--timeout <seconds>', 'time limit of --wait', parseSeconds, 60)
    .option('--json', 'print JSON; with a manifest, one line per verification')
    .addHelpText(
      'after',
      `
Each line of a JSON Lines manifest is a verification as in the API:
  {"key": …, "resources": {"liveData": {"from": "file", "path": …}, …}, …}
A CSV manifest (comma, semicolon or tab) has a header with any of these columns, which mean the same as the options above:
  ${COLUMN_NAMES}
An unknown column is refused by name. UTF-8 and UTF-16 are read, with or without a byte-order mark.
An invalid line is reported and skipped. The other lines are enqueued, and the exit code is 1.`,
    )
    .action((options: Options) =>
      withClient(env, async (client, config) => {
        const region = config.regions.find((each) => serves(each, 'CreateUploadUrl')) ?? 'ap-singapore';
        const defaults = { region, upload: config.buckets.has(region) ? 'own-bucket' : 'create-upload-url' };
        const { manifest } = options;
        process.exitCode =
          manifest === undefined
            ? await enqueueOne(client, options, defaults)
            : await enqueueManifest(client, { ...options, manifest }, defaults);
      }),
    );
}

async function enqueueOne(client: BestframeClient, options: Options, defaults: RequestDefaults): Promise<number> {
  // The client validates the request.
  const enqueued = await client.enqueue(buildRequest(options, defaults) as unknown as VerificationRequest);
  if (!options.wait) {
    const outcome = enqueued.status === 'new' ? 'enqueued' : `already known (${enqueued.state})`;
    printResult(enqueued, `${enqueued.id}  ${outcome}\n`, options);
    return EXIT.ok;
  }
  const view = await client.wait(enqueued.id, { until: 'ended', timeoutMs: options.timeout * 1_000 });
  printResult(view, view === null ? '' : formatVerification(view), options);
  return view === null || view.next === 'wait' ? EXIT.failed : EXIT.ok;
}
