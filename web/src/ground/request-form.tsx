import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { inputTime } from '../model/format.js';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { Icon } from '../ui/icon.js';
import { fleet, type Wanted } from './model.js';

const MINUTE_MS = 60_000;
const spans = [
  ['Last 5 min', 5],
  ['Last 30 min', 30],
  ['Last 2 h', 120],
] as const;

interface Result {
  readonly tone: 'ok' | 'bad';
  readonly text: string;
}

/** What is wanted from which robot; times are those of the browser. */
export function RequestForm(props: { readonly wanted: Wanted; readonly onRequested: () => void }) {
  const { wanted, onRequested } = props;
  const id = useId();
  const [robot, setRobot] = useState(wanted.robot ?? '');
  const [from, setFrom] = useState(wanted.from === undefined ? '' : inputTime(Number(wanted.from)));
  const [to, setTo] = useState(wanted.to === undefined ? '' : inputTime(Number(wanted.to)));
  const [topics, setTopics] = useState('');
  const [outcome, setOutcome] = useState<Result | undefined>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    const fault = faultOf(robot, from, to);
    setOutcome(fault === undefined ? undefined : { tone: 'bad', text: fault });
    if (fault !== undefined || isBusy) return;
    setBusy(true);
    const list = topics.split(/[\s,]+/).filter((topic) => topic !== '');
    const result = await post('api/requests', {
      ...{ robot: robot.trim(), from: new Date(from).toISOString() },
      // The last second counts to its end.
      to: new Date(Date.parse(to) + 999).toISOString(),
      ...(list.length === 0 ? {} : { topics: list }),
    });
    setBusy(false);
    setOutcome(
      result.ok
        ? { tone: 'ok', text: `${robot.trim()}: requested.` }
        : { tone: 'bad', text: `Not requested: ${result.why}.` },
    );
    onRequested();
  };
  return (
    <form
      class="request-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <RobotField id={`${id}-robot`} robot={robot} onInput={setRobot} />
      <Time id={`${id}-from`} name="from" text="From" value={from} onInput={setFrom} />
      <Time id={`${id}-to`} name="to" text="To" value={to} onInput={setTo} />
      <Field id={`${id}-topics`} text="Only with topics (optional)">
        <input
          id={`${id}-topics`}
          name="topics"
          placeholder="*/camera, /tf"
          autocomplete="off"
          value={topics}
          onInput={({ currentTarget }) => setTopics(currentTarget.value)}
        />
      </Field>
      <Buttons
        isBusy={isBusy}
        outcome={outcome}
        onSpan={(minutes) => {
          setFrom(inputTime(Date.now() - minutes * MINUTE_MS));
          setTo(inputTime(Date.now()));
        }}
      />
    </form>
  );
}

function RobotField(props: {
  readonly id: string;
  readonly robot: string;
  readonly onInput: (robot: string) => void;
}) {
  const { id, robot, onInput } = props;
  const known = (useStore(fleet) ?? []).map((row) => row.robot);
  return (
    <Field id={id} text="Robot">
      <input
        id={id}
        name="robot"
        list={`${id}-known`}
        autocomplete="off"
        value={robot}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
      <datalist id={`${id}-known`}>
        {known.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </Field>
  );
}

function Buttons(props: {
  readonly isBusy: boolean;
  readonly outcome: Result | undefined;
  readonly onSpan: (minutes: number) => void;
}) {
  const { isBusy, outcome, onSpan } = props;
  return (
    <div class="request-buttons">
      <div class="request-spans" role="group" aria-label="Time">
        {spans.map(([text, minutes]) => (
          <button key={text} type="button" class="button" onClick={() => onSpan(minutes)}>
            {text}
          </button>
        ))}
      </div>
      <button type="submit" class="button primary" aria-busy={isBusy}>
        <Icon name="export" />
        Request
      </button>
      <p class={`outcome outcome-${outcome?.tone ?? 'info'}`} role="status">
        {outcome?.text}
      </p>
    </div>
  );
}

function Field(props: { readonly id: string; readonly text: string; readonly children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={props.id}>{props.text}</label>
      {props.children}
    </div>
  );
}

function Time(field: {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
}) {
  return (
    <Field id={field.id} text={field.text}>
      <input
        id={field.id}
        name={field.name}
        type="datetime-local"
        step={1}
        value={field.value}
        onInput={({ currentTarget }) => field.onInput(currentTarget.value)}
      />
    </Field>
  );
}

function faultOf(robot: string, from: string, to: string): string | undefined {
  if (robot.trim() === '') return 'Enter a robot.';
  if (Number.isNaN(Date.parse(from)) || Number.isNaN(Date.parse(to))) return 'Enter both times.';
  if (Date.parse(from) > Date.parse(to)) return 'From is later than to.';
  return undefined;
}
