import { TIME_FORM } from '../../core/parse-time.js';
import type { ConfigFault } from '../../settings/fault.js';
import { parseMessageFilter, type MessageFilter } from '../../recordings/message-filter.js';

/** A requested field: of topics (`*` stands for any text), by its dotted name. */
export interface PlotWish {
  readonly topic: string;
  readonly field: string;
}

export interface ReportOptions {
  readonly output: string;
  readonly title: string | undefined;
  readonly filter: MessageFilter;
  readonly plots: readonly PlotWish[];
  readonly robotName: string | undefined;
  /** The selection, one phrase each. */
  readonly chosen: readonly string[];
}

const TITLE_MAX = 200;
const PLOTS_MAX = 100;
const PLOT_FORM = "topic.field, such as '/robot1/odom.pose.pose.position.x' or '*/imu.orientation.w'";

/** Parses the command line's options; adds every fault to `faults`. */
export function parseReportOptions(
  given: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): ReportOptions | undefined {
  const fault = (option: string, value: unknown, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
  };
  const names = (option: string): readonly string[] | undefined =>
    given[option] as readonly string[] | undefined;
  const { fromTime, toTime } = given;
  const filter = parseMessageFilter(
    { topics: given['topics'], types: undefined, robots: given['robots'], from: fromTime, to: toTime },
    (which, text) => fault(`${which}-time`, text, TIME_FORM),
  );
  const { topics, robots, from, to } = filter;
  if (from !== undefined && to !== undefined && from > to) {
    fault('to-time', given['toTime'], 'a time that is not before --from-time');
  }
  const output = (given['output'] as string | undefined) ?? '';
  if (output === '') fault('output', output, 'a file to be made');
  const title = given['title'] as string | undefined;
  if (title !== undefined && title.length > TITLE_MAX) fault('title', title, `up to ${TITLE_MAX} characters`);
  const wishes = names('plot') ?? [];
  if (wishes.length > PLOTS_MAX) fault('plot', `${wishes.length} fields`, `up to ${PLOTS_MAX}`);
  const plots = wishes.flatMap((text) => {
    const plot = parsePlot(text);
    if (plot === undefined) fault('plot', text, PLOT_FORM);
    return plot ?? [];
  });
  if (faults.length > 0) return undefined;
  return {
    output,
    title,
    filter,
    plots,
    robotName: given['robotName'] as string | undefined,
    chosen: [
      ...(robots === undefined ? [] : [`robots ${robots.join(', ')}`]),
      ...(topics === undefined ? [] : [`topics ${topics.join(', ')}`]),
      ...(from === undefined ? [] : [`from ${String(given['fromTime'])}`]),
      ...(to === undefined ? [] : [`to ${String(given['toTime'])}`]),
    ],
  };
}

/** ROS topics have no dots, and field names always do: the first dot separates them. */
function parsePlot(text: string): PlotWish | undefined {
  const at = text.indexOf('.');
  return at > 0 && at < text.length - 1 ? { topic: text.slice(0, at), field: text.slice(at + 1) } : undefined;
}
