// Runs the files of the tests in several processes at once. Each process, a lane, asks for one file after the other
// (bin/test-lane.mjs) over a socket of this process. What a file prints is shown when the file has ended.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { addReport, emptyReport, printEnd } from './lane-reports.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const program = fileURLToPath(new URL('test-lane.mjs', import.meta.url));

/** More would ask too much of the servers that tests start. */
const MAX_LANES = 4;

/** As many as this machine runs at once. */
export const usualLanes = () => Math.min(availableParallelism(), MAX_LANES);

/**
 * Runs compiled files of tests, and resolves with the joined report, an exit code, and the signal that ended a lane.
 *
 * @param files   What is left to run: `{ take(lane) }` gives the next file of a lane, or undefined.
 * @param lanes   How many processes.
 * @param options `node`, `env`, `folder` for files of this run, and `onStart`, which is called with
 *   every process.
 */
export async function runInLanes(files, lanes, options) {
  const startedAt = performance.now();
  const run = new LaneRun(files, options);
  await run.listen();
  await Promise.all(Array.from({ length: lanes }, (_, index) => run.follow(index)));
  run.close();
  printEnd(run.report, performance.now() - startedAt);
  return { report: run.report, code: run.code || Math.min(run.report.failed, 255), signal: run.signal };
}

class LaneRun {
  report = emptyReport();
  code = 0;
  signal = null;
  #files;
  #options;
  #server = createServer();
  #lanes = new Map();
  #started = 0;

  constructor(files, options) {
    this.#files = files;
    this.#options = options;
  }

  get #address() {
    return join(this.#options.folder, 'lanes');
  }

  async listen() {
    this.#server.on('connection', (socket) => this.#hear(socket));
    await new Promise((resolve, reject) => this.#server.once('error', reject).listen(this.#address, resolve));
  }

  close() {
    this.#server.close();
  }

  /** Runs one lane to its end. A file that ends the process is a failure, and a new process takes the next file. */
  async follow(index) {
    for (;;) {
      const lane = this.#start(index);
      const [code, signal] = await new Promise((resolve) =>
        lane.child.once('exit', (...end) => resolve(end)),
      );
      lane.show();
      this.#lanes.delete(lane.name);
      if (signal === 'SIGINT' || signal === 'SIGTERM') this.signal = signal;
      if (lane.file === undefined || this.signal !== null) {
        this.code ||= code ?? 1;
        return;
      }
      const end = signal === null ? `exit code ${code}` : signal;
      const title = relative(root, lane.file);
      const error = `the process of the tests ended in this file: ${end}`;
      addReport(this.report, {
        ...emptyReport(),
        failed: 1,
        failures: [{ title, error, file: lane.file }],
      });
    }
  }

  #start(index) {
    const { node, env, folder, onStart } = this.#options;
    const name = `lane-${++this.#started}`;
    const path = join(folder, `${name}.txt`);
    const report = join(folder, `${name}.json`);
    const output = openSync(path, 'a');
    const child = spawn(node, [program], {
      cwd: root,
      stdio: ['ignore', output, output],
      env: { ...env, HOLDFAST_TEST_LANE: JSON.stringify({ name, address: this.#address, report }) },
    });
    closeSync(output);
    let shown = 0;
    const show = () => {
      const text = readFileSync(path);
      process.stdout.write(text.subarray(shown));
      shown = text.length;
    };
    const lane = { name, index, child, report, show, file: undefined };
    this.#lanes.set(name, lane);
    onStart(child);
    return lane;
  }

  /** A lane says its name, and afterwards that its file has ended. */
  #hear(socket) {
    let lane;
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => {
      if (lane === undefined) lane = this.#lanes.get(line);
      else this.#take(lane);
      lane.file = this.#files.take(lane.index);
      if (lane.file === undefined) socket.end();
      else socket.write(`${lane.file}\n`);
    });
  }

  /** What a lane found in its file. */
  #take(lane) {
    lane.show();
    if (existsSync(lane.report)) addReport(this.report, JSON.parse(readFileSync(lane.report, 'utf8')));
  }
}
