/** Installs Go, and libraries that the Go suites need, from Debian's packages. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unpackPackages } from './debian.mjs';

/** The libraries that `cos-go-sdk-v5` needs but does not contain in its `vendor` folder, by Debian package. */
const LIBRARIES = {
  'github.com/clbanning/mxj': 'golang-github-clbanning-mxj-dev',
  'github.com/davecgh/go-spew': 'golang-github-davecgh-go-spew-dev',
  'github.com/google/uuid': 'golang-github-google-uuid-dev',
  'github.com/mitchellh/mapstructure': 'golang-github-mitchellh-mapstructure-dev',
  'github.com/pmezard/go-difflib': 'golang-github-pmezard-go-difflib-dev',
};

/** @returns the path of `go` (from PATH, or else from Debian's package), and the folder of each library, by the library's name */
export async function installGo() {
  const place = await unpackPackages('go', ['golang-go', ...Object.values(LIBRARIES)]);
  const source = join(place, 'usr', 'share', 'gocode', 'src');
  const libraries = Object.fromEntries(Object.keys(LIBRARIES).map((name) => [name, join(source, name)]));
  return { go: findGo(place), libraries };
}

function findGo(place) {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return 'go';
  } catch {
    const [version] = readdirSync(join(place, 'usr', 'lib')).filter((name) => name.startsWith('go-'));
    return join(place, 'usr', 'lib', version, 'bin', 'go');
  }
}
