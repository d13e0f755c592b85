/**
 * Tenants and their policies. A policy says which places a tenant's verifications may read from and write to, and what the tenant
 * may ask for. The default policy allows only the tenant's own prefix (docs/tenants.md).
 *
 * What must hold:
 * 1. A place is allowed only if the policy names it, or if it lies under the tenant's own prefix. Nothing is looked up to decide,
 *    so a refusal says nothing about what exists.
 * 2. The deployment's own verifications (without a tenant) have no wall. The tenant `default` has one only if a policy is stored
 *    for it.
 */
import { isAbsolute, normalize } from 'node:path/posix';
import { z } from 'zod';
import { type Failure, inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import { RESOURCE_NAMES, type ResourceName } from '../verification/actions.ts';
import { isStagedFile, isStagedObject, TENANT_PATTERN, WEBHOOK_NAME_PATTERN } from '../verification/names.ts';
import { objectKeyProblem } from '../verification/object-key.ts';
import { REGIONS, type Region } from '../verification/regions.ts';
import { describeInvalidField, LANES, type Order, REQUIRABLE_FIELDS } from '../verification/request.ts';
import { bucketName, type Source } from '../verification/sources.ts';
import { type Budget, parseBudgets } from './costs.ts';

/** The tenant of a deployment that several tenants do not share. Its objects and frames lie where those of the deployment lie. */
export const DEFAULT_TENANT = 'default';

/** Folder below which each tenant has a folder of its own: in the bucket, and in the frames folder. */
const TENANTS_FOLDER = 't';

const place = z.strictObject({
  bucket: bucketName.optional().describe('Bucket. Default: the own bucket of each region.'),
  region: z.enum(REGIONS).optional().describe('Region of the bucket. Default: every region.'),
  prefix: z
    .string()
    .refine((text) => text.endsWith('/'), 'does not end with a slash: write a folder, e.g. "acme/"')
    .refine((text) => objectKeyProblem(text.replace(/\/$/, '')) === null, 'is not a folder of object keys: correct it'),
});
export type TenantPlace = z.infer<typeof place>;

const folder = z
  .string()
  .refine((path) => isAbsolute(path) && normalize(path) === path && path !== '/', {
    message: 'is not a folder: write an absolute path without "..", "." or a slash at the end',
  })
  .refine((path) => !path.endsWith('/'), 'ends with a slash: remove it');

const host = z
  .string()
  .regex(
    /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::\d{1,5})?$/,
    'is not a host: write it in lower case, e.g. "photos.example.com", or "*.example.com" for its subdomains',
  );

const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(100, 'has more than 100 entries: remove some');

export const tenantPolicy = z.strictObject({
  read: list(place).default([]).describe('Folders in buckets, for `cos` sources.'),
  write: list(place).default([]).describe('Folders in buckets, for frames.'),
  fileRoots: list(folder).default([]).describe('Folders for `file` sources, inside BESTFRAME_FILE_ROOTS.'),
  httpsHosts: list(host).default([]).describe('Hosts for `https` sources.'),
  webhook: z
    .string()
    .regex(WEBHOOK_NAME_PATTERN, 'is not an endpoint name: use the name of an endpoint of this tenant')
    .optional()
    .describe('Endpoint of verifications that name none.'),
  similarityThreshold: z
    .number()
    .min(0, 'is below 0: give a number from 0 to 100')
    .max(100, 'is above 100: give a number from 0 to 100')
    .optional()
    .describe('Threshold of verifications that name none.'),
  lanes: z.array(z.enum(LANES)).min(1, 'is empty: name a lane').optional().describe('Allowed lanes. Default: all.'),
  demands: list(z.enum(REQUIRABLE_FIELDS))
    .default([])
    .describe('Fields that every verification must have, in addition to BESTFRAME_DEMANDS.'),
  keepFramesHours: z
    .int()
    .min(1, 'is below 1: give hours')
    .optional()
    .describe('How long frames are kept, at most. BESTFRAME_KEEP_FRAMES_HOURS applies too.'),
  keepSourcesHours: z
    .int()
    .min(0, 'is below 0: give hours')
    .optional()
    .describe('How long sources of failed verifications are kept, at most.'),
  evidenceDays: z
    .int('is not a whole number: give days')
    .min(0, 'is below 0: give days')
    .max(36_500, 'is above 36500: give at most 36500 days')
    .optional()
    .describe('For how many days evidence is kept under lock. 0: none. Default: BESTFRAME_EVIDENCE_DAYS.'),
  weight: z
    .int('is not a whole number: give 1 to 100')
    .min(1, 'is below 1: give 1 to 100')
    .max(100, 'is above 100: give 1 to 100')
    .default(1)
    .describe('Share of workers and of the rate at Tencent, compared with other tenants that have work waiting.'),
  limits: z
    .strictObject({
      unfinished: z.int().min(1, 'is below 1: give a number').optional().describe('Verifications that have not ended.'),
      perDay: z.int().min(1, 'is below 1: give a number').optional().describe('Verifications accepted in a day (UTC).'),
      budget: z
        .string()
        .refine(
          (text) => typeof parseBudgets(text) !== 'string',
          'is not a budget: write e.g. "day=500calls,month=200USD"',
        )
        .optional()
        .describe('Paid and possibly paid calls, as in BESTFRAME_BUDGET.'),
    })
    .default({})
    .describe('The most that the tenant may queue. Accepted verifications are never stopped.'),
});
/** A validated policy, with defaults filled in. */
export type TenantPolicy = z.output<typeof tenantPolicy>;

