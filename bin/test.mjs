// Runs the tests: installs what they need, builds, then one run of mocha over the compiled tests.
//
//   npm test                          everything but the long campaign
//   npm test -- test/wal test/seal    only below these folders or files
//   npm test -- --grep 'torn commit'  further options go to mocha
//   npm run test:campaign             the long campaign (test/campaign)
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const CAMPAIGN = join('test', 'campaign');

/** Folders in the order they run: what others build upon first, so that the first failure is the cause. */
const order = ['core', 'ingest', 'wal', 'seal', 'sources', 'stores', 'sync', 'app', '', 'faults'];

/** Programs tests call; a test that needs a server of its own installs it through its own hook. */
const programs = JSON.parse(readFileSync(join(root, 'test', 'support', 'programs.json'), 'utf8'));

function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** Debian packages of programs that are missing. Tests that go without say so themselves. */
function installPrograms() {
  const missing = Object.entries(programs).filter(([program]) => !isOnPath(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap(([, names]) => names.split(' ')))];
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const run = (...args) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return spawnSync(command, rest, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  };
  const install = () => run('install', '-y', '-qq', '--no-install-recommends', ...packages);
  console.error(`installing ${packages.join(', ')} for the tests`);
  if (!isOnPath('apt-get') || !(install() || (run('update', '-qq') && install()))) {
    console.error(`could not be installed here: ${packages.join(', ')}; tests that need them will say so`);
  }
}

/** Hooks of the tests themselves: every test/support/*.ts that exports `installForTests`. */
async function runInstallHooks() {
  const support = join(root, 'test', 'support');
  for (const name of readdirSync(support).filter((one) => one.endsWith('.ts'))) {
    const path = join(support, name);
    if (!/export (async )?function installForTests\b/.test(readFileSync(path, 'utf8'))) continue;
    const module = await import(pathToFileURL(compiled(path)).href);
    await module.installForTests();
  }
}

/** The compiled form of a TypeScript file of the checkout. */
function compiled(path) {
  return join(root, 'dist', relative(root, path)).replace(/\.ts$/, '.js');
}

/** Test files by their sources: dist/ may still hold the output of files that are gone. */
function testFiles({ campaign, only }) {
  const sources = readdirSync(join(root, 'test'), { recursive: true })
    .map((name) => join('test', name))
    .filter((name) => name.endsWith('.test.ts') && name.startsWith(CAMPAIGN + sep) === campaign)
    .filter((name) => only.length === 0 || only.some((prefix) => name.startsWith(prefix)));
  const rank = (name) => {
    const folder = relative('test', dirname(name)).split(sep)[0];
    const index = order.indexOf(folder);
    return index < 0 ? order.length : index;
  };
  return sources
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => compiled(join(root, name)));
}

const args = process.argv.slice(2);
const campaign = args.includes('--campaign');
const rest = args.filter((arg) => arg !== '--campaign');
const only = rest.filter((arg) => /^(\.\/)?test\//.test(arg)).map((arg) => arg.replace(/^\.\//, ''));
const mochaOptions = rest.filter((arg) => !/^(\.\/)?test\//.test(arg));

installPrograms();
build();
await runInstallHooks();
const files = testFiles({ campaign, only });
if (files.length === 0) {
  console.error(`no tests ${campaign ? `below ${CAMPAIGN}` : `match ${only.join(' ')}`}`);
  process.exit(1);
}
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const child = spawn(
  process.execPath,
  ['--enable-source-maps', mocha, '--config', '.mocharc.json', ...mochaOptions, ...files],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
