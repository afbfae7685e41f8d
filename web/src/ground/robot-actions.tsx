import { useState } from 'preact/hooks';
import { role } from './model.js';
import { ParameterDialog } from './parameter-dialog.js';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { MarkDialog } from '../parts/mark-dialog.js';
import { TagsDialog } from '../parts/tags-dialog.js';
import { Dialog } from '../ui/dialog.js';
import { Icon, type IconName } from '../ui/icon.js';

interface Action {
  readonly name: 'split' | 'sync_now' | 'pause' | 'resume';
  readonly title: string;
  readonly icon: IconName;
  readonly question: string;
  readonly consequence: string;
}

const split: Action = {
  ...{ name: 'split', title: 'Split', icon: 'split', question: 'Begin the next segment?' },
  consequence: 'The recorder of this robot ends the open segment and seals it.',
};
const syncNow: Action = {
  ...{ name: 'sync_now', title: 'Sync now', icon: 'up', question: 'Sync now?' },
  consequence: 'Sync of this robot looks and sends at once instead of waiting for its next turn.',
};
const pause: Action = {
  ...{ name: 'pause', title: 'Pause', icon: 'pause', question: 'Pause recording?' },
  consequence:
    'The recorder refuses messages until somebody resumes it, of all robots that it records. They are counted as gaps.',
};
const resume: Action = {
  ...{ name: 'resume', title: 'Resume', icon: 'play', question: 'Resume recording?' },
  consequence: 'The recorder takes messages again.',
};

interface Result {
  readonly tone: 'ok' | 'bad' | 'info';
  readonly text: string;
}

const NO_OPERATOR = 'This token may look, but not control.';
const NOT_CONNECTED = 'It takes commands once it is connected.';

type Asked = Action | 'mark' | 'parameter' | 'tags';

type Tags = Readonly<Record<string, string>>;

/** The commands to a robot, each confirmed and each with its outcome in words. */
export function RobotActions({
  robot,
  isConnected,
  isPaused,
  tags,
}: {
  readonly robot: string;
  readonly isConnected: boolean;
  readonly isPaused: boolean;
  /** Null: not known, so that no form can begin with them. */
  readonly tags: Tags | null;
}) {
  const isViewer = useStore(role) === 'viewer';
  const mayAct = !isViewer && isConnected;
  const [asked, setAsked] = useState<Asked | undefined>();
  const [result, setResult] = useState<Result | undefined>();
  const give = async (name: string, title: string, body?: unknown): Promise<string | undefined> => {
    setResult({ tone: 'info', text: `${title}: waiting for ${robot}…` });
    const outcome = await post(`api/robots/${encodeURIComponent(robot)}/control/${name}`, body ?? {});
    if (!outcome.ok) {
      setResult({ tone: 'bad', text: `${title}: ${outcome.why}.` });
      return outcome.why;
    }
    const { entry } = outcome.result as { entry: { message: string } };
    setResult({ tone: 'ok', text: `${title}: ${entry.message}.` });
    return undefined;
  };
  const press = (action: Asked) => () => (mayAct ? setAsked(action) : undefined);
  const reason = isViewer ? 'Only an operator may do this' : 'The robot is not connected';
  const why = mayAct ? {} : { 'aria-disabled': true, title: reason };
  return (
    <div class="actions robot-actions">
      <button type="button" class="button primary" data-action="mark_event" {...why} onClick={press('mark')}>
        <Icon name="flag" />
        Mark event
      </button>
      {[split, syncNow, isPaused ? resume : pause].map((action) => (
        <ActionButton key={action.name} {...{ action, why }} onPress={press(action)} />
      ))}
      <button type="button" class="button" data-action="set_parameter" {...why} onClick={press('parameter')}>
        <Icon name="sliders" />
        Parameters
      </button>
      <button
        type="button"
        class="button"
        data-action="set_tags"
        {...(mayAct && tags === null
          ? { 'aria-disabled': true, title: 'The robot has not told its tags' }
          : why)}
        onClick={tags === null ? undefined : press('tags')}
      >
        <Icon name="tag" />
        Tags
      </button>
      <p class={`outcome outcome-${result?.tone ?? 'info'}`} role="status">
        {result?.text ?? (isViewer ? NO_OPERATOR : isConnected ? '' : NOT_CONNECTED)}
      </p>
      <ActionDialog {...{ robot, asked, give }} tags={tags ?? {}} onClose={() => setAsked(undefined)} />
    </div>
  );
}

function ActionButton(props: {
  readonly action: Action;
  /** Attributes of a button that may not be pressed. */
  readonly why: object;
  readonly onPress: () => void;
}) {
  const { action, why, onPress } = props;
  return (
    <button type="button" class="button" data-action={action.name} {...why} onClick={onPress}>
      <Icon name={action.icon} />
      {action.title}
    </button>
  );
}

function ActionDialog(props: {
  readonly robot: string;
  readonly asked: Asked | undefined;
  readonly tags: Tags;
  readonly give: (name: string, title: string, body?: unknown) => Promise<string | undefined>;
  readonly onClose: () => void;
}) {
  const { robot, asked, tags, give, onClose } = props;
  /** The dialog stays open to show a refusal. */
  const giveOrStay = async (name: string, title: string, body: unknown): Promise<string | undefined> => {
    const refusal = await give(name, title, body);
    if (refusal === undefined) onClose();
    return refusal;
  };
  if (asked === undefined) return null;
  if (asked === 'mark')
    return (
      <MarkDialog onClose={onClose} onMark={(request) => giveOrStay('mark_event', 'Mark event', request)} />
    );
  if (asked === 'tags')
    return (
      <TagsDialog
        {...{ tags, onClose }}
        title={`${robot}: Tags`}
        onSet={(changes) => giveOrStay('set_tags', 'Tags', { tags: changes })}
      />
    );
  if (asked === 'parameter')
    return (
      <ParameterDialog
        {...{ robot, onClose }}
        onSet={(body) => giveOrStay('set_parameter', 'Set parameter', body)}
      />
    );
  return (
    <Confirm
      {...{ robot, onClose }}
      action={asked}
      onConfirm={() => {
        onClose();
        void give(asked.name, asked.title);
      }}
    />
  );
}

function Confirm(props: {
  readonly robot: string;
  readonly action: Action;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
}) {
  const { robot, action, onClose, onConfirm } = props;
  return (
    <Dialog title={`${robot}: ${action.question}`} onClose={onClose} onSubmit={onConfirm}>
      <p>{action.consequence}</p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary" autofocus>
          {action.title}
        </button>
      </div>
    </Dialog>
  );
}
