/** The sources of a verification while an attempt uses them. */
import { type Evidence, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { sourceDependency } from '../../domain/operations/breakers.ts';
import { isHostAllowed, stagedResources, type TenantWall } from '../../domain/operations/tenants.ts';
import type { OpenSource, SourceLimits, Sources } from '../../domain/ports.ts';
import { type ResourceName, type ResourceRule, resourcesOf } from '../../domain/verification/actions.ts';
import { type CallBody, encodeBody } from '../../domain/verification/call-body.ts';
import { isFlow } from '../../domain/verification/flows.ts';
import type { Source } from '../../domain/verification/sources.ts';
import type { StageContext, StageInput } from './context.ts';
import { concerning, streamConcerning } from './evidence.ts';

/** A resource whose source was read completely once. */
export interface OpenedResource {
  readonly name: ResourceName;
  readonly rule: ResourceRule;
  readonly source: OpenSource;
  /** The evidence that marks a failure to read the source: the dependency, and the owner of the source. */
  readonly origin: Evidence;
}

/** Opens all sources, or none. The caller closes them. */
export async function openResources(
  { id, order }: StageInput,
  { edges, signal, wall }: StageContext,
): Promise<OpenedResource[]> {
  const staged = stagedResources(id, order);
  // A flow that compares with a document takes no photo.
  const wanted = resourcesOf(order.action).filter(
    ([name]) => !isFlow(order.action) || order.resources[name] !== undefined,
  );
  const results = await Promise.allSettled(
    wanted.map(async ([name, rule]) => {
      const from = order.resources[name];
      if (from === undefined)
        throw inputFailure(
          CODES.INVALID_VERIFICATION,
          `resources.${name}`,
          `resources.${name} is missing: give a source for it`,
        );
      const dependency = sourceDependency(from);
      // A failure to read a file is not marked: either this deployment's disk or the caller's path may be at fault.
      const isStaged = staged.includes(name);
      const origin: Evidence = dependency === null ? {} : { about: isStaged ? 'deployment' : 'caller', dependency };
      const toOpen = { name, rule, source: from, isStaged };
      const source = await concerning(origin, () => openResource(toOpen, { sources: edges.sources, wall, signal }));
      return { name, rule, source, origin };
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (failed === undefined) return opened;
  await closeResources(opened);
  throw failed.reason;
}

interface ResourceToOpen {
  readonly name: ResourceName;
  readonly rule: ResourceRule;
  readonly source: Source;
  /** Whether the file came with the request. */
  readonly isStaged: boolean;
}

/** @param reader.wall what the tenant may reach; null: every place. */
export function openResource(
  { name, rule, source, isStaged }: ResourceToOpen,
  { sources, wall, signal }: Pick<StageContext, 'wall' | 'signal'> & { readonly sources: Sources },
): Promise<OpenSource> {
  const allowed = wall === null ? sources : sources.limitedTo(limitsOf(wall, isStaged));
  return allowed.open(source, rule, `resources.${name}`, signal);
}

/** A file that came with the request lies in the staging folder, which the policy does not name. */
function limitsOf(wall: TenantWall, isStaged: boolean): SourceLimits {
  return { within: isStaged ? undefined : wall.policy.fileRoots, allowsUrl: (url) => isHostAllowed(wall, url) };
}

/** Idempotent. */
export async function closeResources(opened: readonly OpenedResource[]): Promise<void> {
  await Promise.all(opened.map(({ source }) => source.close()));
}

export function refuseSameBytes(opened: readonly OpenedResource[]): void {
  const [first, second] = opened;
  if (first === undefined || second === undefined || first.source.md5 !== second.source.md5) return;
  const message = `resources.${second.name} has the same bytes as resources.${first.name}: give two different resources`;
  throw inputFailure(CODES.SAME_RESOURCE, `resources.${second.name}`, message);
}

/** The body of a call that carries the resources. @throws Failure SOURCE_TOO_LARGE, or a failure to read a source */
export function encodeResources(
  opened: readonly OpenedResource[],
  parameters: Readonly<Record<string, unknown>>,
): Promise<CallBody> {
  const files = opened.map(
    ({ rule, source, origin }) => [rule.parameter, () => streamConcerning(origin, source.stream())] as const,
  );
  return encodeBody({ parameters, files: Object.fromEntries(files) });
}
