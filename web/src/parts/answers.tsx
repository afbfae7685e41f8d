import { access, connection, secondTick, status, syncSeenAtMs } from '../model/live.js';
import { linkAnswer, recordingAnswer, riskAnswer, type Answer, type Tone } from '../model/answers.js';
import { view } from '../model/settings.js';
import { useStore } from '../model/store.js';
import { Icon, type IconName } from '../ui/icon.js';
import { Actions } from './actions.js';

const icons: Readonly<Record<Tone, IconName>> = {
  ok: 'check',
  info: 'dot',
  warn: 'warning',
  bad: 'cross',
  quiet: 'ring',
};

/** The three questions of an operator, answered in words, and the possible actions. */
export function Answers() {
  const now = useStore(status);
  const link = useStore(connection);
  const { robot } = useStore(view);
  const seen = useStore(syncSeenAtMs);
  useStore(access);
  useStore(secondTick);
  const limit = now?.alerts.find(({ id }) => id === 'loss_window')?.limit;
  const answers = [
    ['recording', 'Is it recording?', recordingAnswer(now, link, robot)],
    ['risk', 'What would a power cut lose now?', riskAnswer(now, limit)],
    ['link', 'How is the link?', linkAnswer(now, seen)],
  ] as const;
  return (
    <section class="answers" aria-label="At a glance">
      {answers.map(([name, question, answer]) => (
        <AnswerCard
          key={name}
          name={name}
          question={question}
          answer={answer}
          isStale={link.state === 'lost' && name !== 'recording'}
        />
      ))}
      <Actions />
      <Announcer text={`${answers[0][2].headline}. ${steady(answers[2][2].headline)}`} />
    </section>
  );
}

function AnswerCard(props: {
  readonly name: string;
  readonly question: string;
  readonly answer: Answer;
  readonly isStale: boolean;
}) {
  const { name, question, answer, isStale } = props;
  const tone = isStale ? 'quiet' : answer.tone;
  return (
    <div class={`answer answer-${tone}`} data-answer={name}>
      <h2>{question}</h2>
      <p class="answer-headline">
        <Icon name={name === 'recording' && answer.headline === 'Paused' ? 'pause' : icons[tone]} />
        <span>{answer.headline}</span>
      </p>
      {answer.lines.map((line) => (
        <p key={line.replace(/\d.*/, '')} class="answer-line">
          {line}
        </p>
      ))}
    </div>
  );
}

/** Announces changes of state to a screen reader. It leaves out running numbers, which would never end. */
function Announcer({ text }: { readonly text: string }) {
  return (
    <p class="unseen" aria-live="polite" data-announcer>
      {text}
    </p>
  );
}

function steady(headline: string): string {
  return headline.replace(/ (for )?\d.*$/, '');
}
