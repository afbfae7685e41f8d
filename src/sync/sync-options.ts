import { HoldfastError } from '../core/errors.js';
import { jsonText } from '../core/json-text.js';
import type { Alternative } from '../core/send-policy/condition.js';
import { isTimeZone } from '../core/send-policy/local-time.js';
import { passClasses, type PassClass } from '../core/send-policy/send-class.js';
import { uploadPolicies, type UploadPolicy } from '../core/sink.js';

/** How sync behaves. Every field has a default ({@link syncOptionTable}); all are validated together. */
export interface SyncOptions {
  /** Which pending segment goes first. Default `oldest-first`. */
  readonly order: 'oldest-first' | 'newest-first' | 'priority';
  /** What is uploaded without a request. Default `all`. */
  readonly upload: UploadPolicy;
  /** Alternatives of conditions; one of them must hold before anything is sent. Empty: at any time. */
  readonly when: readonly Alternative[];
  /** Bytes that each sink may send on one local day; 0: any number. Default 0. */
  readonly budgetBytesPerDay: number;
  /** Segments that are sent although conditions are not met or the budget is spent. Default: nothing. */
  readonly pass: readonly PassClass[];
  /** Time zone of hours and days; empty: that of the system. Default: empty. */
  readonly timeZone: string;
  /** Time between two looks at the conditions, ms. Default 2,000. */
  readonly conditionPollMs: number;
  /** A value of a topic of a condition that is older counts as unknown, ms. Default 60,000. */
  readonly topicMaxAgeMs: number;
  /** Size of one part, bytes. Larger files and stricter stores raise it. Default 8 MiB. */
  readonly partBytes: number;
  /** Parts held in memory, over all uploads: one being read, the others on their way. Default 3. */
  readonly partsInFlight: number;
  /**
   * Parts of one upload sent at the same time, which is also what one upload sends again after a kill.
   * Default 1. Ignored if the store takes parts in order.
   */
  readonly partsPerUpload: number;
  /** Multipart uploads sending at the same time; on a slow link one at a time. Default 2. */
  readonly uploadsInFlight: number;
  /** Segments in any stage between read and receipt at the same time. Default 12. */
  readonly segmentsInFlight: number;
  /** Bytes per second sent to the store, averaged over a part; 0: unlimited. Default 0. */
  readonly bandwidthBytesPerS: number;
  /** Time between two scans of the data folder, ms. Default 500. */
  readonly pollIntervalMs: number;
  /** Time between two rounds of deferred local writes, tombstones and sweeps, ms. Default 5,000. */
  readonly housekeepingIntervalMs: number;
  /** First wait after a failure, ms; doubled each time. Default 2,000. */
  readonly backoffFirstMs: number;
  /** Longest wait, ms. Default 120,000. */
  readonly backoffMaxMs: number;
  /** Random fraction subtracted from each wait, 0 to 1. Default 0.25. */
  readonly backoffJitter: number;
  /** An idle link is probed after this time, ms. Default 60,000. */
  readonly idleProbeMs: number;
  /** Time limit of a store call without an answer, ms, plus 1 s per 16 KiB sent. Default 300,000. */
  readonly callTimeoutMs: number;
  /** Failures after which a segment goes behind the others. Default 5. */
  readonly attemptsPerTurn: number;
  /** Refusals by the store after which a segment is parked with an alarm. Default 5. */
  readonly refusedRounds: number;
  /**
   * Turns without success that a segment may have; one more, and it is parked with an alarm. 0: no limit.
   * Default 0.
   */
  readonly maxRetries: number;
  /** Age at which unknown unfinished uploads of this data folder's robots are aborted, ms. Default 24 h. */
  readonly staleUploadAgeMs: number;
  /** Time between two looks for requests in the store, ms; 0: none. Default 60,000. */
  readonly requestPollMs: number;
  /** Segments per hour that the scrub asks the store for, local or evicted; 0: none. Default 12. */
  readonly scrubPerHour: number;
  /** Create the store's id object on first use; false: wait until it exists. Default true. */
  readonly createStoreId: boolean;
  /** Accept a store with another id than the one known under its URI. Default false. */
  readonly acceptNewStore: boolean;
  /** Try parked segments once more at the start. Default false. */
  readonly retryParked: boolean;
  /** Raise no alarm any more for the lost segments recorded at the start. Default false. */
  readonly acknowledgeLost: boolean;
}

