/**
 * Runs a program in a root folder as OpenShift runs a container: as a user of its own in the group 0, without capabilities, with a
 * read-only root, in which only volumes and /tmp can be written. It needs no container engine, only root and util-linux.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** A user that is in no /etc/passwd, as OpenShift picks them. */
export const UID = 1_000_650_000;

/** Its arguments: the root, the folder with the volumes, the working directory, the user, the volumes as one word, the program. */
const SCRIPT = `
set -eu
root=$1; volumes=$2; workdir=$3; user=$4; names=$5; shift 5
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for name in $names; do mount --bind "$volumes$name" "$root$name"; done
mount -o remount,bind,ro "$root"
exec unshare --root="$root" --wd="$workdir" setpriv --reuid="$user" --regid=0 --clear-groups \\
  --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
`;

/**
 * @param image \`root\`, \`workdir\`, \`env\` and \`volumes\` (folders of the image that become volumes)
 * @param home for the contents of the volumes
 */
export function createContainer({ root, workdir, env, volumes }, home) {
  const folder = join(home, 'volumes');
  mkdirSync(folder);
  // An engine fills a new volume with the folder of the image, and keeps its owner and mode.
  for (const name of volumes) execFileSync('cp', ['-a', join(root, name), join(folder, name)]);
  return {
    /** @returns {{ child: import('node:child_process').ChildProcess, ended: Promise<{ code: number, stdout: string, stderr: string }> }} */
    start(command, more = {}) {
      const args = [root, folder, workdir, String(UID), volumes.join(' '), ...command];
      const child = spawn(
        'unshare',
        ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', SCRIPT, 'sh', ...args],
        {
          env: { ...env, ...more },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      const texts = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (text) => {
          texts[name] += text;
        });
      const ended = new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code) => resolve({ code, ...texts }));
      });
      return { child, ended };
    },
    run(command, more) {
      return this.start(command, more).ended;
    },
  };
}
