import { spawnSync } from 'node:child_process';

/** Two network namespaces joined by one cable, as two vehicles by a radio. */
export interface Cable {
  /** Names for `ip netns exec`. */
  readonly near: string;
  readonly far: string;
  /** Name of the interface at the far end. */
  readonly farInterface: string;
  /** Lets the far end lose and reorder what it sends; false: this kernel cannot. */
  impair(...netem: readonly string[]): boolean;
  close(): void;
}

function ip(...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr || String(error)}`);
}

/** `10.77.0.1` and `fd77::1` near, `.2` and `::2` far. A string: why it is not possible here. */
export function layCable(): Cable | string {
  const tag = String(process.pid);
  const [near, far] = [`hfn${tag}`, `hff${tag}`];
  const [nearInterface, farInterface] = [`vn${tag}`, `vf${tag}`];
  const close = (): void => {
    for (const name of [near, far]) spawnSync('ip', ['netns', 'del', name]);
  };
  try {
    for (const name of [near, far]) ip('netns', 'add', name);
    ip('link', 'add', nearInterface, 'type', 'veth', 'peer', 'name', farInterface);
    const ends = [
      [near, nearInterface, 1],
      [far, farInterface, 2],
    ] as const;
    for (const [name, device, host] of ends) {
      ip('link', 'set', device, 'netns', name);
      ip('-n', name, 'addr', 'add', `10.77.0.${host}/24`, 'dev', device);
      ip('-n', name, '-6', 'addr', 'add', `fd77::${host}/64`, 'dev', device, 'nodad');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', device, 'up');
    }
  } catch (error) {
    close();
    return String(error);
  }
  return {
    ...{ near, far, farInterface, close },
    impair: (...netem) =>
      spawnSync('tc', ['-n', far, 'qdisc', 'replace', 'dev', farInterface, 'root', 'netem', ...netem])
        .status === 0,
  };
}