/** Options that may change while an engine runs; the others are fixed when it is opened. */
export const liveSyncOptions = [
  'order',
  'upload',
  'when',
  'budgetBytesPerDay',
  'pass',
  'timeZone',
  'conditionPollMs',
  'topicMaxAgeMs',
  'partsPerUpload',
  'uploadsInFlight',
  'segmentsInFlight',
  'bandwidthBytesPerS',
  'pollIntervalMs',
  'housekeepingIntervalMs',
  'backoffFirstMs',
  'backoffMaxMs',
  'backoffJitter',
  'idleProbeMs',
  'callTimeoutMs',
  'attemptsPerTurn',
  'refusedRounds',
  'maxRetries',
  'staleUploadAgeMs',
  'scrubPerHour',
  'requestPollMs',
] as const satisfies readonly (keyof SyncOptions)[];

interface NumberRule {
  readonly default: number;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  readonly description: string;
}
interface ChoiceRule<T> {
  readonly default: T;
  readonly allowed: readonly T[];
  readonly description: string;
}
/** Any other value: it is checked by a function. */
interface CheckedRule<T> {
  readonly default: T;
  /** What is allowed, in words. */
  readonly form: string;
  readonly fits: (value: unknown) => boolean;
  readonly description: string;
}
// Tuples keep unions whole: the rule of a boolean allows both values.
type Rule<T> = [T] extends [number]
  ? NumberRule
  : [string] extends [T]
    ? CheckedRule<T>
    : [T] extends [readonly unknown[]]
      ? CheckedRule<T>
      : ChoiceRule<T>;

const KIB = 1024;
const MIB = 1024 * KIB;
const DAY_MS = 86_400_000;

const count = (
  standard: number,
  min: number,
  max: number,
  unit: string,
  description: string,
): NumberRule => ({
  default: standard,
  unit,
  min,
  max,
  integer: true,
  description,
});
const flag = (standard: boolean, description: string): ChoiceRule<boolean> => ({
  default: standard,
  allowed: [true, false],
  description,
});

/** Default, unit and limits of every option: the source of parameters, flags and docs/sync.md. */
export const syncOptionTable: { readonly [K in keyof SyncOptions]: Rule<SyncOptions[K]> } = {
  order: {
    default: 'oldest-first',
    allowed: ['oldest-first', 'newest-first', 'priority'],
    description: 'Which pending segment goes first.',
  },
  upload: {
    default: 'all',
    allowed: uploadPolicies,
    description:
      'What is uploaded without a request: every segment, those that overlap marked events, or none. The rest stays in the data folder until it is requested or evicted.',
  },
  when: {
    default: [],
    form: 'alternatives of conditions',
    fits: (value) => Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null),
    description: 'When segments are sent: one of these alternatives must hold; none: at any time.',
  },
  budgetBytesPerDay: count(0, 0, 1e15, 'bytes', 'What each sink may send on one local day; 0: any number.'),
  pass: {
    default: [],
    form: `a list of ${passClasses.join(', ')}`,
    fits: (value) => Array.isArray(value) && value.every((one) => passClasses.includes(one as PassClass)),
    description: 'Segments that are sent although conditions are not met or the budget is spent.',
  },
  timeZone: {
    default: '',
    form: 'a name of the time zone database, such as Europe/Berlin',
    fits: (value) => typeof value === 'string' && isTimeZone(value),
    description: 'Time zone of the hours and of the days of a budget; empty: that of the system.',
  },
  conditionPollMs: count(2_000, 5, 3_600_000, 'ms', 'Between two looks at the conditions.'),
  topicMaxAgeMs: count(
    60_000,
    1_000,
    86_400_000,
    'ms',
    'Age at which the last message of a topic of a condition counts as unknown.',
  ),
  partBytes: count(8 * MIB, 4 * KIB, 512 * MIB, 'bytes', 'Size of one part.'),
  partsInFlight: count(
    3,
    1,
    64,
    'parts',
    'Parts held in memory over all uploads: one being read, the others on their way.',
  ),
  partsPerUpload: count(1, 1, 64, 'parts', 'Parts of one upload sent at the same time.'),
  uploadsInFlight: count(2, 1, 64, 'uploads', 'Multipart uploads sending at the same time.'),
  segmentsInFlight: count(12, 1, 256, 'segments', 'Segments between read and receipt at the same time.'),
  bandwidthBytesPerS: count(
    0,
    0,
    1e12,
    'bytes/s',
    'Limit of the sending rate, averaged over a part; 0: none.',
  ),
  pollIntervalMs: count(500, 5, 3_600_000, 'ms', 'Between two looks into the data folder.'),
  housekeepingIntervalMs: count(5_000, 5, 3_600_000, 'ms', 'Between two rounds of deferred work.'),
  backoffFirstMs: count(2_000, 1, 3_600_000, 'ms', 'First wait after a failure; doubled each time.'),
  backoffMaxMs: count(120_000, 1, DAY_MS, 'ms', 'Longest wait after failures.'),
  backoffJitter: {
    default: 0.25,
    unit: 'share',
    min: 0,
    max: 1,
    integer: false,
    description: 'Random share taken off each wait.',
  },
  idleProbeMs: count(60_000, 10, DAY_MS, 'ms', 'An idle link is probed after this.'),
  callTimeoutMs: count(300_000, 10, DAY_MS, 'ms', 'A store call fails after this, plus 1 s per 16 KiB sent.'),
  attemptsPerTurn: count(5, 1, 1_000, 'failures', 'After this many a segment lets the others go first.'),
  refusedRounds: count(
    5,
    1,
    1_000,
    'rounds',
    'A segment that the store refuses in this many rounds is parked with an alarm; --retry-parked tries it again.',
  ),
  maxRetries: count(
    0,
    0,
    1_000_000,
    'turns',
    'Turns without success after which a segment is tried again; one more, and it is parked with an alarm. 0: for ever.',
  ),
  staleUploadAgeMs: count(DAY_MS, 1, 365 * DAY_MS, 'ms', 'Age at which forgotten uploads are aborted.'),
  scrubPerHour: count(12, 0, 3_600_000, 'segments/h', 'Segments that the store is asked for again; 0: none.'),
  requestPollMs: count(
    60_000,
    0,
    DAY_MS,
    'ms',
    'Between two looks for requests of segments in the store; 0: requests are not answered.',
  ),
  createStoreId: flag(true, "Create the store's id object on first use."),
  acceptNewStore: flag(false, 'Accept a store with another id than the one known under its URI.'),
  retryParked: flag(false, 'Try parked segments once more at the start.'),
  acknowledgeLost: flag(false, 'Raise no alarm any more for lost segments that are on record at the start.'),
};

