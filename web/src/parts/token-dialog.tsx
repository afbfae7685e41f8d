import { useId, useState } from 'preact/hooks';
import { connect, serverName } from '../net/feed.js';
import { storeToken } from '../net/token.js';

/** Replaces the page while the server refuses it. */
export function TokenGate({ reason }: { readonly reason: string }) {
  const id = useId();
  const [token, setToken] = useState('');
  return (
    <section class="gate" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Token needed</h2>
      <p role="alert">{reason}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() === '') return;
          storeToken(token.trim());
          setToken('');
          void connect();
        }}
      >
        <div class="field">
          <label for={`${id}-token`}>Token of this {serverName()}</label>
          <input
            id={`${id}-token`}
            name="token"
            type="password"
            autocomplete="off"
            spellcheck={false}
            autofocus
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
          <p class="hint">The page keeps it for this tab only, and never in an address.</p>
        </div>
        <button type="submit" class="button primary">
          Open
        </button>
      </form>
    </section>
  );
}
