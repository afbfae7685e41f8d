import { useState } from 'preact/hooks';
import { logLines } from '../model/live.js';
import { timeOfDay } from '../model/format.js';
import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';

const SHOWN_MAX = 120;

/** The recorder's own log, newest first. */
export function LogPanel() {
  const lines = useStore(logLines);
  const [onlyTrouble, setOnlyTrouble] = useState(false);
  const wanted = onlyTrouble ? lines.filter(({ level }) => level === 'warn' || level === 'error') : lines;
  const shown = wanted.slice(-SHOWN_MAX).reverse();
  return (
    <Panel
      title="Log"
      area="log"
      aside={
        <label class="check">
          <input
            type="checkbox"
            checked={onlyTrouble}
            onChange={({ currentTarget }) => setOnlyTrouble(currentTarget.checked)}
          />
          Warnings and errors only
        </label>
      }
    >
      {shown.length === 0 ? (
        <p class="empty">{onlyTrouble ? 'No warnings, no errors.' : 'Nothing has been logged yet.'}</p>
      ) : (
        <div class="scroll log-scroll" role="log" aria-live="off" aria-label="Recent log lines" tabIndex={0}>
          <ol class="log" role="list">
            {shown.map((line, index) => (
              <li key={`${line.atMs}-${wanted.length - index}`} class={`log-${line.level}`}>
                <time>{timeOfDay(line.atMs)}</time>
                <span class="log-level">{line.level}</span>
                <span class="log-text">
                  {line.event} <span class="log-facts">{line.facts}</span>
                </span>
              </li>
            ))}
          </ol>
        </div>
      )}
    </Panel>
  );
}