/** All defaults, as options. */
export const syncDefaults: SyncOptions = Object.freeze(
  Object.fromEntries(Object.entries(syncOptionTable).map(([name, rule]) => [name, rule.default])),
) as unknown as SyncOptions;

/** Fills in defaults and checks. Throws `CONFIG_INVALID` with every wrong option. */
export function parseSyncOptions(given: Partial<SyncOptions> = {}): SyncOptions {
  const faults: string[] = [];
  const parsed: Record<string, unknown> = { ...syncDefaults };
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (value === undefined) continue;
    const rule = (syncOptionTable as Readonly<Record<string, AnyRule>>)[name];
    const fault = rule ? faultOf(rule, value) : 'no such option';
    if (fault) faults.push(`sync.${name}: ${String(jsonText(value)).slice(0, 60)}, ${fault}`);
    parsed[name] = value;
  }
  const { budgetBytesPerDay: budget, partBytes } = parsed as unknown as SyncOptions;
  if (isBudgetTooSmall(budget, partBytes)) {
    faults.push(`sync.budgetBytesPerDay: ${budget}, allowed: 0, or at least one part (${partBytes} bytes)`);
  }
  if (faults.length > 0) {
    throw new HoldfastError('CONFIG_INVALID', `invalid sync options: ${faults.join('; ')}`, {
      facts: { faults },
    });
  }
  return Object.freeze(parsed) as unknown as SyncOptions;
}

type AnyRule = NumberRule | ChoiceRule<unknown> | CheckedRule<unknown>;

/** The first part of a day would exceed it. */
export function isBudgetTooSmall(budgetBytes: number, partBytes: number): boolean {
  return budgetBytes > 0 && budgetBytes < partBytes;
}

function faultOf(rule: AnyRule, value: unknown): string | undefined {
  if ('fits' in rule) return rule.fits(value) ? undefined : `allowed: ${rule.form}`;
  if ('allowed' in rule) {
    if (rule.allowed.includes(value)) return undefined;
    return `allowed: ${rule.allowed.map((choice) => JSON.stringify(choice)).join(', ')}`;
  }
  const fits =
    typeof value === 'number' &&
    value >= rule.min &&
    value <= rule.max &&
    (!rule.integer || Number.isSafeInteger(value));
  if (fits) return undefined;
  return `allowed: ${rule.integer ? 'a whole number' : 'a number'} of ${rule.unit} from ${rule.min} to ${rule.max}`;
}
