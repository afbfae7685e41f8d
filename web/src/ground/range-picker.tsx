import { useId, useState } from 'preact/hooks';
import { inputTime } from '../model/format.js';
import { lastRanges, spanOfRange, type HistoryRange } from './history-range.js';

/** Chooses the time of the curves: the last minutes, hour or day, or from a time to another. */
export function RangePicker(props: {
  readonly range: HistoryRange;
  /** On the clock of the robot. */
  readonly nowMs: number;
  readonly onPick: (range: HistoryRange) => void;
}) {
  const { range, nowMs, onPick } = props;
  const [isOpen, setOpen] = useState(range.kind === 'between');
  return (
    <div class="range-picker">
      <div class="choices" role="group" aria-label="Time shown">
        {lastRanges.map(({ minutes, name }) => (
          <button
            key={minutes}
            type="button"
            class="choice"
            aria-pressed={!isOpen && range.kind === 'last' && range.minutes === minutes}
            onClick={() => {
              setOpen(false);
              onPick({ kind: 'last', minutes });
            }}
          >
            {name}
          </button>
        ))}
        <button type="button" class="choice" aria-pressed={isOpen} onClick={() => setOpen(true)}>
          From–to
        </button>
      </div>
      {isOpen ? <Between {...{ range, nowMs, onPick }} /> : null}
    </div>
  );
}

function Between(props: {
  readonly range: HistoryRange;
  readonly nowMs: number;
  readonly onPick: (range: HistoryRange) => void;
}) {
  const { range, nowMs, onPick } = props;
  const id = useId();
  const [times, setTimes] = useState(() => {
    const { fromMs, toMs } = spanOfRange(range, nowMs);
    return { from: inputTime(fromMs), to: inputTime(toMs) };
  });
  const [fault, setFault] = useState('');
  const show = (): void => {
    const [fromMs, toMs] = [Date.parse(times.from), Date.parse(times.to)];
    const why = Number.isNaN(fromMs + toMs)
      ? 'Enter both times.'
      : fromMs >= toMs
        ? 'From must be before to.'
        : '';
    setFault(why);
    if (why === '') onPick({ kind: 'between', fromMs, toMs });
  };
  return (
    <form
      class="range-between"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        show();
      }}
    >
      {(['from', 'to'] as const).map((name) => (
        <label key={name}>
          <span>{name === 'from' ? 'From' : 'To'}</span>
          <input
            type="datetime-local"
            step={1}
            name={`range-${name}`}
            value={times[name]}
            aria-describedby={`${id}-fault`}
            onInput={({ currentTarget: { value } }) => setTimes({ ...times, [name]: value })}
          />
        </label>
      ))}
      <button type="submit" class="button">
        Show
      </button>
      <p id={`${id}-fault`} class="fault" role="alert">
        {fault}
      </p>
    </form>
  );
}
