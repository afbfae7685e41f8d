import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

export type Sanitizer = 'thread' | 'address,undefined';

const folder = join(packageRoot, 'test', 'native');
const core = join(packageRoot, 'native', 'core');

/** The harness of the native receiver, compiled with a sanitizer. */
export class Harness {
  readonly #program: string;
  readonly #folder: string;

  private constructor(program: string, made: string) {
    this.#program = program;
    this.#folder = made;
  }

  /** A sentence where this machine cannot compile it, though it compiles nothing else either. */
  static compile(sanitizer: Sanitizer): Harness | string {
    const made = mkdtempSync(join(tmpdir(), 'holdfast-harness-'));
    const program = join(made, 'harness');
    const sources = readdirSync(core).filter((name) => name.endsWith('.cpp'));
    const warnings = ['-Wall', '-Wextra', '-Wshadow', '-Werror', '-Wno-error=tsan'];
    const flags = ['-std=c++17', '-O1', '-g', `-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all'];
    const compile = (args: readonly string[], input?: string): { status: number | null; stderr: string } =>
      spawnSync('g++', [...flags, ...args, '-o', program, '-lpthread'], {
        encoding: 'utf8',
        ...(input === undefined ? {} : { input }),
      });
    const empty = compile(['-x', 'c++', '-'], 'int main() { return 0; }');
    if (empty.status !== 0) {
      rmSync(made, { recursive: true, force: true });
      return empty.status === null ? 'g++ is not installed' : `g++ has no -fsanitize=${sanitizer}`;
    }
    const all = [join(folder, 'harness.cpp'), ...sources.map((name) => join(core, name))];
    const { status, stderr } = compile([...warnings, ...all]);
    if (status !== 0) throw new Error(`the harness does not compile:\n${stderr}`);
    return new Harness(program, made);
  }

  scenarios(): readonly string[] {
    return this.#run(['list']).stdout.trim().split('\n');
  }

  /** Throws with what the harness or the sanitizer has found. */
  run(scenario: string, seed = 1): void {
    const { status, signal, stdout, stderr } = this.#run([scenario, String(seed)]);
    if (status === 0 && stdout === 'ok\n' && stderr === '') return;
    throw new Error(`${scenario}, seed ${seed}: ended with ${signal ?? status}\n${stdout}${stderr}`);
  }

  #run(args: readonly string[]) {
    const options = { encoding: 'utf8', timeout: 240_000 } as const;
    const result = spawnSync(this.#program, args, options);
    // Where the kernel spreads addresses wider than the sanitizer expects.
    if (!/unexpected memory mapping/.test(result.stderr)) return result;
    return spawnSync('setarch', ['-R', this.#program, ...args], options);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
