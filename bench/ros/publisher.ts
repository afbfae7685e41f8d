import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/host/version.js';
import type { Case } from './cases.js';
import { startProgram, type Program } from './program.js';

const run = promisify(execFile);

/** What the publisher says when it has published everything. */
export interface Published {
  readonly published: number;
  /** Never published, as a publish() before it was held up for too long. */
  readonly skipped: number;
  readonly seconds: number;
  /** In calls of publish() longer than 5 ms. */
  readonly heldUpMs: number;
}

/** What bench/ros/programs holds, compiled. */
export interface BenchPrograms {
  readonly publisher: string;
  readonly floor: string;
}

/** Compiles bench/ros/programs against the sourced ROS into `folder`. */
export async function buildPrograms(folder: string, env: NodeJS.ProcessEnv): Promise<BenchPrograms> {
  const source = join(packageRoot, 'bench', 'ros', 'programs');
  await run('cmake', ['-S', source, '-B', folder, '-DCMAKE_BUILD_TYPE=Release'], { env });
  await run('cmake', ['--build', folder], { env });
  return { publisher: join(folder, 'bench_publisher'), floor: join(folder, 'bench_floor') };
}

/** Options as the programs of bench/ros/programs take them. */
export function programArguments(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** The publisher as a process: it waits for its subscribers, then for {@link go}. */
export class Publisher {
  readonly #program: Program;

  /** @param prefix - Its topics are `<prefix>/t0` and so on. */
  constructor(path: string, load: Case, seconds: number, env: NodeJS.ProcessEnv, prefix = '/bench') {
    const options = {
      size: load.sizeBytes,
      rate: load.perS,
      topics: load.topics,
      seconds,
      prefix,
      image: load.isImage ? 1 : 0,
    };
    this.#program = startProgram(path, programArguments(options), env);
  }

  /** Resolves once every topic has a subscriber. */
  matched(): Promise<unknown> {
    return this.#program.waitFor(/^matched$/m);
  }

  go(): void {
    this.#tell('go');
  }

  /** Published so far. */
  async count(): Promise<number> {
    const before = this.#program.output().length;
    this.#tell('count');
    return Number((await this.#program.waitFor(/^count (\d+)$/m, before))[1]);
  }

  /** Resolves when everything is published and acknowledged by the subscribers, or 5 s later. */
  async done(timeoutMs: number): Promise<Published> {
    return JSON.parse((await this.#program.waitFor(/^\{.*\}$/m, 0, timeoutMs))[0]) as Published;
  }

  async end(): Promise<void> {
    this.#tell('end');
    await this.#program.stop('SIGTERM');
  }

  #tell(line: string): void {
    this.#program.child.stdin?.write(`${line}\n`);
  }
}
