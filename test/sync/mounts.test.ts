import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';

const program = fileURLToPath(new URL(`./mount-attacks-program${extname(import.meta.url)}`, import.meta.url));
const inNamespace = ['--mount', '--propagation', 'private'];

/** How many local copies may go: those on the disk that is mounted at the end. */
const attacks: readonly (readonly [attack: string, went: number])[] = [
  ['another disk is mounted in its place, and accepted', 3],
  ['it is unmounted', 0],
  ['it is swapped for its copy', 3],
  ['it is set back to a snapshot', 3],
  ['it drops out again and again while segments are sent', 25],
];

describe('the last copy and the disk behind a store, with real mounts', function () {
  this.timeout(120_000);
  before(function () {
    const { status, stderr, error } = spawnSync(
      'unshare',
      [...inNamespace, 'mount', '-t', 'tmpfs', 'none', '/mnt'],
      { encoding: 'utf8' },
    );
    if (status !== 0) lacking(this, 'mount', stderr || String(error));
  });

  for (const [attack, went] of attacks) {
    it(`goes only if the disk that is there holds it: ${attack}`, () => {
      const node = [process.execPath, ...process.execArgv, program, attack];
      const { status, stdout, stderr } = spawnSync('unshare', [...inNamespace, ...node], {
        encoding: 'utf8',
        maxBuffer: 1 << 24,
      });
      assert.equal(status, 0, stderr);
      const { gone, lost } = JSON.parse(present(stdout.trim().split('\n').at(-1))) as {
        gone: number;
        lost: string[];
      };
      assert.deepEqual(lost, []);
      assert.equal(gone, went);
    });
  }
});
