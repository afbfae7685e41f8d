import { useEffect, useId, useState } from 'preact/hooks';
import { Dialog } from '../ui/dialog.js';
import { ask } from './ask.js';
import type { LiveParameter } from './wire.js';

interface Props {
  readonly robot: string;
  readonly onClose: () => void;
  /** Resolves to the reason of a refusal, or to undefined. */
  readonly onSet: (body: {
    readonly parameter: string;
    readonly value: unknown;
  }) => Promise<string | undefined>;
}

/** Asks the robot for the parameters that can be set while it records, and sets one of them. */
export function ParameterDialog({ robot, onClose, onSet }: Props) {
  const { parameters, why } = useParameters(robot);
  const [chosen, setChosen] = useState<LiveParameter | undefined>();
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string | undefined>();
  const [isBusy, setBusy] = useState(false);
  const choose = (name: string): void => {
    const found = parameters?.find((one) => one.name === name);
    setChosen(found);
    setText(found === undefined ? '' : textOf(found.value));
    setFault(undefined);
  };
  const submit = async (): Promise<void> => {
    if (isBusy) return;
    if (chosen === undefined) {
      setFault('Choose a parameter.');
      return;
    }
    setBusy(true);
    const refusal = await onSet({ parameter: chosen.name, value: valueOf(chosen, text) });
    if (refusal === undefined) return;
    setBusy(false);
    setFault(`Refused: ${refusal}.`);
  };
  return (
    <Dialog title={`${robot}: Set a parameter`} onClose={onClose} onSubmit={() => void submit()}>
      <p>
        The recorder uses it at once, for all robots that it records, and loses no message. After a restart it
        has its configured value again.
      </p>
      {parameters === undefined ? (
        <p class={why === undefined ? 'dim' : 'fault'} role="status">
          {why === undefined ? `Waiting for ${robot}…` : `No parameters: ${why}.`}
        </p>
      ) : (
        <Choice {...{ parameters, chosen, text, choose, setText }} />
      )}
      <p class="fault" role="alert">
        {fault}
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary" aria-busy={isBusy}>
          Set
        </button>
      </div>
    </Dialog>
  );
}

function Choice(props: {
  readonly parameters: readonly LiveParameter[];
  readonly chosen: LiveParameter | undefined;
  readonly text: string;
  readonly choose: (name: string) => void;
  readonly setText: (text: string) => void;
}) {
  const { parameters, chosen, text, choose, setText } = props;
  const id = useId();
  return (
    <>
      <div class="field">
        <label for={`${id}-name`}>Parameter</label>
        <select
          id={`${id}-name`}
          name="parameter"
          value={chosen?.name ?? ''}
          autofocus
          onInput={({ currentTarget }) => choose(currentTarget.value)}
        >
          <option value="" disabled>
            Choose one
          </option>
          {parameters.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </div>
      {chosen === undefined ? null : (
        <div class="field">
          <label for={`${id}-value`}>{chosen.kind === 'texts' ? 'Values, one in each line' : 'Value'}</label>
          <ValueInput id={`${id}-value`} chosen={chosen} text={text} onText={setText} />
          <p id={`${id}-value-about`} class="dim parameter-about">
            {chosen.description} <b>Allowed:</b> {chosen.allowed}
            {chosen.unit === '' ? '' : `; a plain number is in ${chosen.unit}`}. <b>Now:</b>{' '}
            <code>{textOf(chosen.value).replaceAll('\n', ', ') || 'empty'}</code>
          </p>
        </div>
      )}
    </>
  );
}

function ValueInput(props: {
  readonly id: string;
  readonly chosen: LiveParameter;
  readonly text: string;
  readonly onText: (text: string) => void;
}) {
  const { id, chosen, text, onText } = props;
  const shared = { id, name: 'value', 'aria-describedby': `${id}-about`, value: text };
  if (chosen.kind === 'boolean')
    return (
      <select {...shared} onInput={({ currentTarget }) => onText(currentTarget.value)}>
        <option>true</option>
        <option>false</option>
      </select>
    );
  if (chosen.kind === 'texts')
    return <textarea {...shared} rows={4} onInput={({ currentTarget }) => onText(currentTarget.value)} />;
  return (
    <input
      {...shared}
      type="text"
      autocomplete="off"
      onInput={({ currentTarget }) => onText(currentTarget.value)}
    />
  );
}

function textOf(value: LiveParameter['value']): string {
  return typeof value === 'object' ? value.join('\n') : String(value);
}

function valueOf({ kind }: LiveParameter, text: string): unknown {
  if (kind !== 'texts') return text.trim();
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Asked once: the dialog is open for a moment. */
function useParameters(robot: string) {
  const [parameters, setParameters] = useState<readonly LiveParameter[] | undefined>();
  const [why, setWhy] = useState<string | undefined>();
  useEffect(() => {
    let isOver = false;
    void ask<{ readonly parameters: readonly LiveParameter[] }>(
      `api/robots/${encodeURIComponent(robot)}/parameters`,
    ).then((answer) => {
      if (isOver) return;
      if ('value' in answer) setParameters(answer.value.parameters);
      else setWhy(answer.why);
    });
    return () => {
      isOver = true;
    };
  }, [robot]);
  return { parameters, why };
}
