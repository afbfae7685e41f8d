import { useId, useState } from 'preact/hooks';
import { counted } from '../model/format.js';
import { post } from '../net/control.js';
import { Panel } from '../ui/panel.js';

/** More could not be read on a page; the API gives more. */
const ROWS_MAX = 200;
const CELL_MAX_CHARS = 300;
const FIRST = `SELECT robot, count(*) AS segments, sum(bytes) AS bytes
FROM recordings GROUP BY robot ORDER BY bytes DESC`;

interface Result {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly truncated: boolean;
}

/** One read-only query on telemetry and catalogue, and its answer. The ground checks what it may read. */
export function SqlPanel() {
  const id = useId();
  const [sql, setSql] = useState(FIRST);
  const [isBusy, setBusy] = useState(false);
  const [result, setResult] = useState<Result | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  const run = async (): Promise<void> => {
    if (isBusy) return;
    setBusy(true);
    const outcome = await post('api/sql', { sql, limit: ROWS_MAX });
    setBusy(false);
    setResult(outcome.ok ? (outcome.result as Result) : undefined);
    setWhy(outcome.ok ? undefined : outcome.why);
  };
  return (
    <Panel title="SQL" area="sql" aside="read-only, on telemetry and catalogue">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <label for={id}>Query</label>
        <textarea
          id={id}
          name="sql"
          class="sql-text"
          rows={4}
          spellcheck={false}
          autocomplete="off"
          value={sql}
          onInput={({ currentTarget }) => setSql(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void run();
          }}
        />
        <button type="submit" class="button primary" aria-busy={isBusy}>
          Run
        </button>{' '}
        <span class="dim">or Ctrl+Enter; at most {ROWS_MAX} rows are shown</span>
      </form>
      {why === undefined ? null : (
        <p class="missing" role="alert">
          <strong>No answer:</strong> {why}.
        </p>
      )}
      {result === undefined ? null : <Answer result={result} />}
    </Panel>
  );
}

function Answer({ result: { columns, rows, truncated } }: { readonly result: Result }) {
  return (
    <>
      <p class="dim" role="status">
        {counted(rows.length, 'row')}
        {truncated ? ': there are more than these' : ''}
      </p>
      <div class="scroll audit-scroll" role="region" aria-label="Answer of the query" tabIndex={0}>
        <table class="grid audit-grid">
          <thead>
            <tr>
              {columns.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                {columns.map((name) => (
                  <td key={name} class={typeof row[name] === 'number' ? 'num' : undefined}>
                    {cellText(row[name])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > CELL_MAX_CHARS ? `${text.slice(0, CELL_MAX_CHARS)}…` : text;
}
