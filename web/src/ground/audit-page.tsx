import { timeOfDay } from '../model/format.js';
import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';
import { addressOf, role } from './model.js';
import { usePoll } from './use-poll.js';
import type { AuditEntry } from './wire.js';

const ASK_MS = 3_000;

const states: Readonly<Record<AuditEntry['state'], { readonly text: string; readonly tone: string }>> = {
  asked: { text: 'no answer noted', tone: 'dim' },
  done: { text: 'done', tone: 'tone-ok' },
  refused: { text: 'refused', tone: 'tone-bad' },
  timed_out: { text: 'timed out', tone: 'tone-warn' },
  disconnected: { text: 'cut off', tone: 'tone-warn' },
  offline: { text: 'not connected', tone: 'tone-warn' },
};

/** Who gave which command, and how it ended. */
export function AuditPage() {
  const mayLook = useStore(role) !== 'viewer';
  const { value, why } = usePoll<{ readonly entries: readonly AuditEntry[] }>(
    mayLook ? 'api/audit' : undefined,
    ASK_MS,
  );
  const entries = value?.entries;
  return (
    <Panel title="Audit" area="audit" aside="Every command from this ground, the newest first">
      {!mayLook ? (
        <p class="empty">Only an operator may look at the audit log.</p>
      ) : why !== undefined ? (
        <p class="missing" role="alert">
          <strong>No audit log:</strong> {why}.
        </p>
      ) : entries === undefined ? (
        <p class="empty">Waiting for the ground…</p>
      ) : entries.length === 0 ? (
        <p class="empty">No command was given yet.</p>
      ) : (
        <Entries entries={entries} />
      )}
    </Panel>
  );
}

function Entries({ entries }: { readonly entries: readonly AuditEntry[] }) {
  return (
    <div class="scroll audit-scroll" role="region" aria-label="Table of commands" tabIndex={0}>
      <table class="grid audit-grid audit-log">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Robot</th>
            <th scope="col">Command</th>
            <th scope="col">Outcome</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, at, who, role: as, address, robot, command, label, state, message }) => (
            <tr key={id}>
              <td class="cell-when" title={at}>
                {timeOfDay(Date.parse(at))}
              </td>
              <td class="cell-who" title={`${as} from ${address}`}>
                {who}
              </td>
              <th class="cell-robot" scope="row">
                {robot === '' ? 'ground' : <a href={addressOf(robot)}>{robot}</a>}
              </th>
              <td class="cell-command">
                {command.replaceAll('_', ' ')}
                {label === '' ? null : <span class="dim"> “{label}”</span>}
              </td>
              <td class="cell-outcome">
                <b class={states[state].tone}>{states[state].text}</b>
                {message === '' ? null : <span class="dim"> {message}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
