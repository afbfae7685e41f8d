import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commands } from '../../../src/app/cli/commands.js';
import { completionScript } from '../../../src/app/cli/completion-script.js';
import { buildProgram } from '../../../src/app/cli/program.js';
import { renderMan } from '../../../src/app/render/render-man.js';
import { lacking } from '../../../src/testing/lacking.js';

describe('the completion of a shell', () => {
  const program = buildProgram(() => Promise.resolve());
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-completion-'));
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      writeFileSync(join(folder, shell), completionScript(program, shell));
    }
    writeFileSync(join(folder, 'holdfast.1'), renderMan());
    writeFileSync(join(folder, 'drive.mcap'), '');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** What bash offers after the words; the last one is incomplete. */
  function offered(...words: string[]): string[] {
    const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync('bash', ['-c', script, 'bash', ...words], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return stdout.trim().split('\n');
  }

  it('offers every command, its flags and no other’s, and files, in bash', () => {
    assert.deepEqual(
      offered('holdfast', '').toSorted(),
      [...commands.map(({ name }) => name), '--help', '--version'].toSorted(),
    );
    assert.deepEqual(offered('holdfast', 'install'), ['install-service']);
    assert.deepEqual(offered('holdfast', 'doctor', '--str'), ['--strict']);
    assert.deepEqual(offered('holdfast', 'ls', '--bandw'), ['']);
    assert.deepEqual(offered('holdfast', 'cat', 'dri'), ['drive.mcap']);
    // A value follows this flag: a path, not a flag.
    assert.deepEqual(offered('holdfast', 'record', '--data', 'dri'), ['drive.mcap']);
  });

  for (const [shell, flags] of [
    ['bash', ['-n']],
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
  ] as const) {
    it(`is a script that ${shell} can read`, function () {
      const { error, status, stderr } = spawnSync(shell, [...flags, join(folder, shell)], {
        encoding: 'utf8',
      });
      if (error !== undefined) lacking(this, 'peer', `${shell} is not installed`);
      assert.equal(status, 0, stderr);
      assert.equal(stderr, '');
    });
  }

  it('has a man page beside it that man shows without a warning, with every command', function () {
    const { error, status, stdout, stderr } = spawnSync(
      'man',
      ['--warnings', '--encoding=utf8', '--local-file', join(folder, 'holdfast.1')],
      { encoding: 'utf8', env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' } },
    );
    if (error !== undefined) lacking(this, 'peer', 'man is not installed');
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /warning/);
    const words = stdout.replaceAll(/\s+/g, ' ');
    for (const { name, summary } of commands) assert.ok(words.includes(`${name}: ${summary}`), name);
    assert.match(stdout, /--segment-max-bytes <size>/);
  });
});
