import { useEffect, useState } from 'preact/hooks';
import { ask } from './ask.js';

/** What the ground answered last. */
export interface Polled<T> {
  /** Undefined: nothing yet. */
  readonly value: T | undefined;
  /** Why there is no newer answer; undefined: there is. */
  readonly why: string | undefined;
  /** Asks at once. */
  readonly look: () => void;
}

/**
 * Asks the ground now, and again at intervals while the page is seen. Without a path, it does not ask.
 *
 * @param path - One that changes with the time is a function, and `key` says when it is another question.
 */
export function usePoll<T>(
  path: string | undefined | (() => string),
  everyMs: number,
  key: unknown = path,
): Polled<T> {
  const [value, setValue] = useState<T | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return undefined;
    let isOver = false;
    const look = async (): Promise<void> => {
      const answer = await ask<T>(typeof path === 'string' ? path : path());
      if (isOver) return;
      if ('value' in answer) setValue(answer.value);
      setWhy('why' in answer ? answer.why : undefined);
    };
    void look();
    const timer = setInterval(() => (document.hidden ? undefined : void look()), everyMs);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [key, everyMs, turn]);
  return { value, why, look: () => setTurn((before) => before + 1) };
}
