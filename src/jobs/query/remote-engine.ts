import type { ChildProcess } from 'node:child_process';
import { errorCatalogue, type ErrorCode } from '../../core/error-catalogue.js';
import { HoldfastError } from '../../core/errors.js';
import { humanBytes } from '../../core/human-numbers.js';
import { present } from '../../core/present.js';
import { onAbort } from '../../core/on-abort.js';
import type {
  AnswerOptions,
  EngineReply,
  QueryAnswer,
  QueryEngine,
  RemoteCall,
  ViewFiles,
  WriteText,
} from './query-engine.js';

export interface RemoteEngineOptions {
  /** Serves requests over its channel and writes answers to its standard output. */
  readonly child: ChildProcess;
  readonly signal: AbortSignal;
  readonly memoryLimitBytes: number;
  /** Aborts when one call has reached its time limit. */
  readonly deadline: () => AbortSignal;
  /** For the message of a call that took too long, ms. */
  readonly timeoutMs: number;
}

/** How the process ends if its memory could not be limited, see `limited-process.ts`. */
const UNLIMITED_EXIT = 125;
/** How the shell that sets the limit ends if it cannot run the program, or does not find it (POSIX, `exec`). */
const NOT_RUN_EXITS = [126, 127];

type Success = Extract<EngineReply, { value: unknown }>;

interface Pending {
  readonly resolve: (reply: Success) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * SQL in its own process, whose memory the system limits. Any effect of the SQL on that process (too much
 * memory, no end, a crash of DuckDB) is an error of one call here.
 */
export class RemoteEngine implements QueryEngine {
  readonly #options: RemoteEngineOptions;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #end: Error | undefined;

  constructor(options: RemoteEngineOptions) {
    this.#options = options;
    const { child } = options;
    child.on('message', (reply: EngineReply) => {
      const waiting = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('error' in reply) waiting?.reject(errorOf(reply.error));
      else waiting?.resolve(reply);
    });
    child.on('error', (cause) =>
      this.#ended(
        new HoldfastError('QUERY_FAILED', 'the process that runs queries cannot be started', { cause }),
      ),
    );
    child.on('exit', (code, signal) => this.#ended(this.#deathOf(code, signal)));
  }

  async tableNames(sql: string, known: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#call('tableNames', sql, known)).value as string[]);
  }

  async restrictTo(views: readonly ViewFiles[]): Promise<void> {
    await this.#call('restrictTo', views);
  }

  async createView(name: string, files: ViewFiles): Promise<void> {
    await this.#call('createView', name, files);
  }

  async columnsOf(files: ViewFiles): Promise<readonly { readonly name: string; readonly type: string }[]> {
    return (await this.#call('columnsOf', files)).value as { name: string; type: string }[];
  }

  async answer(sql: string, options: AnswerOptions, write: WriteText): Promise<QueryAnswer> {
    const output = present(this.#options.child.stdout);
    let passed = 0;
    let expected: number | undefined;
    // The reply overtakes the text: the text is complete when its bytes have arrived.
    let finish = (): void => {};
    let fail: (error: unknown) => void = () => {};
    const complete = new Promise<void>((resolve, reject) => ([finish, fail] = [resolve, reject]));
    complete.catch(() => {});
    const onText = (text: Buffer): void => {
      output.pause();
      write(text).then(() => {
        passed += text.byteLength;
        if (passed === expected) finish();
        output.resume();
      }, fail);
    };
    output.on('data', onText);
    try {
      const { value, written } = await this.#call('answer', sql, options);
      expected = written;
      if (passed < written) await complete;
      return value as QueryAnswer;
    } finally {
      output.off('data', onText);
    }
  }

  /** Ends the process at once: it holds nothing worth keeping. */
  [Symbol.asyncDispose](): Promise<void> {
    const { child } = this.#options;
    if (this.#end !== undefined) return Promise.resolve();
    return new Promise((done) => {
      child.once('exit', () => done());
      child.kill('SIGKILL');
    });
  }

  async #call(call: RemoteCall, ...args: readonly unknown[]): Promise<Success> {
    const { child, signal, deadline, timeoutMs } = this.#options;
    signal.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
    const late = deadline();
    const id = this.#nextId++;
    const reply = new Promise<Success>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      child.send({ id, call, args }, (error) => {
        if (error) reject(error);
      });
    });
    const unlisten = onAbort(signal, () => this.#kill(signal.reason as Error));
    const unlistenLate = onAbort(late, () =>
      this.#kill(
        new HoldfastError('QUERY_FAILED', `the query took longer than ${timeoutMs} ms and was ended`, {
          facts: { timeoutMs },
        }),
      ),
    );
    try {
      return await reply;
    } finally {
      unlisten();
      unlistenLate();
    }
  }

  #kill(reason: Error): void {
    this.#options.child.kill('SIGKILL');
    this.#ended(reason);
  }

  #ended(reason: Error): void {
    this.#end ??= reason;
    for (const { reject } of this.#pending.values()) reject(this.#end);
    this.#pending.clear();
  }

  #deathOf(code: number | null, signal: NodeJS.Signals | null): HoldfastError {
    const facts = { code, signal, memoryLimitBytes: this.#options.memoryLimitBytes };
    const message = this.#causeOf(code, signal);
    return new HoldfastError('QUERY_FAILED', message, { facts });
  }

  #causeOf(code: number | null, signal: NodeJS.Signals | null): string {
    if (code === UNLIMITED_EXIT)
      return 'this system does not limit the memory of a process, so no query is run';
    if (code !== null && NOT_RUN_EXITS.includes(code))
      return `the process that runs queries cannot be started (exit code ${code})`;
    const limit = humanBytes(this.#options.memoryLimitBytes);
    return (
      `the process that ran the query ended (${signal ?? `exit code ${code}`}): ` +
      `it most likely needed more memory than --memory-limit ${limit} allows`
    );
  }
}

function errorOf({ code, message }: { readonly code: string; readonly message: string }): HoldfastError {
  return new HoldfastError(
    Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'QUERY_FAILED',
    message,
  );
}
