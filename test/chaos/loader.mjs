/** Module hooks for `preload.mjs` that load a product file without one of its protections. */
let changes = [];

export function initialize(data) {
  changes = data;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  const mine = changes.filter(({ file }) => url.endsWith(`/${file}`));
  if (mine.length === 0) return loaded;
  const source = mine.reduce((text, { file, find, put }) => {
    const found = text.split(find).length - 1;
    if (found !== 1)
      throw new Error(
        `${file} contains "${find}" ${found} times: update test/chaos/protections.ts so that it occurs once`,
      );
    return text.replace(find, () => put);
  }, String(loaded.source));
  return { ...loaded, source };
}
