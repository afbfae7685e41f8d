/**
 * How a check ended. `bad`: recording fails or loses data here. `warn`: it works, with a limit that a user should
 * know. `unknown`: this machine does not tell.
 */
export type FindingState = 'ok' | 'warn' | 'bad' | 'unknown';

/** The result of one check of `holdfast doctor`. */
export interface Finding {
  /** Short name of what was looked at, such as `disk speed`. */
  readonly check: string;
  readonly state: FindingState;
  /** What was found, with the value. */
  readonly text: string;
  /** A command, or a short sentence, that mends it; absent if nothing is to be done. */
  readonly remedy?: string;
}

/** Makes the findings of one check. */
export function findingsOf(
  check: string,
): Readonly<Record<FindingState, (text: string, remedy?: string) => Finding>> {
  const make =
    (state: FindingState) =>
    (text: string, remedy?: string): Finding => ({
      ...{ check, state, text },
      ...(remedy === undefined ? {} : { remedy }),
    });
  return { ok: make('ok'), warn: make('warn'), bad: make('bad'), unknown: make('unknown') };
}
