import { useState } from 'preact/hooks';
import { access, connection, notice, status, tell } from '../model/live.js';
import { duration, msOf, timeOfDay } from '../model/format.js';
import { useStore } from '../model/store.js';
import { control } from '../net/control.js';
import { Icon, type IconName } from '../ui/icon.js';
import type { MarkedEvent } from '../wire.js';
import { ExportDialog } from './export-dialog.js';
import { MarkDialog } from './mark-dialog.js';
import { StopDialog } from './stop-dialog.js';

type DialogName = 'stop' | 'mark' | 'export';

/** What an operator can do, and what came of it. */
export function Actions() {
  const [open, setOpen] = useState<DialogName | undefined>();
  const [busy, setBusy] = useState<string | undefined>();
  const now = useStore(status);
  const link = useStore(connection);
  const allowed = useStore(access);
  const phase = now?.phase ?? '';
  const isActive = phase === 'active';
  const isPaused = now?.recorder.state === 'paused';

  /** Why nothing can be done at present. */
  const closed =
    link.state !== 'live'
      ? 'the recorder is not heard'
      : allowed.role === 'viewer'
        ? 'this token may look, not steer'
        : undefined;
  const whenActive = closed ?? (isActive ? undefined : 'the recorder does not record');

  const act = async (name: string, action: string, done: string, body?: unknown): Promise<boolean> => {
    setBusy(name);
    const outcome = await control(action, body);
    setBusy(undefined);
    if (outcome.ok) tell('ok', done);
    else tell('bad', `${name}: ${outcome.why}`);
    return outcome.ok;
  };

  const button = (
    name: string,
    icon: IconName,
    why: string | undefined,
    onClick: () => void,
    kind = '',
    label = name,
  ) => <ActionButton {...{ name, icon, why, onClick, kind, label }} isBusy={busy === name} />;

  return (
    <div class="actions" role="group" aria-label="Actions">
      {isActive || phase === 'deactivating'
        ? button('Stop', 'stop', whenActive, () => setOpen('stop'), 'danger', 'Stop…')
        : button(
            'Start',
            'play',
            closed ?? (phase === 'inactive' ? undefined : `the recorder is ${phase || 'not known'}`),
            () => void act('Start', 'start', 'Recording was started.'),
            'primary',
          )}
      {isPaused
        ? button(
            'Resume',
            'play',
            whenActive,
            () => void act('Resume', 'resume', 'Recording goes on.'),
            'primary',
          )
        : button(
            'Pause',
            'pause',
            whenActive,
            () => void act('Pause', 'pause', 'Recording is paused; what arrives is counted as a gap.'),
          )}
      {button(
        'Split',
        'split',
        whenActive,
        () => void act('Split', 'split', 'The open segment was ended, the next one has begun.'),
      )}
      {button('Mark event', 'flag', whenActive, () => setOpen('mark'), '', 'Mark event…')}
      {button(
        'Sync now',
        'up',
        closed ?? (now?.sync === null ? 'the sync process is not running' : undefined),
        () => void act('Sync now', 'sync_now', 'Sync looks and sends now.'),
      )}
      {button(
        'Export',
        'export',
        closed ?? (allowed.exports ? undefined : 'this recorder does not export; the command line does'),
        () => setOpen('export'),
        '',
        'Export…',
      )}
      <Outcome />
      {open === 'stop' ? (
        <StopDialog
          onClose={() => setOpen(undefined)}
          onStop={() => {
            setOpen(undefined);
            void act('Stop', 'stop', 'Recording was stopped; everything taken in is committed and sealed.');
          }}
        />
      ) : null}
      {open === 'mark' ? (
        <MarkDialog
          onClose={() => setOpen(undefined)}
          onMark={async (request) => {
            const outcome = await control('mark_event', request);
            if (!outcome.ok) return outcome.why;
            const { event } = outcome.result as { event: MarkedEvent };
            const window = duration(msOf(event.to) - msOf(event.from));
            tell('ok', `Marked “${event.label}” at ${timeOfDay(msOf(event.at))}, a window of ${window}.`);
            setOpen(undefined);
            return undefined;
          }}
        />
      ) : null}
      {open === 'export' ? (
        <ExportDialog
          onClose={() => setOpen(undefined)}
          onExport={async (request) => {
            const outcome = await control('export', request);
            if (!outcome.ok) return outcome.why;
            tell('ok', 'The export is under way.');
            setOpen(undefined);
            return undefined;
          }}
        />
      ) : null}
    </div>
  );
}

/** A button that cannot be used stays in reach of the keyboard and says why. */
function ActionButton({
  name,
  label,
  icon,
  why,
  kind,
  isBusy,
  onClick,
}: {
  readonly name: string;
  readonly label: string;
  readonly icon: IconName;
  readonly why: string | undefined;
  readonly kind: string;
  readonly isBusy: boolean;
  readonly onClick: () => void;
}) {
  const isOff = why !== undefined || isBusy;
  return (
    <button
      type="button"
      class={`button ${kind}`}
      data-action={name}
      aria-disabled={isOff}
      aria-busy={isBusy}
      title={why === undefined ? undefined : `Not now: ${why}`}
      onClick={() => {
        if (why !== undefined) tell('info', `${name} is not possible now: ${why}.`);
        else if (!isBusy) onClick();
      }}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

function Outcome() {
  const last = useStore(notice);
  return (
    <p class={`outcome outcome-${last?.tone ?? 'none'}`} role="status">
      {last === undefined ? null : (
        <>
          <Icon name={last.tone === 'ok' ? 'check' : last.tone === 'bad' ? 'cross' : 'dot'} />
          <span>
            {last.text} <time class="outcome-time">{timeOfDay(last.atMs)}</time>
          </span>
        </>
      )}
    </p>
  );
}
