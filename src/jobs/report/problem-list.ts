import type { Problem } from '../../recordings/segments.js';

const PROBLEMS_MAX = 200;

/** Parts that could not be read, each once. */
export class ProblemList {
  readonly list: Problem[] = [];
  omitted = 0;
  readonly #known = new Set<string>();

  constructor(readonly onProblem?: (problem: Problem) => void) {}

  readonly add = (problem: Problem): void => {
    const key = JSON.stringify([problem.where, problem.reason]);
    if (this.#known.has(key)) return;
    if (this.list.length >= PROBLEMS_MAX) {
      this.omitted++;
      return;
    }
    this.#known.add(key);
    this.list.push(problem);
    this.onProblem?.(problem);
  };
}
