/**
 * COS's host names: which ones exist, and what each one stands for (a bucket, a region, the service). All are in lower case, as
 * in a parsed URL.
 */

/** The regions whose hosts exist. Any other host name does not resolve. */
const REGIONS: readonly string[] = [
  'ap-bangkok',
  'ap-beijing',
  'ap-beijing-1',
  'ap-beijing-fsi',
  'ap-chengdu',
  'ap-chongqing',
  'ap-guangzhou',
  'ap-hongkong',
  'ap-jakarta',
  'ap-mumbai',
  'ap-nanjing',
  'ap-seoul',
  'ap-shanghai',
  'ap-shanghai-fsi',
  'ap-shenzhen-fsi',
  'ap-singapore',
  'ap-tokyo',
  'eu-frankfurt',
  'na-ashburn',
  'na-siliconvalley',
  'na-toronto',
  'sa-saopaulo',
];

/** The default domain of a bucket. Captures the bucket's name and region. */
export const BUCKET_HOST = /^([a-z0-9-]+-\d+)\.cos\.([a-z0-9-]+)\.myqcloud\.com$/;
/** The host of a region: lists its buckets, and addresses them by path. Captures the region. */
const REGION_HOST = /^cos\.([a-z0-9-]+)\.myqcloud\.com$/;
const SERVICE_HOST = 'service.cos.myqcloud.com';
/** The word that host names of global acceleration have in place of a region. */
const ACCELERATE = 'accelerate';

export type CosHost =
  | { readonly kind: 'bucket'; readonly bucket: string; readonly region: string }
  | { readonly kind: 'accelerated'; readonly bucket: string }
  | { readonly kind: 'region'; readonly region: string }
  | { readonly kind: 'service' };

/** @returns null if COS has no such host. */
export function readCosHost(hostname: string): CosHost | null {
  if (hostname === SERVICE_HOST) return { kind: 'service' };
  const [, bucket = '', place = ''] = BUCKET_HOST.exec(hostname) ?? [];
  if (place === ACCELERATE) return { kind: 'accelerated', bucket };
  if (REGIONS.includes(place)) return { kind: 'bucket', bucket, region: place };
  const [, region = ''] = REGION_HOST.exec(hostname) ?? [];
  return REGIONS.includes(region) ? { kind: 'region', region } : null;
}

export function hostOf({ bucket, region }: { readonly bucket: string; readonly region: string }): string {
  return `${bucket}.cos.${region}.myqcloud.com`;
}