/** A stored policy. */
export interface TenantRecord {
  readonly tenant: string;
  /** 1 for the first policy; each change adds 1. */
  readonly version: number;
  readonly policy: TenantPolicy;
  /** ISO 8601. */
  readonly changedAt: string;
  readonly by: string;
}

const tenantFile = z.strictObject({
  tenant: z.string().regex(TENANT_PATTERN, 'is not a tenant name: use up to 40 lower-case letters, digits and "-"'),
  version: z.int().min(0, 'is below 0: give the version that you read').optional(),
  policy: tenantPolicy,
});
/** A policy to store. `version`: the version that it replaces, 0 for none; absent: whatever is there. */
export type TenantFile = z.output<typeof tenantFile>;
export type TenantFileInput = z.input<typeof tenantFile>;

/** @throws Failure INVALID_TENANT, naming the field */
export function parseTenantFile(input: unknown): TenantFile {
  const parsed = tenantFile.safeParse(input, { reportInput: true });
  if (parsed.success) return parsed.data;
  const { field, problem } = describeInvalidField(parsed.error.issues[0]);
  throw inputFailure(CODES.INVALID_TENANT, field, `${field === '' ? 'the file' : field} ${problem}`);
}

/** What a tenant without a stored policy may use: only its own prefix. */
export const NO_GRANTS: TenantPolicy = tenantPolicy.parse({});

// ── the share ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** How much of the queue a tenant gets, and the most that it may queue. */
export interface TenantShare {
  readonly weight: number;
  /** Null: no limits. */
  readonly quotas: {
    readonly unfinished?: number | undefined;
    readonly perDay?: number | undefined;
    readonly budgets: readonly Budget[];
  } | null;
}

export function shareOf(wall: TenantWall | null): TenantShare {
  if (wall === null) return { weight: 1, quotas: null };
  const { weight, limits } = wall.policy;
  const { unfinished, perDay, budget } = limits;
  if (unfinished === undefined && perDay === undefined && budget === undefined) return { weight, quotas: null };
  const budgets = budget === undefined ? [] : parseBudgets(budget);
  return { weight, quotas: { unfinished, perDay, budgets: typeof budgets === 'string' ? [] : budgets } };
}

// ── the wall ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What one tenant may reach. */
export interface TenantWall {
  readonly tenant: string;
  readonly policy: TenantPolicy;
  /** Prefix of the tenant's own objects. */
  readonly prefix: string;
  /** The deployment's own buckets; null if this process does not know them. The workers do. */
  readonly buckets: ReadonlyMap<Region, string> | null;
}

export interface WallSurroundings {
  readonly objectFolder: string;
  readonly buckets: ReadonlyMap<Region, string> | null;
}

/** Whether the tenant has a wall even if no policy is stored for it. */
export function isWalled(tenant: string | null): tenant is string {
  return tenant !== null && tenant !== DEFAULT_TENANT;
}

/**
 * The owner of a tenant's webhook endpoints and notifications. The tenant `default` and verifications without a tenant use those of
 * the deployment.
 * @returns the tenant, or null for the deployment
 */
export function ownerOf(tenant: string | null): string | null {
  return isWalled(tenant) ? tenant : null;
}

/** @param policy null: no policy is stored. @returns null if the tenant may use every place. */
export function wallOf(
  tenant: string | null,
  policy: TenantPolicy | null,
  { objectFolder, buckets }: WallSurroundings,
): TenantWall | null {
  if (tenant === null || (policy === null && !isWalled(tenant))) return null;
  const prefix = `${objectFolder}/${TENANTS_FOLDER}/${tenant}/`;
  return { tenant, policy: policy ?? NO_GRANTS, prefix, buckets };
}

