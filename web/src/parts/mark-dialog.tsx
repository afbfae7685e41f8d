import { useId, useState } from 'preact/hooks';
import { Dialog } from '../ui/dialog.js';

const LABEL_MAX_CHARS = 200;
const WINDOW_MAX_S = 3_600;

interface MarkRequest {
  readonly label: string;
  readonly before_s: number;
  readonly after_s: number;
}

/**
 * Asks what happened and how much time around it matters. `onMark` resolves to the reason of a refusal, or to
 * undefined.
 */
export function MarkDialog({
  onClose,
  onMark,
}: {
  readonly onClose: () => void;
  readonly onMark: (request: MarkRequest) => Promise<string | undefined>;
}) {
  const id = useId();
  const [label, setLabel] = useState('');
  const [before, setBefore] = useState('30');
  const [after, setAfter] = useState('30');
  const [fault, setFault] = useState<string | undefined>();
  const [isBusy, setBusy] = useState(false);

  const submit = async (): Promise<void> => {
    const wrong = faultOf(label, before, after);
    setFault(wrong);
    if (wrong !== undefined || isBusy) return;
    setBusy(true);
    const refusal = await onMark({ label: label.trim(), before_s: Number(before), after_s: Number(after) });
    if (refusal === undefined) return;
    setBusy(false);
    setFault(`Refused: ${refusal}.`);
  };

  return (
    <Dialog title="Mark an event" onClose={onClose} onSubmit={() => void submit()}>
      <p>The window around now is sealed as soon as it is over, and uploaded before all other segments.</p>
      <div class="field">
        <label for={`${id}-label`}>What happened</label>
        <input
          id={`${id}-label`}
          name="label"
          type="text"
          autofocus
          autocomplete="off"
          maxLength={LABEL_MAX_CHARS}
          value={label}
          aria-describedby={`${id}-fault`}
          onInput={({ currentTarget }) => setLabel(currentTarget.value)}
        />
      </div>
      <div class="field-row">
        <SecondsField
          id={`${id}-before`}
          name="before_s"
          text="Seconds before"
          value={before}
          onInput={setBefore}
        />
        <SecondsField
          id={`${id}-after`}
          name="after_s"
          text="Seconds after"
          value={after}
          onInput={setAfter}
        />
      </div>
      <p id={`${id}-fault`} class="fault" role="alert">
        {fault}
      </p>
      <DialogButtons isBusy={isBusy} onClose={onClose} />
    </Dialog>
  );
}

function DialogButtons({ isBusy, onClose }: { readonly isBusy: boolean; readonly onClose: () => void }) {
  return (
    <div class="dialog-buttons">
      <button type="button" class="button" onClick={onClose}>
        Cancel
      </button>
      <button type="submit" class="button primary" aria-busy={isBusy}>
        Mark event
      </button>
    </div>
  );
}

function SecondsField(field: {
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
}) {
  return (
    <div class="field">
      <label for={field.id}>{field.text}</label>
      <input
        id={field.id}
        name={field.name}
        type="number"
        inputMode="decimal"
        min={0}
        max={WINDOW_MAX_S}
        value={field.value}
        onInput={({ currentTarget }) => field.onInput(currentTarget.value)}
      />
    </div>
  );
}

function faultOf(label: string, before: string, after: string): string | undefined {
  if (label.trim() === '') return 'Enter a label: it must not be empty.';
  for (const [name, text] of [
    ['Seconds before', before],
    ['Seconds after', after],
  ] as const) {
    const value = Number(text);
    if (text.trim() === '' || !(value >= 0 && value <= WINDOW_MAX_S)) {
      return `${name}: ${text.trim() === '' ? 'a number is needed' : `${text} is not allowed`}, 0 to 3,600.`;
    }
  }
  return undefined;
}
