import { useId, useState } from 'preact/hooks';
import { Dialog } from '../ui/dialog.js';

type Tags = Readonly<Record<string, string>>;

/** Edits the tags as lines of `name=value`. `onSet` resolves to the reason of a refusal, or to undefined. */
export function TagsDialog({
  title = 'Tags',
  tags,
  onClose,
  onSet,
}: {
  readonly title?: string;
  readonly tags: Tags;
  readonly onClose: () => void;
  readonly onSet: (changes: Tags) => Promise<string | undefined>;
}) {
  const id = useId();
  const [text, setText] = useState(() => linesOf(tags));
  const [fault, setFault] = useState<string | undefined>();
  const [isBusy, setBusy] = useState(false);

  const submit = async (): Promise<void> => {
    const parsed = parse(text);
    if (typeof parsed === 'string') {
      setFault(parsed);
      return;
    }
    if (isBusy) return;
    const removed = Object.keys(tags).filter((name) => !Object.hasOwn(parsed, name));
    const changes = { ...Object.fromEntries(removed.map((name) => [name, ''])), ...parsed };
    if (Object.keys(changes).length === 0) {
      setFault('There is no tag to set.');
      return;
    }
    setBusy(true);
    const refusal = await onSet(changes);
    if (refusal === undefined) return;
    setBusy(false);
    setFault(`Refused: ${refusal}.`);
  };

  return (
    <Dialog title={title} onClose={onClose} onSubmit={() => void submit()}>
      <p>The open segment ends. Every segment from then on has these tags, also after a restart.</p>
      <div class="field">
        <label for={`${id}-tags`}>Tags, one name=value per line</label>
        <textarea
          id={`${id}-tags`}
          name="tags"
          rows={6}
          autofocus
          autocomplete="off"
          spellcheck={false}
          placeholder={'mission=m3\noperator=ada'}
          value={text}
          aria-describedby={`${id}-fault`}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </div>
      <p id={`${id}-fault`} class="fault" role="alert">
        {fault}
      </p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="button primary" aria-busy={isBusy}>
          Set tags
        </button>
      </div>
    </Dialog>
  );
}

function linesOf(tags: Tags): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

/** The tags, or what is wrong with them. */
function parse(text: string): Tags | string {
  const tags: Record<string, string> = {};
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') continue;
    const at = line.indexOf('=');
    const [name, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (at < 1 || value === '') return `“${line}” is not name=value.`;
    tags[name] = value;
  }
  return tags;
}
