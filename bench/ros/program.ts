import { spawn, type ChildProcess } from 'node:child_process';

/** A child in a process group of its own, with its output. */
export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  output(): string;
  /** The match in its output from `from` on; rejects when it ends without, or after `timeoutMs`. */
  waitFor(pattern: RegExp, from?: number, timeoutMs?: number): Promise<RegExpExecArray>;
  readonly ended: Promise<void>;
  /** Sends the signal to its group, SIGKILL after `patienceMs`; resolves when it has ended. */
  stop(signal: NodeJS.Signals, patienceMs?: number): Promise<void>;
}

const running = new Set<Program>();

export function startProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Program {
  const child = spawn(command, [...args], { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let text = '';
  const watchers = new Set<() => void>();
  const notify = (): void => [...watchers].forEach((watcher) => watcher());
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      notify();
    });
  }
  // Writing to one that has ended is no error of ours.
  child.stdin.on('error', () => undefined);
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    const end = (error?: unknown): void => {
      if (error instanceof Error) text += String(error);
      isOver = true;
      running.delete(program);
      resolve();
      notify();
    };
    child.on('error', end);
    child.on('close', end);
  });
  const program: Program = {
    child,
    pid: child.pid ?? 0,
    output: () => text,
    ended,
    waitFor: (pattern, from = 0, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const finish = (match: RegExpExecArray | undefined, why: string): void => {
          clearTimeout(timer);
          watchers.delete(look);
          if (match) resolve(match);
          else reject(new Error(`${command} ${why} ${String(pattern)}:\n${text.slice(-2000)}`));
        };
        const look = (): void => {
          const match = pattern.exec(text.slice(from));
          if (match) finish(match, '');
          else if (isOver) finish(undefined, 'ended without');
        };
        const timer = setTimeout(() => finish(undefined, 'did not print in time'), timeoutMs);
        watchers.add(look);
        look();
      }),
    async stop(signal, patienceMs = 5_000) {
      send(child, signal);
      const timer = setTimeout(() => send(child, 'SIGKILL'), patienceMs);
      await ended;
      clearTimeout(timer);
    },
  };
  running.add(program);
  return program;
}

function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}

/** Nothing outlives the benchmark. */
export async function stopPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop('SIGKILL')));
}
process.once('exit', () => running.forEach(({ child }) => send(child, 'SIGKILL')));
