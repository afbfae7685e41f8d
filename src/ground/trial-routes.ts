import type { JsonSchema, Route } from '../monitors/http/route.js';
import { flag, list, object, said, text, whole } from '../monitors/http/schemas.js';

/** What the bundled fleet does. */
export interface TrialView {
  readonly state: 'stopped' | 'starting' | 'playing' | 'stopping';
  /** The vehicles cannot reach the ground. */
  readonly isCut: boolean;
  readonly robots: readonly string[];
  /** Why it could not be played; empty: nothing is wrong. */
  readonly problem: string;
  /** The log, oldest first. */
  readonly lines: readonly { readonly number: number; readonly text: string }[];
}

/** The bundled fleet, for people who try a ground without robots. */
export interface TrialFleet {
  /** With the lines after a number. */
  view(after: number): TrialView;
  /** Each does nothing if it is so already. */
  play(): void;
  stop(): void;
  cut(): void;
  mend(): void;
}

const actions = {
  play: 'Starts five vehicles, each with a recorder of its own that connects to this ground',
  stop: 'Ends the vehicles, and removes them and what they recorded',
  cut: 'Disconnects the vehicles from the ground; they continue to record',
  mend: 'Connects them again',
} as const;

const view: JsonSchema = object({
  state: { type: 'string', enum: ['stopped', 'starting', 'playing', 'stopping'] },
  isCut: flag,
  robots: list(text),
  problem: said(text, 'why it could not be played; empty: nothing is wrong'),
  lines: list(object({ number: whole, text })),
});

/** Plays the bundled fleet. Undefined: this ground may not, and says so. */
export function trialRoutes(fleet: TrialFleet | undefined): readonly Route[] {
  const look: Route = {
    ...{ method: 'GET', path: '/api/trial', role: 'viewer' },
    summary: 'The bundled fleet: whether it may be played here, what it does, and its log',
    query: {
      type: 'object',
      properties: { after: { type: 'integer', minimum: 0, default: 0, description: 'number of a line' } },
    },
    answer: {
      ...{ type: 'object', required: ['allowed'] },
      properties: { allowed: flag, fleet: view },
    },
    handle: ({ query }) =>
      fleet === undefined
        ? { allowed: false }
        : { allowed: true, fleet: fleet.view(query['after'] as number) },
  };
  if (fleet === undefined) return [look];
  const doing = Object.entries(actions).map(([name, summary]): Route => ({
    ...{ method: 'POST', path: `/api/trial/${name}`, role: 'operator', summary },
    answer: view,
    handle: () => {
      fleet[name as keyof typeof actions]();
      return fleet.view(Number.MAX_SAFE_INTEGER);
    },
  }));
  return [look, ...doing];
}