/** Folder of a tenant's objects in the own bucket. */
export function tenantFolder(objectFolder: string, tenant: string | null): string {
  return isWalled(tenant) ? `${objectFolder}/${tenantSubfolder(tenant)}` : objectFolder;
}

/** Folder of a tenant below a folder that the tenants share. */
export function tenantSubfolder(tenant: string): string {
  return `${TENANTS_FOLDER}/${tenant}`;
}

type PlacedRequest = Pick<Order, 'resources' | 'frame'>;

/**
 * @param except resources whose sources came with the request, and were checked.
 * @returns the first field whose place the policy does not allow; null if it allows all of them.
 */
export function findForbiddenPlace(
  wall: TenantWall | null,
  { resources, frame }: PlacedRequest,
  except: readonly ResourceName[] = [],
): string | null {
  if (wall === null) return null;
  const forbidden = RESOURCE_NAMES.find((name) => {
    const source = resources[name];
    return source !== undefined && !except.includes(name) && !isSourceAllowed(wall, source);
  });
  if (forbidden !== undefined) return `resources.${forbidden}`;
  return frame.to === 'cos' && !isObjectAllowed(wall, frame, wall.policy.write) ? 'frame' : null;
}

/** @throws Failure PLACE_FORBIDDEN, see {@link findForbiddenPlace} */
export function checkPlaces(
  wall: TenantWall | null,
  request: PlacedRequest,
  except: readonly ResourceName[] = [],
): void {
  const field = findForbiddenPlace(wall, request, except);
  if (field !== null) throw placeForbidden(field);
}

/** Resources whose files were sent with the request: their paths or keys name this verification. */
export function stagedResources(id: string, { resources }: Pick<PlacedRequest, 'resources'>): ResourceName[] {
  return RESOURCE_NAMES.filter((name) => {
    const source = resources[name];
    if (source?.from === 'file') return isStagedFile(source.path, id, name);
    return source?.from === 'cos' && isStagedObject(source.key, id, name);
  });
}

/** @throws Failure INVALID_VERIFICATION if the policy refuses the lane, or if a field that it demands is missing */
export function checkDemands(
  wall: TenantWall | null,
  request: { readonly lane: string } & { readonly [Field in (typeof REQUIRABLE_FIELDS)[number]]?: unknown },
): void {
  if (wall === null) return;
  const { lanes, demands } = wall.policy;
  if (lanes !== undefined && !lanes.some((lane) => lane === request.lane))
    throw inputFailure(
      CODES.INVALID_VERIFICATION,
      'lane',
      `lane is not allowed for this tenant: use ${lanes.join(', ')}`,
    );
  const missing = demands.find((field) => request[field] == null);
  if (missing === undefined) return;
  throw inputFailure(CODES.INVALID_VERIFICATION, missing, `${missing} is missing: this tenant requires it`);
}

/** Whether an https source may be read from this host. @param url of the request, and of each redirect. */
export function isHostAllowed({ policy }: TenantWall, url: URL): boolean {
  return policy.httpsHosts.some((allowed) => {
    if (allowed.startsWith('*.')) return url.host.endsWith(allowed.slice(1)) && url.host.length >= allowed.length;
    return url.host === allowed;
  });
}

/** One text for every refused place, whether it exists or not. */
function placeForbidden(field: string): Failure {
  const message = `${field} is not in a place that this tenant may use: use one that its policy allows`;
  return inputFailure(CODES.PLACE_FORBIDDEN, field, message);
}

function isSourceAllowed(wall: TenantWall, source: Source): boolean {
  switch (source.from) {
    case 'file':
      return isFileAllowed(wall, source.path);
    case 'https':
      return URL.canParse(source.url) && isHostAllowed(wall, new URL(source.url));
    case 'cos':
      return isObjectAllowed(wall, source, wall.policy.read);
  }
}

/** Compares the text of the path, which says where the file is: sources are opened without following symbolic links. */
function isFileAllowed({ policy }: TenantWall, path: string): boolean {
  if (!isAbsolute(path)) return false;
  const plain = normalize(path);
  return policy.fileRoots.some((root) => plain.startsWith(`${root}/`));
}

function isObjectAllowed(
  { prefix, buckets }: TenantWall,
  object: { readonly bucket: string; readonly region: Region; readonly key: string },
  places: readonly TenantPlace[],
): boolean {
  const isOwnBucket = buckets === null || buckets.get(object.region) === object.bucket;
  if (isOwnBucket && object.key.startsWith(prefix)) return true;
  return places.some(
    (each) =>
      (each.bucket === undefined ? isOwnBucket : each.bucket === object.bucket) &&
      (each.region === undefined || each.region === object.region) &&
      object.key.startsWith(each.prefix),
  );
}
