import { isHoldfastError } from '../core/errors.js';
import type { ErrorCode } from '../core/error-catalogue.js';

/** Exit codes of every command; docs/cli.md lists them. */
export const exitCodes = {
  /** Done, nothing wrong. */
  ok: 0,
  /** The work could not be done; standard error says why. */
  failed: 1,
  /** Flags, configuration file, URIs or SQL are wrong; nothing was started. */
  usage: 2,
  /** The work was done, and the checked data has faults or a part of it is missing. */
  findings: 3,
  /** Another process holds this role on the data folder. */
  busy: 4,
} as const;

/** The meaning of each exit code, for help and docs. */
export const exitCodeMeanings: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'done; also when ended by a first SIGINT or SIGTERM after draining'],
  ['1', 'failed; standard error says why'],
  ['2', 'flags, configuration file, URIs or SQL are wrong; nothing was started'],
  ['3', 'done, with findings: something is damaged, missing, parked, or nothing runs (status)'],
  ['4', 'another process holds this role on the data folder'],
  ['130, 143', 'ended by SIGINT, SIGTERM before it was done (by the second one, where the first drains)'],
];

const usageErrors: ReadonlySet<ErrorCode> = new Set([
  'CONFIG_INVALID',
  'SOURCE_UNKNOWN',
  'STORE_UNKNOWN',
  'QUERY_INVALID',
  'KEY_INVALID',
]);

export function exitCodeOf(error: unknown): number {
  if (!isHoldfastError(error)) return exitCodes.failed;
  if (usageErrors.has(error.code)) return exitCodes.usage;
  return error.code === 'DATA_FOLDER_BUSY' ? exitCodes.busy : exitCodes.failed;
}
