import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { present } from '../../../src/core/present.js';
import { nodeLoader, startRos, type RosChild, type RosInstall } from '../../support/ros.js';
import { testedReceiver } from '../../support/tested-receiver.js';

/** The page and the live server are proven elsewhere; here they would take the time of the tests. */
const unwatched = [...parameter('web.enabled', false), ...parameter('foxglove.enabled', false)];

/** The program of a node, without ROS arguments. */
export function nodeCommand(role: 'recorder' | 'sync'): readonly string[] {
  const extension = extname(import.meta.url);
  const main = fileURLToPath(new URL(`../../../src/app/ros/${role}-main${extension}`, import.meta.url));
  return [process.execPath, ...nodeLoader, main];
}

/** Starts holdfast_recorder or holdfast_sync; `args` stand behind `--ros-args` and win over what is said here. */
export function startNode(
  ros: RosInstall,
  role: 'recorder' | 'sync',
  args: readonly string[],
  domainId: number,
  env: NodeJS.ProcessEnv = {},
): RosChild {
  const [program, ...rest] = nodeCommand(role);
  const receiver = parameter('ros.receive', testedReceiver);
  const all = [...(role === 'recorder' ? [...unwatched, ...receiver] : []), ...args];
  return startRos(ros, present(program), [...rest, '--ros-args', ...all], { domainId, env });
}

/** A parameter as an argument. */
export function parameter(name: string, value: unknown): string[] {
  return ['-p', `${name}:=${JSON.stringify(value)}`];
}

export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'holdfast-ros-'));

  at(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
