import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { rm } from 'node:fs/promises';

/** What a sample of the processor was doing. */
export type CpuUse = (typeof cpuUses)[number];

export const cpuUses = [
  'kernel',
  'garbage collection',
  'sums',
  'compression',
  'take',
  'wait',
  'middleware',
  'JavaScript',
  'other',
] as const;

/** Shares of the samples, 0 to 1, adding up to 1; all 0 if there was no sample. */
export type CpuSplit = Readonly<Record<CpuUse, number>>;

export interface Profile {
  stop(): Promise<CpuSplit>;
}

/** Samples a second of each thread that runs. */
const SAMPLES_PER_S = 499;

/** Why processor time cannot be sampled here; undefined if it can. perf is in Debian's package linux-perf. */
export function whyNoProfile(): string | undefined {
  const args = ['record', '-e', 'cpu-clock', '-o', '/dev/null', '--', 'true'];
  const { status, error } = spawnSync('perf', args, { stdio: 'ignore' });
  if (error) return 'perf is not installed (Debian: linux-perf)';
  return status === 0 ? undefined : 'perf may not sample here (see kernel.perf_event_paranoid)';
}

/** Samples these processes and all their threads until {@link Profile.stop}. */
export function recordProfile(pids: readonly number[], file: string): Profile {
  const events = ['-e', 'cpu-clock', '-F', String(SAMPLES_PER_S), '-g'];
  const perf = spawn('perf', ['record', ...events, '-p', pids.join(','), '-o', file], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    perf.on('close', () => resolve());
    perf.on('error', () => resolve());
  });
  return {
    stop: async () => {
      perf.kill('SIGINT');
      await ended;
      const split = await splitOf(file);
      await rm(file, { force: true });
      return split;
    },
  };
}

async function splitOf(file: string): Promise<CpuSplit> {
  const script = spawn('perf', ['script', '-i', file, '-F', 'comm,ip,sym,dso'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const counts = new Map<CpuUse, number>();
  let stack: string[] = [];
  const finish = (): void => {
    if (stack.length > 0) {
      const use = useOf(stack);
      counts.set(use, (counts.get(use) ?? 0) + 1);
    }
    stack = [];
  };
  for await (const line of createInterface({ input: script.stdout })) {
    if (line.startsWith('\t')) stack.push(line.trim());
    else finish();
  }
  finish();
  const total = Math.max(
    1,
    [...counts.values()].reduce((sum, each) => sum + each, 0),
  );
  return Object.fromEntries(cpuUses.map((use) => [use, (counts.get(use) ?? 0) / total])) as CpuSplit;
}

/** The first rule that fits decides. `leaf`: only the function that ran; else any of its callers too. */
const rules: readonly { readonly use: CpuUse; readonly pattern: RegExp; readonly leaf?: boolean }[] = [
  { use: 'kernel', pattern: /\((\[kernel|\[vdso|\[guest\.kernel)/, leaf: true },
  {
    use: 'garbage collection',
    pattern:
      /v8::internal::(\w*Scaveng|\w*Mark|\w*Sweep|\w*Evacuat|Heap::|ArrayBufferSweeper|\w*GarbageCollect)/,
  },
  { use: 'sums', pattern: /crc32|sha256|adler/i, leaf: true },
  { use: 'compression', pattern: /ZSTD_|LZ4_|HUF_|FSE_|wasm-zstd/ },
  { use: 'take', pattern: /rclTake|RclTake|rcl_take|rmw_take|__rmw_take/ },
  { use: 'wait', pattern: /rcl_wait|rmw_wait|__rmw_wait|rclnodejs::Executor|dds_waitset|WaitSet/ },
  { use: 'middleware', pattern: /\(\S*lib(fastrtps|fastdds|fastcdr|ddsc|zenoh\w*|rmw_\w+|rcl\w*)\.so/ },
  { use: 'JavaScript', pattern: /Builtins_|\(\[?(unknown|anon|\/\/anon)|perf-\d+\.map|v8::internal::/ },
];

/** @param stack Lines of perf script, the function that ran first: `address symbol (object)`. */
export function useOf(stack: readonly string[]): CpuUse {
  const [leaf = ''] = stack;
  const all = stack.join('\n');
  return rules.find((rule) => rule.pattern.test(rule.leaf === true ? leaf : all))?.use ?? 'other';
}
