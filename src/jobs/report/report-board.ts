import type { MarkedEvent } from '../../core/marked-event.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { McapReader } from '../../core/mcap/open-mcap.js';
import { channelKey } from '../../core/message.js';
import { present } from '../../core/present.js';
import type { Plot, Series, TopicFacts } from '../../exporters/report/report-data.js';
import { robotOf } from '../export/export-groups.js';
import { DefinitionFit } from '../../recordings/definition-fit.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import { matches } from '../../recordings/message-filter.js';
import type { Segment } from '../../recordings/segments.js';
import { ChannelCollector, type Boards } from './channel-collector.js';
import { DiagnosticsCollector } from './diagnostics-collector.js';
import type { ProblemList } from './problem-list.js';
import type { PlotWish, ReportOptions } from './report-options.js';
import type { FileIdentity } from './session-facts.js';
import type { TimeSpan } from './time-span.js';
import { TopicCollector } from './topic-collector.js';
import { TrackBoard } from './track-board.js';

/** Maximum number of topics in a report; further ones are left out and counted as a problem. */
const TOPICS_MAX = 5_000;
/** Maximum number of charts; requested ones first, then in the order of topics. */
const PLOTS_MAX = 300;

/** Collectors by channel, and facts of the files found while reading. */
export class ReportBoard {
  readonly boards: Boards;
  readonly events: MarkedEvent[] = [];
  readonly identities: FileIdentity[] = [];
  readonly #known = new WeakMap<McapChannel, ChannelCollector | null>();
  readonly #collectors = new Map<string, ChannelCollector>();
  readonly #topics = new Map<string, TopicCollector>();

  constructor(
    readonly options: ReportOptions,
    readonly problems: ProblemList,
    readonly robots: readonly string[],
    readonly span: TimeSpan,
  ) {
    this.boards = {
      span,
      tracks: new TrackBoard(robots),
      diagnostics: new DiagnosticsCollector(),
      decoder: new MessageDecoder(),
      fit: new DefinitionFit(),
      wishes: (topic) => options.plots.filter((one) => matches([one.topic], topic)).map(({ field }) => field),
    };
  }

  async open(reader: McapReader, segment: Segment): Promise<void> {
    for (const { metadata } of await reader.metadata('holdfast_event')) {
      const { id, label, at, from, to } = metadata;
      if (
        id === undefined ||
        label === undefined ||
        ![at, from, to].every((time) => /^\d{1,19}$/.test(time ?? ''))
      )
        continue;
      this.events.push({ id, label, at: present(at), from: present(from), to: present(to) });
    }
    const [identity] = await reader.metadata('holdfast');
    this.identities.push({
      segment,
      library: reader.library,
      metadata: identity?.metadata ?? {},
      firstLogTime: reader.firstLogTime,
      lastLogTime: reader.lastLogTime,
    });
  }

  /** Undefined if there are too many topics. */
  collector(channel: McapChannel, said: string | undefined): ChannelCollector | undefined {
    let found = this.#known.get(channel);
    if (found === undefined) this.#known.set(channel, (found = this.#open(channel, said) ?? null));
    return found ?? undefined;
  }

  /** Every segment has its own objects for the same channels. */
  #open(channel: McapChannel, said: string | undefined): ChannelCollector | undefined {
    const robot = robotOf(said, channel.topic, nameOption(this.options.robotName));
    const key = channelKey({ ...channel, robot, latched: false });
    const known = this.#collectors.get(key);
    if (known !== undefined) return known;
    const topic = this.#topicOf(channel, robot);
    if (topic === undefined) return undefined;
    const collector = new ChannelCollector(channel, topic, this.boards);
    this.#collectors.set(key, collector);
    return collector;
  }

  #topicOf(channel: McapChannel, robot: string): TopicCollector | undefined {
    const key = JSON.stringify([robot, channel.topic]);
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      if (this.#topics.size >= TOPICS_MAX) {
        this.problems.add({ where: 'report', reason: `only the first ${TOPICS_MAX} topics are reported` });
        return undefined;
      }
      const robotIndex = Math.max(0, this.robots.indexOf(robot));
      this.#topics.set(key, (topic = new TopicCollector(robot, robotIndex, channel, this.span)));
    }
    return topic;
  }

  /** A channel of the recording, even without messages. */
  announce(channel: McapChannel, said: string | undefined): void {
    this.#topicOf(channel, robotOf(said, channel.topic, nameOption(this.options.robotName)));
  }

  topics(): TopicFacts[] {
    for (const collector of this.#collectors.values()) collector.flush();
    return [...this.#topics.values()]
      .map((topic) => topic.facts())
      .sort((a, b) => compareText(a.robot, b.robot) || compareText(a.topic, b.topic));
  }

  /** Whether some topic has a requested field. */
  fulfilled({ topic, field }: PlotWish): boolean {
    return [...this.#collectors.values()].some(
      (one) => matches([topic], one.channel.topic) && one.fulfilled(field),
    );
  }

  plots(): { readonly plots: Plot[]; readonly battery: Plot[]; readonly omitted: number } {
    const collectors = [...this.#collectors.values()].sort(
      (a, b) => compareText(a.topic.robot, b.topic.robot) || compareText(a.channel.topic, b.channel.topic),
    );
    const isDrawn = ({ series }: Plot): boolean => series.some(({ count }) => count > 0);
    const battery = uniteVersions(collectors.filter((one) => one.isBattery).flatMap((one) => one.plots()));
    const all = uniteVersions(
      collectors.filter((one) => !one.isBattery).flatMap((one) => one.plots()),
    ).filter(isDrawn);
    // Requested fields come first.
    const ordered = [...all.filter(({ chosen }) => chosen), ...all.filter(({ chosen }) => !chosen)];
    return {
      plots: ordered.slice(0, PLOTS_MAX),
      battery: battery.filter(isDrawn).slice(0, PLOTS_MAX),
      omitted: Math.max(0, ordered.length - PLOTS_MAX),
    };
  }
}

export function nameOption(robotName: string | undefined): { readonly robotName?: string } {
  return robotName === undefined ? {} : { robotName };
}

/** Versions of a type have the same charts: they are drawn as one. */
function uniteVersions(plots: readonly Plot[]): Plot[] {
  const united = new Map<string, Plot>();
  for (const plot of plots) {
    const key = JSON.stringify([plot.robot, plot.topic, plot.title, plot.chosen]);
    const known = united.get(key);
    if (known === undefined) {
      united.set(key, plot);
      continue;
    }
    const series = new Map(known.series.map((one) => [one.label, one]));
    for (const one of plot.series) {
      const before = series.get(one.label);
      series.set(one.label, before === undefined ? one : unite(before, one));
    }
    united.set(key, { ...known, series: [...series.values()] });
  }
  return [...united.values()];
}

function unite(a: Series, b: Series): Series {
  return {
    ...a,
    min: a.min.map((value, i) => (b.min[i]! <= value || Number.isNaN(value) ? b.min[i]! : value)),
    max: a.max.map((value, i) => (b.max[i]! >= value || Number.isNaN(value) ? b.max[i]! : value)),
    count: a.count + b.count,
    notFinite: a.notFinite + b.notFinite,
  };
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
