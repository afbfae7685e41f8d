// Runs the tests: installs what they need, builds, then one run of mocha over the compiled tests.
//
//   npm test                          everything but the long campaign
//   npm test -- test/wal test/seal    only below these folders or files
//   npm test -- --grep 'torn commit'  further options go to mocha
//   npm test -- --node 26             everything below app, and the demo, on another version of Node.js
//   npm test -- --node 26 --short     the part of it that .ci/run has time for (bin/short-tests.mjs), and the demo
//   npm test -- --ordinary-user       root only: as a user without rights, in a copy of the checkout
//   npm test -- --ordinary-user --short   the part of it that .ci/run has time for
//   npm test -- --jobs 1              one file after the other; the default is one for each processor, at most four
//   npm test -- --second-attempt      runs the files of at most three failed tests once more (bin/second-attempt.mjs)
//   npm run coverage                  everything, with line coverage judged by coverage.json
//   npm run test:campaign             the long campaign (test/campaign)
import './require-node.mjs';
import './end-with-parent.mjs';
import './sbin-on-path.mjs';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { judgeCoverage } from './coverage.mjs';
import { acceptedLacks, judgeMissingNode, judgeTests, tally } from './judge-tests.mjs';
import { divide, LanePlan } from './lane-plan.mjs';
import { addReport } from './lane-reports.mjs';
import { nodeOfMajor } from './node-version.mjs';
import { isRoot, ordinaryShort, testAsOrdinaryUser } from './ordinary-user.mjs';
import { filesToRepeat, joinReports } from './second-attempt.mjs';
import { readTimes, saveTimes, shortTests } from './short-tests.mjs';
import { runInLanes, usualLanes } from './test-lanes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const CAMPAIGN = join('test', 'campaign');

/** Folders in the order they run: what others build upon first, so that the first failure is the cause. */
const order = [
  'core',
  'host',
  'simulation',
  'ingest',
  'wal',
  'seal',
  'sources',
  'stores',
  'sync',
  'exporters',
  'monitors',
  'settings',
  'recordings',
  'recorder',
  'logger',
  'jobs',
  'log',
  'v2v',
  'uplink',
  'ground',
  'app',
  'golden',
  '',
  'faults',
];

/** What runs on every supported version of Node.js: all but ROS, the app and the faults of a real disk; then the demo. */
const onEveryNode = [
  ...order
    .filter((name) => name !== '' && name !== 'app' && name !== 'faults')
    .map((name) => `test/${name}/`),
];

/** Programs tests call; a test that needs a server of its own installs it through its own hook. */
const programs = JSON.parse(readFileSync(join(root, 'test', 'support', 'programs.json'), 'utf8'));

function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
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
    .filter((name) => only.length === 0 || only.some((prefix) => name.startsWith(prefix)))
    .filter((name) => !(isOrdinary && needsRos(name)));
  const rank = (name) => {
    const folder = relative('test', dirname(name)).split(sep)[0];
    const index = order.indexOf(folder);
    return index < 0 ? order.length : index;
  };
  return sources.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/**
 * Whether a file is about ROS on this machine. An ordinary user's copy of the checkout has no add-ons built for it, and
 * building them takes longer than all other tests of that run.
 */
function needsRos(name) {
  return name.startsWith(join('test', 'ros') + sep) || name.startsWith(join('test', 'sources', 'ros') + sep);
}

/** Those of the files that .ci/run has time for. */
function chooseShort(files) {
  const times = readTimes();
  if (times === undefined) {
    console.log('no run has left the times of the tests yet: --short runs all of them');
    return files;
  }
  const { budgetMs, first } = isOrdinary ? ordinaryShort : {};
  const chosen = shortTests(files, times, budgetMs, first);
  console.log(
    `--short runs ${chosen.length} of ${files.length} test files, chosen by the times of the last run`,
  );
  return chosen;
}

/** The value of an option and the arguments without it. */
function takeOption(args, name) {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (at < 0) return { value: undefined, rest: args };
  const isJoined = args[at] !== name;
  const value = isJoined ? args[at].slice(name.length + 1) : (args[at + 1] ?? '');
  return { value, rest: args.filter((_, index) => index !== at && (isJoined || index !== at + 1)) };
}

