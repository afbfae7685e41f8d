import { useId, useRef, useState } from 'preact/hooks';
import { Store, useStore } from '../model/store.js';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icon.js';

/** A token that the ground has just made. It is in no other place, and nobody can ask for it again. */
export interface IssuedToken {
  readonly kind: 'robot' | 'user';
  readonly name: string;
  readonly token: string;
}

/**
 * Outside of the page that asked for it: the first user locks every page without a token, and the token of that user
 * must still be there then.
 */
export const issuedToken = new Store<IssuedToken | undefined>(undefined);

/** Shows a new token once, until somebody closes the dialog. */
export function IssuedTokenDialog() {
  const issued = useStore(issuedToken);
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const [said, setSaid] = useState('');
  if (issued === undefined) return null;
  const close = (): void => {
    setSaid('');
    issuedToken.set(undefined);
  };
  const copy = async (): Promise<void> => {
    field.current?.select();
    setSaid((await copied(issued.token)) ? 'Copied.' : 'It is selected: copy it with Ctrl-C.');
  };
  return (
    <Dialog title={`The token of ${issued.name}`} onClose={close} onSubmit={close}>
      <p>
        <strong>It is shown once.</strong> The ground keeps only its SHA-256.{' '}
        {issued.kind === 'robot'
          ? 'Put it into a file on the robot that only its user can read, and name that file in ground.token_file.'
          : 'This person enters it on the page, or sends it as a bearer token.'}
      </p>
      <div class="field">
        <label for={`${id}-token`}>Token</label>
        <textarea
          id={`${id}-token`}
          ref={field}
          class="token-text"
          rows={2}
          readOnly
          spellcheck={false}
          value={issued.token}
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </div>
      <p class="hint" role="status">
        {said}
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button primary" data-action="copy" autofocus onClick={() => void copy()}>
          <Icon name="key" />
          Copy
        </button>
        <button type="submit" class="button">
          Close
        </button>
      </div>
    </Dialog>
  );
}

/** A page without TLS has no clipboard, except on this machine. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
