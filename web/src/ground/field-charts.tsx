import { useState } from 'preact/hooks';
import { counted } from '../model/format.js';
import { Chart, type TimeSpan } from '../ui/chart.js';
import { Panel } from '../ui/panel.js';
import { fieldKey } from './field-history.js';
import type { FieldCurve } from './history-curve.js';
import type { FieldView } from './wire.js';

export const SHOWN_FIRST = 12;
/** A chart is at least so many thresholds high, so that what is not sent does not look like movement. */
const LEAST_THRESHOLDS = 8;

/** A curve for each field. */
export function FieldCharts(props: {
  readonly fields: readonly FieldView[];
  readonly curveOf: (field: FieldView) => FieldCurve;
  readonly span: TimeSpan | undefined;
  /** The time has ended: the last value of a curve is not the present one. */
  readonly isPast: boolean;
  readonly onAll: () => void;
}) {
  const { fields, curveOf, span, isPast, onAll } = props;
  const [isAll, setAll] = useState(false);
  const shown = isAll ? fields : fields.slice(0, SHOWN_FIRST);
  const unknown = fields.filter(({ state }) => state === 'unknown').length;
  const aside =
    unknown === 0 ? counted(fields.length, 'field') : `${unknown} of ${fields.length} fields unknown`;
  return (
    <Panel title="Fields" area="fields" aside={aside}>
      {fields.length === 0 ? (
        <p class="empty">
          It sends no other fields. <code>ground.fields</code> chooses them.
        </p>
      ) : (
        <div class="charts field-charts">
          {shown.map((field) => (
            <FieldChart key={fieldKey(field)} {...{ field, span, isPast }} curve={curveOf(field)} />
          ))}
        </div>
      )}
      {shown.length < fields.length ? (
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            setAll(true);
            onAll();
          }}
        >
          Show all {fields.length} fields
        </button>
      ) : null}
    </Panel>
  );
}

/** The curve of a field, with what it is now. */
export function FieldChart(props: {
  readonly field: FieldView;
  readonly curve: FieldCurve;
  readonly span: TimeSpan | undefined;
  readonly isPast: boolean;
  /** Default: the path of the field. */
  readonly title?: string;
  readonly token?: string;
}) {
  const { field, curve, span, isPast, title = field.path, token = 'curve-1' } = props;
  const { topic, path, unit, threshold, state, value } = field;
  const withUnit = (one: number): string => `${digits(one, threshold)}${unit === '' ? '' : `\u00a0${unit}`}`;
  const now = value === null ? words[state] : `${withUnit(value)} ±${String(threshold)}`;
  return (
    <div class="field-chart" data-state={state} data-field={path}>
      <Chart
        {...{ title, span }}
        times={curve.times}
        curves={[{ name: path, token, values: curve.values, band: { low: curve.low, high: curve.high } }]}
        unit={withUnit}
        around={Math.max(threshold, 1e-6) * LEAST_THRESHOLDS}
        now={isPast ? undefined : value === null ? words[state] : withUnit(value)}
        summary={`${title} of ${topic}: now ${now}; ${betweenInWords(curve, withUnit)}`}
      />
      <p class="field-topic">
        {topic} <span class="dim">within {withUnit(threshold)}</span>
      </p>
    </div>
  );
}

function betweenInWords({ low, high }: FieldCurve, unit: (value: number) => string): string {
  const known = (values: readonly (number | null)[]): number[] => values.filter((one) => one !== null);
  const [lows, highs] = [known(low), known(high)];
  if (lows.length === 0 || highs.length === 0) return 'no curve in this time';
  const [least, most] = [lows.reduce((a, b) => Math.min(a, b)), highs.reduce((a, b) => Math.max(a, b))];
  return `between ${unit(least)} and ${unit(most)} in this time`;
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
