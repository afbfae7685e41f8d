import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { packageRoot } from '../../../src/host/version.js';
import { lacking } from '../../../src/testing/lacking.js';
import { pythonWith } from '../../support/python-packages.js';

const clouds = ['google', 'aws'] as const;
const DISTRIBUTIONS = ['python-hcl2==7.3.1'];

const PROGRAM = `
import json, sys, hcl2
print(json.dumps([hcl2.load(open(name)) for name in sys.argv[1:]], default=str))`;

function files(cloud: string): string[] {
  const folder = join(packageRoot, 'deploy', 'terraform', cloud);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tf'))
    .map((name) => join(folder, name));
}

function readWith(python: string, paths: readonly string[]): SpawnSyncReturns<string> {
  const env = { PATH: process.env['PATH'] ?? '' };
  return spawnSync(python, ['-c', PROGRAM, ...paths], { encoding: 'utf8', env });
}

/** The first line that is no border of Terraform's boxes. */
function firstLine(text: string): string {
  return /[A-Za-z].*/.exec(text)?.[0] ?? 'terraform init failed';
}

/** Without comments and descriptions. */
function textOf(cloud: string): string {
  return files(cloud)
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
    .replace(/^\s*(#|description).*$/gm, '');
}

function allOf(text: string, pattern: RegExp): Set<string> {
  return new Set([...text.matchAll(pattern)].map((match) => match.slice(1).join('.')));
}

describe('Terraform for the ground', function () {
  this.timeout(120_000);

  it('can be parsed', function () {
    const python = pythonWith(['hcl2'], DISTRIBUTIONS);
    if ('missing' in python) return lacking(this, 'helm', python.missing);
    for (const cloud of clouds) {
      const ran = readWith(python.path, files(cloud));
      assert.equal(ran.status, 0, ran.stderr);
      const parsed = JSON.parse(ran.stdout) as readonly { readonly resource?: readonly unknown[] }[];
      assert.ok(parsed.flatMap(({ resource = [] }) => resource).length > 12, cloud);
    }
  });

  for (const cloud of clouds) {
    it(`is valid for Terraform and its provider: ${cloud}`, function () {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-terraform-'));
      try {
        for (const path of files(cloud)) copyFileSync(path, join(folder, basename(path)));
        const terraform = (...args: readonly string[]): SpawnSyncReturns<string> =>
          spawnSync('terraform', [...args, '-no-color'], { cwd: folder, encoding: 'utf8' });
        const { status, stderr, error } = terraform('init', '-backend=false', '-input=false');
        if (status !== 0) lacking(this, 'terraform', firstLine(error?.message ?? stderr));
        const validated = terraform('validate');
        assert.equal(validated.status, 0, validated.stdout + validated.stderr);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    it(`declares what it refers to, and refers to every variable: ${cloud}`, () => {
      const text = textOf(cloud);
      const declared = allOf(text, /^variable "(\w+)"/gm);
      assert.deepEqual([...allOf(text, /\bvar\.(\w+)/g)].sort(), [...declared].sort());
      const resources = allOf(text, /^(?:resource|data) "(\w+)" "(\w+)"/gm);
      const provider = cloud === 'aws' ? 'aws' : 'google|random';
      const used = allOf(text, new RegExp(`(?<!")\\b((?:${provider})_\\w+)\\.(\\w+)`, 'g'));
      for (const one of used) assert.ok(resources.has(one), one);
      assert.ok(used.size > 8);
    });

    it(`contains no password, opens no bucket, and lets nobody delete: ${cloud}`, () => {
      const text = textOf(cloud);
      assert.doesNotMatch(text, /(password|secret_data)\s*=\s*"/);
      assert.match(text, /public_access_prevention\s*=\s*"enforced"|block_public_policy\s*=\s*true/);
      assert.doesNotMatch(text, /s3:(Delete|\*)|storage\.(admin|objectAdmin|objectUser)/);
    });
  }
});
