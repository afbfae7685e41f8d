import { useState } from 'preact/hooks';
import { counted } from '../model/format.js';
import { Chart } from '../ui/chart.js';
import { Panel } from '../ui/panel.js';
import { fieldKey, type FieldHistory } from './field-history.js';
import type { FieldView } from './wire.js';

const SHOWN_FIRST = 12;
/** A chart is at least so many thresholds high, so that what is not sent does not look like movement. */
const LEAST_THRESHOLDS = 8;

/** A curve for each field. */
export function FieldCharts(props: {
  readonly fields: readonly FieldView[];
  readonly history: FieldHistory;
}) {
  const { fields, history } = props;
  const [isAll, setAll] = useState(false);
  const shown = isAll ? fields : fields.slice(0, SHOWN_FIRST);
  const unknown = fields.filter(({ state }) => state === 'unknown').length;
  const aside =
    unknown === 0 ? counted(fields.length, 'field') : `${unknown} of ${fields.length} fields unknown`;
  return (
    <Panel title="Fields" area="fields" aside={aside}>
      {fields.length === 0 ? (
        <p class="empty">
          It sends no fields. <code>ground.fields</code> chooses them.
        </p>
      ) : (
        <div class="charts field-charts">
          {shown.map((field) => (
            <FieldChart key={fieldKey(field)} field={field} history={history} />
          ))}
        </div>
      )}
      {shown.length < fields.length ? (
        <button type="button" class="button quiet" onClick={() => setAll(true)}>
          Show all {fields.length} fields
        </button>
      ) : null}
    </Panel>
  );
}

function FieldChart({ field, history }: { readonly field: FieldView; readonly history: FieldHistory }) {
  const { topic, path, unit, threshold, state, value } = field;
  const values = history.of(fieldKey(field));
  const withUnit = (one: number): string => `${digits(one, threshold)}${unit === '' ? '' : `\u00a0${unit}`}`;
  const now = value === null ? words[state] : `${withUnit(value)} ±${String(threshold)}`;
  return (
    <div class="field-chart" data-state={state}>
      <Chart
        title={path}
        times={history.times}
        curves={[{ name: path, token: 'curve-1', values }]}
        unit={withUnit}
        around={Math.max(threshold, 1e-6) * LEAST_THRESHOLDS}
        absent={words[state]}
        summary={`${path} of ${topic}: now ${now}`}
      />
      <p class="field-topic">
        {topic} <span class="dim">within {withUnit(threshold)}</span>
      </p>
    </div>
  );
}

const words: Readonly<Record<FieldView['state'], string>> = {
  known: '–',
  absent: 'no value',
  unknown: 'unknown',
};

/** As many digits as the threshold allows. */
function digits(value: number, threshold: number): string {
  const decimals = threshold > 0 ? Math.max(0, Math.min(7, Math.ceil(-Math.log10(threshold)) + 1)) : 6;
  return value.toFixed(decimals);
}
