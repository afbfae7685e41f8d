import { Icon, type IconName } from '../ui/icon.js';
import type { Tone } from './judge.js';

export const toneIcons: Readonly<Record<Tone, IconName>> = {
  ok: 'check',
  info: 'dot',
  warn: 'warning',
  bad: 'cross',
  quiet: 'ring',
};

/** A question and its answer in a word and a tone. */
export function AnswerCard(props: {
  readonly name: string;
  readonly question: string;
  readonly tone: Tone;
  readonly headline: string;
  readonly line: string;
}) {
  const { name, question, tone, headline, line } = props;
  return (
    <div class={`answer answer-${tone}`} data-answer={name}>
      <h2>{question}</h2>
      <p class="answer-headline">
        <Icon name={toneIcons[tone]} />
        <span>{headline}</span>
      </p>
      <p class="answer-line">{line}</p>
    </div>
  );
}
