import type { Found } from './topic-check.js';

/** Reports a finding about a robot and, if it concerns one, a topic. */
export type TellOf = (of: { readonly robot: string; readonly topic?: string }, found: Found) => void;
