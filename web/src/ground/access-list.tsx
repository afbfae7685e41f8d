import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { counted } from '../model/format.js';
import { Dialog } from '../ui/dialog.js';

/** Above so many names, a field finds one. */
const FIND_FROM = 8;

/** Somebody who has a token: a robot or a user. */
export interface Holder {
  readonly name: string;
  /** Its page; undefined: it has none. */
  readonly href?: string | undefined;
  /** Beside the name. */
  readonly about: ComponentChildren;
}

/** Names with what an admin does to them. */
export function AccessList<T extends Holder>(props: {
  readonly what: 'robot' | 'user';
  readonly holders: readonly T[] | undefined;
  readonly empty: string;
  /** Titles of the buttons of each. */
  readonly renew: string;
  readonly onRenew: (holder: T) => void;
  readonly onRevoke: (holder: T) => void;
}) {
  const { what, holders, empty, renew, onRenew, onRevoke } = props;
  const id = useId();
  const [wanted, setWanted] = useState('');
  if (holders === undefined) return <p class="empty">Waiting for the ground…</p>;
  if (holders.length === 0) return <p class="empty">{empty}</p>;
  const found = holders
    .filter(({ name }) => name.toLowerCase().includes(wanted.trim().toLowerCase()))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  return (
    <>
      {holders.length < FIND_FROM ? null : (
        <div class="access-find">
          <label for={id}>Find a {what}</label>
          <input
            id={id}
            name={`find-${what}`}
            type="search"
            autocomplete="off"
            value={wanted}
            onInput={({ currentTarget }) => setWanted(currentTarget.value)}
          />
          <span class="dim">
            {found.length === holders.length
              ? counted(holders.length, what)
              : `${found.length} of ${counted(holders.length, what)}`}
          </span>
        </div>
      )}
      <ul class="access-list" role="list" aria-label={what === 'robot' ? 'Enrolled robots' : 'Users'}>
        {found.map((holder) => (
          <li key={holder.name} class="access-line" data-holder={holder.name}>
            <div class="access-who">
              <b>{holder.href === undefined ? holder.name : <a href={holder.href}>{holder.name}</a>}</b>
              <p class="dim">{holder.about}</p>
            </div>
            <div class="access-buttons">
              <button
                type="button"
                class="button"
                data-action="renew"
                aria-label={`${renew} for ${holder.name}`}
                onClick={() => onRenew(holder)}
              >
                {renew}
              </button>
              <button
                type="button"
                class="button danger"
                data-action="revoke"
                aria-label={`Revoke ${holder.name}`}
                onClick={() => onRevoke(holder)}
              >
                Revoke
              </button>
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Asks once more, and says what follows. */
export function ConfirmAccess(props: {
  readonly title: string;
  readonly button: string;
  readonly isDanger: boolean;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
  readonly children: ComponentChildren;
}) {
  const { title, button, isDanger, onClose, onConfirm, children } = props;
  return (
    <Dialog title={title} onClose={onClose} onSubmit={onConfirm}>
      {children}
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class={isDanger ? 'button danger' : 'button primary'} autofocus>
          {button}
        </button>
      </div>
    </Dialog>
  );
}
