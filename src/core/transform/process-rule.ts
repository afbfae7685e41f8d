/** Limits of a program that gets messages. */
export interface ProcessLimits {
  /** Resident memory of the process with all that it starts. */
  readonly memoryMaxBytes: number;
  /** From a message to the end of its answer. */
  readonly messageMaxMs: number;
  /** From the start of the process for a segment to its end. */
  readonly segmentMaxMs: number;
  /** Everything that it writes for one segment. */
  readonly outputMaxBytes: number;
}

/** An external program that gets the messages of some topics (docs/transform-process.md), and its limits. */
export interface ProcessSpec extends ProcessLimits {
  /** The program and its arguments. No shell is involved. */
  readonly command: readonly [program: string, ...args: string[]];
}

export const PROCESS_RULE_FORM =
  'REGEX exec PROGRAM ARGUMENTS with any of memory=16..65536MiB (512MiB), message=1..3600s (10s), ' +
  'segment=1..86400s (600s), output=1..65536MiB (1024MiB) before exec';

const MEBIBYTE = 1024 * 1024;
const LIMIT = /^(memory|message|segment|output)=(\d{1,6})(MiB|s)$/;

/** Each limit in its unit: the default, the least and the most. */
const limits = {
  memory: { unit: 'MiB', standard: 512, min: 16, max: 65_536 },
  message: { unit: 's', standard: 10, min: 1, max: 3_600 },
  segment: { unit: 's', standard: 600, min: 1, max: 86_400 },
  output: { unit: 'MiB', standard: 1_024, min: 1, max: 65_536 },
} as const;

type LimitName = keyof typeof limits;

/** Parses what follows the topics in a rule of the form {@link PROCESS_RULE_FORM}; undefined if it has another form. */
export function parseProcess(words: readonly string[]): ProcessSpec | undefined {
  const at = words.indexOf('exec');
  const [program, ...args] = words.slice(at + 1);
  const bounds = parseProcessLimits(words.slice(0, at));
  if (at < 0 || program === undefined || !bounds) return undefined;
  return Object.freeze({ command: [program, ...args] as const, ...bounds });
}

/** Parses limits such as `memory=512MiB`; undefined if one has another form, stands twice or is too large. */
export function parseProcessLimits(words: readonly string[]): ProcessLimits | undefined {
  const given = new Map<LimitName, number>();
  for (const word of words) {
    const [, name = '', digits = '', unit] = LIMIT.exec(word) ?? [];
    const limit = limits[name as LimitName] as (typeof limits)[LimitName] | undefined;
    const value = Number(digits);
    if (limit?.unit !== unit || limit === undefined || given.has(name as LimitName)) return undefined;
    if (value < limit.min || value > limit.max) return undefined;
    given.set(name as LimitName, value);
  }
  const of = (name: LimitName): number => given.get(name) ?? limits[name].standard;
  return {
    memoryMaxBytes: of('memory') * MEBIBYTE,
    messageMaxMs: of('message') * 1_000,
    segmentMaxMs: of('segment') * 1_000,
    outputMaxBytes: of('output') * MEBIBYTE,
  };
}
