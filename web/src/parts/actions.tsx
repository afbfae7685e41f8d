import type { VNode } from 'preact';
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
import { TagsDialog } from './tags-dialog.js';

type DialogName = 'stop' | 'mark' | 'export' | 'tags';

/** A button of the row; `why` is the reason why it cannot be used. */
type MakeButton = (
  name: string,
  icon: IconName,
  why: string | undefined,
  onClick: () => void,
  kind?: string,
  label?: string,
) => VNode;

/** Runs an action and shows its result. `name` is the label of its button. */
type Act = (name: string, action: string, done: string) => Promise<boolean>;

/** The operator's actions and their results. */
export function Actions() {
  const [open, setOpen] = useState<DialogName | undefined>();
  const [busy, setBusy] = useState<string | undefined>();
  const now = useStore(status);
  const link = useStore(connection);
  const allowed = useStore(access);
  const phase = now?.phase ?? '';
  const isActive = phase === 'active';
  const isPaused = now?.recorder.state === 'paused';

  const closed = whyClosed(link.state, allowed.role);
  const whenActive = closed ?? (isActive ? undefined : 'the recorder does not record');

  const act: Act = async (name, action, done) => {
    setBusy(name);
    const outcome = await control(action);
    setBusy(undefined);
    if (outcome.ok) tell('ok', done);
    else tell('bad', `${name}: ${outcome.why}`);
    return outcome.ok;
  };

  const stop = (): void =>
    void act('Stop', 'stop', 'Recording was stopped; all received messages are committed and sealed.');

  const button: MakeButton = (name, icon, why, onClick, kind = '', label = name) => (
    <ActionButton {...{ name, icon, why, onClick, kind, label }} isBusy={busy === name} />
  );

  return (
    <div class="actions" role="group" aria-label="Actions">
      <RecordingButtons
        {...{ phase, isPaused, closed, whenActive, button, act }}
        stop={() => setOpen('stop')}
      />
      {button('Mark event', 'flag', whenActive, () => setOpen('mark'), '', 'Mark event…')}
      {button('Tags', 'tag', closed ?? whyNoTags(phase), () => setOpen('tags'), '', 'Tags…')}
      {button(
        'Sync now',
        'up',
        closed ?? (now?.sync === null ? 'the sync process is not running' : undefined),
        () => void act('Sync now', 'sync_now', 'Sync checks for segments and uploads them now.'),
      )}
      {button(
        'Export',
        'export',
        closed ??
          (allowed.exports.length > 0 ? undefined : 'this recorder does not export; use the command line'),
        () => setOpen('export'),
        '',
        'Export…',
      )}
      <Outcome />
      <ActionDialog open={open} close={() => setOpen(undefined)} onStop={stop} />
    </div>
  );
}

/** Tags need a data folder. */
function whyNoTags(phase: string): string | undefined {
  return phase === 'active' || phase === 'inactive' ? undefined : 'the recorder has no data folder yet';
}

/** Why no action is possible at present. */
function whyClosed(link: string, role: string | undefined): string | undefined {
  if (link !== 'live') return 'the recorder does not answer';
  return role === 'viewer' ? 'this token is read-only' : undefined;
}

/** Start or stop, pause or resume, and split. */
function RecordingButtons({
  phase,
  isPaused,
  closed,
  whenActive,
  button,
  act,
  stop,
}: {
  readonly phase: string;
  readonly isPaused: boolean;
  readonly closed: string | undefined;
  readonly whenActive: string | undefined;
  readonly button: MakeButton;
  readonly act: Act;
  readonly stop: () => void;
}) {
  return (
    <>
      {phase === 'active' || phase === 'deactivating'
        ? button('Stop', 'stop', whenActive, stop, 'danger', 'Stop…')
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
            () => void act('Resume', 'resume', 'Recording continues.'),
            'primary',
          )
        : button(
            'Pause',
            'pause',
            whenActive,
            () => void act('Pause', 'pause', 'Recording is paused; arriving messages are counted as a gap.'),
          )}
      {button(
        'Split',
        'split',
        whenActive,
        () => void act('Split', 'split', 'The open segment was closed and a new one started.'),
      )}
    </>
  );
}

/** The dialog that is open. */
function ActionDialog({
  open,
  close,
  onStop,
}: {
  readonly open: DialogName | undefined;
  readonly close: () => void;
  readonly onStop: () => void;
}) {
  switch (open) {
    case 'stop':
      return (
        <StopDialog
          onClose={close}
          onStop={() => {
            close();
            onStop();
          }}
        />
      );
    case 'mark':
      return (
        <MarkDialog
          onClose={close}
          onMark={async (request) => {
            const outcome = await control('mark_event', request);
            if (!outcome.ok) return outcome.why;
            const { event } = outcome.result as { event: MarkedEvent };
            const window = duration(msOf(event.to) - msOf(event.from));
            tell('ok', `Marked “${event.label}” at ${timeOfDay(msOf(event.at))}, a window of ${window}.`);
            close();
            return undefined;
          }}
        />
      );
    case 'tags':
      return (
        <TagsDialog
          tags={status.get()?.recorder.tags ?? {}}
          onClose={close}
          onSet={async (tags) => {
            const outcome = await control('set_tags', { tags });
            if (!outcome.ok) return outcome.why;
            tell('ok', 'The tags are set for every segment from now on.');
            close();
            return undefined;
          }}
        />
      );
    case 'export':
      return (
        <ExportDialog
          onClose={close}
          onExport={async (request) => {
            const outcome = await control('export', request);
            if (!outcome.ok) return outcome.why;
            tell('ok', 'The export has started.');
            close();
            return undefined;
          }}
        />
      );
    case undefined:
      return null;
  }
}

/** A disabled button stays reachable by keyboard and shows the reason. */
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