const { value: major, rest: afterNode } = takeOption(process.argv.slice(2), '--node');
const { value: jobs = String(usualLanes()), rest: args } = takeOption(afterNode, '--jobs');
const campaign = args.includes('--campaign');
const covers = args.includes('--coverage');
const isShort = args.includes('--short');
const isOrdinary = args.includes('--ordinary-user');
const repeats = args.includes('--second-attempt');
const switches = ['--campaign', '--coverage', '--short', '--ordinary-user', '--second-attempt'];
const rest = args.filter((arg) => !switches.includes(arg));
const named = rest.filter((arg) => /^(\.\/)?test\//.test(arg)).map((arg) => arg.replace(/^\.\//, ''));
const mochaOptions = rest.filter((arg) => !/^(\.\/)?test\//.test(arg));
const only = named.length === 0 && major !== undefined ? onEveryNode : named;
const accepted = acceptedLacks(process.env.HOLDFAST_TEST_LACKS);
if (!/^[1-9]\d?$/.test(jobs)) {
  console.error(`--jobs is "${jobs}", allowed: 1 to 99`);
  process.exit(2);
}
let node = process.execPath;
try {
  if (major !== undefined) node = nodeOfMajor(major);
} catch (error) {
  console.error(error.message);
  if (!isShort) process.exit(2);
  process.exit(judgeMissingNode(major, accepted) ? 0 : 1);
}
// Tests start `node` by its name too.
if (major !== undefined) process.env.PATH = [dirname(node), process.env.PATH].join(delimiter);

installPrograms();
build();
// The copy for another user holds what is built and installed here.
if (isOrdinary && isRoot()) process.exit(await testAsOrdinaryUser(process.argv.slice(2)));
await runInstallHooks();
const sources = testFiles({ campaign, only });
const files = (isShort ? chooseShort(sources) : sources).map((name) => compiled(join(root, name)));
if (files.length === 0) {
  console.error(`no tests ${campaign ? `below ${CAMPAIGN}` : `match ${only.join(' ')}`}`);
  process.exit(1);
}
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const isWhole = named.length === 0 && mochaOptions.length === 0 && major === undefined && !campaign;
const reportFolder = mkdtempSync(join(tmpdir(), 'holdfast-tests-'));
const report = join(reportFolder, 'report.json');
const reporter = compiled(join(root, 'test', 'support', 'honest-reporter.ts'));
const coverage = covers ? join(reportFolder, 'coverage') : undefined;
const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => children.forEach((child) => child.kill(signal)));
}
let { code, signal } = await runFiles(files, report);
const again = repeats && signal === null && existsSync(report) ? repeatable() : [];
if (again.length > 0) {
  const secondReport = join(reportFolder, 'second.json');
  console.log(`\na second attempt at ${again.map((path) => relative(root, path)).join(', ')}`);
  const second = await runMocha(again, secondReport);
  signal = second.signal;
  if (existsSync(secondReport) && joinReports(report, secondReport)) code = second.code;
}
const isAccepted = judgeTests(
  report,
  accepted,
  coverage === undefined ? [] : judgeCoverage(coverage, isWhole),
);
if (major === undefined && mochaOptions.length === 0) keepTimes();
rmSync(reportFolder, { recursive: true, force: true });
process.exitCode = signal === null ? code || (isAccepted ? 0 : 1) : 1;
if (process.exitCode === 0 && major !== undefined && named.length === 0) runDemo(node);

/** Runs compiled files, several at once, and then those that must run alone. The report is of both. */
async function runFiles(files, report) {
  const { together, alone } = divide(files.map(sourceOf));
  const lanes = Math.min(Number(jobs), together.length);
  // Options of mocha, such as --grep and --watch, are for a run of its own.
  if (lanes < 2 || mochaOptions.length > 0) return runMocha(files, report);
  const plan = new LanePlan(together, readTimes());
  const compiledOf = (file) => (file === undefined ? undefined : compiled(join(root, file)));
  const options = { node, env: environment(), folder: reportFolder, onStart: follow };
  const first = await runInLanes({ take: (lane) => compiledOf(plan.take(lane)) }, lanes, options);
  writeFileSync(report, JSON.stringify(first.report));
  if (alone.length === 0 || first.signal !== null) return first;
  const aloneReport = join(reportFolder, 'alone.json');
  const second = await runMocha(alone.map(compiledOf), aloneReport);
  if (existsSync(aloneReport)) addReport(first.report, JSON.parse(readFileSync(aloneReport, 'utf8')));
  writeFileSync(report, JSON.stringify(first.report));
  return { code: first.code || second.code, signal: second.signal };
}

/** Runs mocha over compiled files, and resolves with its exit code and signal. The reporter writes the report. */
function runMocha(files, report) {
  const options = [mocha, '--config', '.mocharc.json', '--reporter', reporter];
  if (coverage !== undefined) options.push('--require', join(root, 'bin', 'cover-only-here.mjs'));
  const env = { ...environment(), HOLDFAST_TEST_REPORT: report };
  const child = spawn(node, [...options, ...mochaOptions, ...files], { cwd: root, stdio: 'inherit', env });
  follow(child);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
}

/** Of a process that runs tests. */
function environment() {
  // Tests of this program start it again, and must not count.
  return {
    ...process.env,
    HOLDFAST_TEST_TALLY: undefined,
    ...(coverage === undefined ? {} : { NODE_V8_COVERAGE: coverage }),
  };
}

/** Signals reach a process while it runs. */
function follow(child) {
  children.add(child);
  child.once('exit', () => children.delete(child));
}

/** The source of a compiled file, as a path below the checkout. */
function sourceOf(path) {
  return relative(join(root, 'dist'), path).replace(/\.js$/, '.ts').split(sep).join('/');
}

/** The files for a second attempt. */
function repeatable() {
  return filesToRepeat(JSON.parse(readFileSync(report, 'utf8')));
}

/** Keeps how long each file took, for --short. */
function keepTimes() {
  if (!existsSync(report)) return;
  const { fileTimes = {} } = JSON.parse(readFileSync(report, 'utf8'));
  saveTimes(Object.fromEntries(Object.entries(fileTimes).map(([path, ms]) => [sourceOf(path), ms])));
}

/** The whole product once: a fleet, kills, an upload, and the count of what arrived. */
function runDemo(node) {
  const demo = spawn(node, [join(root, 'dist', 'src', 'app', 'main.js'), 'demo'], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal));
  demo.on('close', (code) => {
    process.exitCode = code ?? 1;
    console.log(`the demo on Node.js ${major}: ${code === 0 ? 'passed' : `failed (${code})`}`);
    tally({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });
  });
}
