import { useMemo, useState } from 'preact/hooks';
import { bytes, coarse, count, counted } from '../model/format.js';
import { connection, secondTick, serverNow } from '../model/live.js';
import { useStore } from '../model/store.js';
import { Panel } from '../ui/panel.js';
import { AnswerCard } from './answer-card.js';
import { FleetMap } from './fleet-map.js';
import { FleetTable, type FleetLine } from './fleet-table.js';
import { worstFirst, type Tone } from './judge.js';
import { fleet } from './model.js';
import type { FleetRow } from './wire.js';

type Filter = 'all' | 'attention' | 'silent';

const filters: readonly (readonly [Filter, string])[] = [
  ['all', 'All robots'],
  ['attention', 'Need attention'],
  ['silent', 'Not connected'],
];

/** Every robot at a glance, the worst first. */
export function FleetPage() {
  const rows = useStore(fleet);
  const [text, setText] = useState('');
  const [filter, setFilter] = useState<Filter>('all');
  useStore(secondTick);
  const now = Math.floor(serverNow() / 1_000) * 1_000;
  const lines = useMemo(() => worstFirst(rows ?? [], now), [rows, now]);
  const wanted = lines.filter((line) => matches(line, text, filter));
  if (rows === undefined) return <p class="empty">Waiting for the ground…</p>;
  if (rows.length === 0) return <NoRobots />;
  const placed = wanted.flatMap(({ row, verdict: { tone } }) =>
    row.position === null ? [] : [{ robot: row.robot, tone, connected: row.connected, ...row.position }],
  );
  return (
    <>
      <Answers rows={rows} lines={lines} now={now} />
      <div class="fleet-panels">
        <Panel
          title="Robots"
          area="robots"
          aside={
            <div class="fleet-filters">
              <input
                type="search"
                name="search"
                aria-label="Search by name or VIN"
                placeholder="Name or VIN"
                value={text}
                onInput={({ currentTarget }) => setText(currentTarget.value)}
              />
              <select
                name="filter"
                aria-label="Which robots"
                value={filter}
                onChange={({ currentTarget }) => setFilter(currentTarget.value as Filter)}
              >
                {filters.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
              <span class="fleet-count">
                {count(wanted.length)} of {count(rows.length)}
              </span>
            </div>
          }
        >
          <FleetTable lines={wanted} />
        </Panel>
        <FleetMap robots={placed} total={wanted.length} />
      </div>
    </>
  );
}

function matches({ row, verdict }: FleetLine, text: string, filter: Filter): boolean {
  if (filter === 'silent' && row.connected) return false;
  if (filter === 'attention' && (verdict.tone === 'ok' || verdict.tone === 'info')) return false;
  const wanted = text.trim().toLowerCase();
  return `${row.robot} ${row.vin}`.toLowerCase().includes(wanted);
}

function NoRobots() {
  return (
    <section class="gate">
      <h2>No robot has connected yet</h2>
      <p>
        Enrol a robot with <code>holdfast ground enrol NAME</code>, and record on it with{' '}
        <code>--ground-url</code> and <code>--ground-token-file</code>.
      </p>
      <p>A ground that was started again knows its robots once they have connected, within 30 s.</p>
    </section>
  );
}

/** The questions about a fleet, answered in words. */
function Answers(props: {
  readonly rows: readonly FleetRow[];
  readonly lines: readonly FleetLine[];
  readonly now: number;
}) {
  const { rows, lines, now } = props;
  const isStale = useStore(connection).state === 'lost';
  const of = (tone: Tone): number => lines.filter(({ verdict }) => verdict.tone === tone).length;
  const silent = rows.filter(({ connected }) => !connected).length;
  const recording = rows.filter(({ connected, status }) => connected && status?.state === 'recording').length;
  const unsynced = unsyncedAnswer(rows, now);
  const raised = rows.reduce((sum, { alerts }) => sum + alerts.length, 0);
  const critical = rows
    .flatMap(({ alerts }) => alerts)
    .filter(({ severity }) => severity === 'critical').length;
  const heard = rows.length - silent;
  return (
    <section class="answers fleet-answers" aria-label="At a glance">
      <AnswerCard
        name="heard"
        question="Who is there?"
        tone={isStale ? 'quiet' : silent === 0 ? 'ok' : heard === 0 ? 'bad' : 'warn'}
        headline={`${count(heard)} of ${counted(rows.length, 'robot')}`}
        line={silent === 0 ? 'All of them are connected.' : `${counted(silent, 'robot')} not connected.`}
      />
      <AnswerCard
        name="recording"
        question="Are they recording?"
        tone={isStale ? 'quiet' : recording === rows.length ? 'ok' : 'warn'}
        headline={recording === rows.length ? 'All record' : `${count(recording)} record`}
        line={
          of('bad') + of('warn') === 0 ? 'No robot needs attention.' : attentionLine(of('bad'), of('warn'))
        }
      />
      <AnswerCard
        name="unsynced"
        question="What is not in the store?"
        tone={isStale ? 'quiet' : unsynced.tone === 'ok' && silent > 0 ? 'info' : unsynced.tone}
        headline={unsynced.headline}
        line={unsynced.line}
      />
      <AnswerCard
        name="alerts"
        question="What is wrong?"
        tone={isStale ? 'quiet' : critical > 0 ? 'bad' : raised > 0 ? 'warn' : 'ok'}
        headline={raised === 0 ? 'No alerts' : counted(raised, 'alert')}
        line={
          raised === 0
            ? 'No robot reports one.'
            : `${critical === 0 ? 'None' : count(critical)} of them critical.`
        }
      />
    </section>
  );
}

function attentionLine(bad: number, warn: number): string {
  const words = [
    ...(bad > 0 ? [`${count(bad)} in trouble`] : []),
    ...(warn > 0 ? [`${count(warn)} to look at`] : []),
  ];
  return `${words.join(', ')}.`;
}

/** What waits, as far as the robots say it: without sync nobody knows, and unknown is not nothing. */
function unsyncedAnswer(
  rows: readonly FleetRow[],
  now: number,
): { readonly tone: Tone; readonly headline: string; readonly line: string } {
  const pending = rows.reduce((sum, { status }) => sum + (status?.pendingBytes ?? 0), 0);
  const unknown = rows.filter(({ status }) => status?.pendingBytes === undefined).length;
  if (unknown === rows.length)
    return { tone: 'quiet', headline: 'Unknown', line: 'No robot says it: sync does not run.' };
  const oldest = oldestOf(rows);
  const waits =
    oldest === undefined
      ? 'Each open segment follows when it ends.'
      : `The oldest is ${coarse(Math.max(0, now - oldest))} old.`;
  return {
    tone: pending === 0 && unknown === 0 ? 'ok' : 'info',
    headline: pending === 0 ? 'Nothing waits' : bytes(pending),
    line: unknown === 0 ? waits : `${waits} Unknown for ${counted(unknown, 'robot')}.`,
  };
}

function oldestOf(rows: readonly FleetRow[]): number | undefined {
  const times = rows.flatMap(({ unsyncedSinceMs }) => unsyncedSinceMs ?? []);
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
}
