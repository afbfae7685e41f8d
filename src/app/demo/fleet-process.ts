import { randomBytes } from 'node:crypto';
import { fstatSync, realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeError, HoldfastError } from '../../core/errors.js';
import { deferred } from '../../sources/deferred.js';
import { FleetServer } from '../../sources/sim/fleet-server.js';
import { readSimOptions } from '../../sources/sim/sim-options.js';
import { createStreamLogger } from '../../host/stream-logger.js';
import { systemClock } from '../../host/system-clock.js';

const usage = `A simulated fleet as a process of its own.

  --sim OPTIONS          as behind sim:? (default: robots=3)
  --host HOST            default: 127.0.0.1
  --port PORT            default: 0, a free one
  --buffer-mb N          sent and not confirmed, beyond which messages are skipped (default: 16)
  --wait-for-listener    let time begin when the first recorder comes
  --exit-with-parent     end when the process that started this one has ended

Prints one JSON line when it listens and its ledger as one JSON line at the end. The words "stop" and "exit"
on standard input, or as messages over IPC, and the same requests over TCP command it; SIGTERM and SIGINT
mean exit.`;

const PARENT_CHECK_MS = 500;
const MB = 1024 * 1024;

interface FleetArguments {
  readonly sim: string;
  readonly host: string;
  readonly port: number;
  readonly bufferMaxBytes: number;
  readonly waitForListener: boolean;
  readonly exitWithParent: boolean;
}

function readArguments(args: readonly string[]): FleetArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sim: { type: 'string', default: 'robots=3' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      'buffer-mb': { type: 'string', default: '16' },
      'wait-for-listener': { type: 'boolean', default: false },
      'exit-with-parent': { type: 'boolean', default: false },
    },
  });
  const [port, bufferMb] = [Number(values.port), Number(values['buffer-mb'])];
  const faults = [
    ...(Number.isInteger(port) && port >= 0 && port <= 65_535 ? [] : [`--port ${values.port}: 0 to 65535`]),
    ...(bufferMb > 0 && bufferMb <= 4_096 ? [] : [`--buffer-mb ${values['buffer-mb']}: above 0, to 4096`]),
  ];
  if (faults.length > 0) throw new HoldfastError('CONFIG_INVALID', faults.join('; '), { facts: { faults } });
  return {
    ...{ sim: values.sim, host: values.host, port, bufferMaxBytes: Math.floor(bufferMb * MB) },
    waitForListener: values['wait-for-listener'],
    exitWithParent: values['exit-with-parent'],
  };
}

async function main(): Promise<void> {
  const { sim, exitWithParent, ...listening } = readArguments(process.argv.slice(2));
  const logger = createStreamLogger({
    role: 'fleet',
    nowMs: Date.now,
    write: (line) => void process.stderr.write(line),
  });
  const exit = deferred();
  const server = await FleetServer.start({
    ...{ ...listening, plan: readSimOptions(sim), clock: systemClock, random: randomBytes, logger },
    onExit: exit.resolve,
  });
  takeWords((word) => {
    if (word === 'stop') void server.stop();
    if (word === 'exit') exit.resolve();
  });
  if (exitWithParent) watchParent(exit.resolve);
  process.once('SIGTERM', () => exit.resolve());
  process.once('SIGINT', () => exit.resolve());
  const { host, port } = server.address;
  say({ uri: server.uri, host, port, fleetId: server.fleetId });
  await exit.promise;
  const ledger = await server.stop();
  await server.close();
  say(ledger);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Requests of the parent process. The end of that connection means exit. */
function takeWords(onWord: (word: unknown) => void): void {
  if (process.send !== undefined) {
    process.on('message', onWord);
    process.once('disconnect', () => onWord('exit'));
  }
  // A terminal or /dev/null sends no commands; a pipe does.
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => onWord(line.trim()));
  lines.once('close', () => onWord('exit'));
}

function watchParent(onGone: () => void): void {
  const { ppid } = process;
  setInterval(() => {
    if (process.ppid !== ppid) onGone();
  }, PARENT_CHECK_MS).unref();
}

const isEntry =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isEntry) {
  if (process.argv.includes('--help')) {
    process.stdout.write(`${usage}\n`);
  } else {
    main().then(
      // Standard input, the parent's channel and timers must not keep it alive.
      () => process.stdout.write('', () => process.exit(0)),
      (error: unknown) => {
        process.stderr.write(`fleet: ${describeError(error)}\n`);
        process.exitCode = 2;
        process.stdin.destroy();
        if (process.connected) process.disconnect();
      },
    );
  }
}
