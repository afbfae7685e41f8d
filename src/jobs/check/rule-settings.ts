import { defined } from '../../core/defined.js';
/** The type of a rule's setting. */
export interface Setting {
  readonly type: 'number' | 'names' | 'yes-no';
  readonly min?: number;
  readonly max?: number;
  /** Only these. */
  readonly of?: readonly string[];
  readonly default?: number | boolean | readonly string[];
  readonly required?: true;
}

interface NumberSetting extends Setting {
  readonly type: 'number';
}
interface NamesSetting extends Setting {
  readonly type: 'names';
}
interface YesNoSetting extends Setting {
  readonly type: 'yes-no';
}

const optional = (min: number, max: number): NumberSetting => ({ type: 'number', min, max });
const number = (min: number, max: number, fallback: number): NumberSetting & { default: number } => ({
  ...optional(min, max),
  default: fallback,
});
const names = (
  fallback: readonly string[],
  of?: readonly string[],
): NamesSetting & { default: readonly string[] } => ({
  type: 'names',
  default: fallback,
  ...defined({ of }),
});
/** Always among the required ones of a check, so it is read as present. */
const requiredNames: NamesSetting & { readonly required: true } = { type: 'names', required: true };
const no: YesNoSetting & { default: boolean } = { type: 'yes-no', default: false };

const HZ = [0, 1e6] as const;
const SECONDS = [0, 86_400] as const;
const MS = [0, 86_400_000] as const;
const LATE_MS = [-86_400_000, 86_400_000] as const;
const COUNT = [0, Number.MAX_SAFE_INTEGER] as const;
const ANY = [-Number.MAX_VALUE, Number.MAX_VALUE] as const;

interface Kind {
  readonly settings: Readonly<Record<string, Setting>>;
  /** One of these is required. */
  readonly oneOf?: readonly string[];
}

/** Every check with its settings; docs/check.md explains them. */
export const checkKinds = {
  missing: { settings: { expect: names([]) } },
  rate: {
    settings: { min_hz: optional(...HZ), max_hz: optional(...HZ), window_s: number(0.001, 86_400, 10) },
    oneOf: ['min_hz', 'max_hz'],
  },
  silence: {
    settings: { max_s: optional(...SECONDS), factor: number(1, 1e6, 20), min_s: number(...SECONDS, 2) },
  },
  stamps: { settings: { backward_ms: number(...MS, 10), forward_ms: number(...MS, 1000) } },
  log_time: { settings: {} },
  latency: {
    settings: { max_ms: optional(...LATE_MS), min_ms: optional(...LATE_MS), share: number(0, 1, 0) },
    oneOf: ['max_ms', 'min_ms'],
  },
  time_sync: { settings: { max_ms: number(...MS, 100) } },
  clock_steps: { settings: { max_ms: number(...MS, 100) } },
  stuck: {
    settings: {
      fields: requiredNames,
      for_s: number(...SECONDS, 10),
      min_messages: number(2, 1e9, 5),
      together: no,
    },
  },
  not_finite: { settings: { fields: names(['*']), allow: names([], ['nan', 'inf']) } },
  limit: {
    settings: { fields: requiredNames, min: optional(...ANY), max: optional(...ANY) },
    oneOf: ['min', 'max'],
  },
  outlier: {
    settings: {
      fields: requiredNames,
      score: number(0.1, 1e9, 8),
      window: number(5, 1000, 200),
      min_messages: number(5, 1000, 30),
    },
  },
  frozen: { settings: { for_s: number(...SECONDS, 1), min_messages: number(2, 1e9, 5) } },
  undecodable: { settings: { max_messages: number(...COUNT, 0) } },
  gaps: {
    settings: {
      max_messages: number(...COUNT, 0),
      max_percent: number(0, 100, 0),
      except_reasons: names(['paused', 'unclean_end', 'evicted', 'decimated', 'deleted']),
    },
  },
  unclean_end: { settings: {} },
  damage: { settings: {} },
} as const satisfies Readonly<Record<string, Kind>>;

export type CheckKind = keyof typeof checkKinds;
export const checkNames = Object.keys(checkKinds) as readonly CheckKind[];

type ValueOf<S> = S extends NumberSetting ? number : S extends NamesSetting ? readonly string[] : boolean;
type Read<S> = S extends { readonly default: unknown } | { readonly required: true }
  ? ValueOf<S>
  : ValueOf<S> | undefined;

/** The settings of a check, parsed; those without a default may be missing. */
export type SettingsOf<K extends CheckKind> = {
  readonly [Name in keyof (typeof checkKinds)[K]['settings']]: Read<(typeof checkKinds)[K]['settings'][Name]>;
};

export function kindOf(check: CheckKind): Kind {
  return checkKinds[check];
}
