/** Checks resources against the schemas of Kubernetes, KEDA and the Prometheus operator. */
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service, ServiceAccount } from 'kubernetes-models/v1';

const MODELS = {
  Deployment,
  Service,
  ConfigMap,
  ServiceAccount,
  PodDisruptionBudget,
  NetworkPolicy,
  ScaledObject,
  ServiceMonitor,
};

/**
 * @returns what is wrong with the resource, in words. The schemas check types and required fields, but ignore fields that they do not
 * know. Such fields are found because no schema reads them.
 */
export function findFaults(resource: { readonly kind: string }): string[] {
  const Model = MODELS[resource.kind as keyof typeof MODELS];
  if (Model === undefined) return [`there is no schema for ${resource.kind}`];
  const unread = new Set<string>();
  const checked: InstanceType<typeof Model> = Object.create(Model.prototype);
  for (const [field, value] of Object.entries(resource)) {
    Object.defineProperty(checked, field, { value: watched(value, field, unread), enumerable: true });
  }
  try {
    checked.validate();
  } catch (error) {
    return [String(error)];
  }
  return [...unread].map((path) => `${path} is in no schema`);
}

/** A copy that removes the path of each field from `unread` when the field is read. */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((each, index) => watched(each, `${path}/${index}`, unread));
  const fields = Object.entries(value).map(
    ([field, each]) => [field, watched(each, `${path}/${field}`, unread)] as const,
  );
  for (const [field] of fields) unread.add(`${path}/${field}`);
  return new Proxy(Object.fromEntries(fields), {
    get: (target, field) => {
      unread.delete(`${path}/${String(field)}`);
      return Reflect.get(target, field);
    },
  });
}
