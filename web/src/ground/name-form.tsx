import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Icon } from '../ui/icon.js';

/** A name that gets a token, and a button. */
export function NameForm(props: {
  /** In the words of the page: `robot`. */
  readonly what: string;
  readonly button: string;
  readonly known: readonly string[];
  /** Resolves with why the ground refuses; undefined: it is done. */
  readonly onSubmit: (name: string) => Promise<string | undefined>;
  readonly children?: ComponentChildren;
}) {
  const { what, button, known, onSubmit, children } = props;
  const id = useId();
  const [name, setName] = useState('');
  const [fault, setFault] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    if (isBusy) return;
    const wanted = name.trim();
    const wrong = faultOf(wanted, known);
    setFault(wrong);
    if (wrong !== '') return;
    setBusy(true);
    const why = await onSubmit(wanted);
    setBusy(false);
    setFault(why === undefined ? '' : `Refused: ${why}.`);
    if (why === undefined) setName('');
  };
  return (
    <form
      class="access-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div class="field">
        <label for={`${id}-name`}>Name of a new {what}</label>
        <input
          id={`${id}-name`}
          name={`new-${what}`}
          autocomplete="off"
          spellcheck={false}
          maxLength={64}
          value={name}
          aria-describedby={`${id}-fault`}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
      </div>
      {children}
      <button type="submit" class="button primary" aria-busy={isBusy}>
        <Icon name="key" />
        {button}
      </button>
      <p id={`${id}-fault`} class="fault" role="alert">
        {fault}
      </p>
    </form>
  );
}

/** With a name that is there, the ground would end the token that is in use. */
function faultOf(wanted: string, known: readonly string[]): string {
  if (wanted === '') return 'Enter a name.';
  return known.includes(wanted) ? `${wanted} is there already. Its line has a button for a new token.` : '';
}
