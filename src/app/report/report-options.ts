import { parseTime, TIME_FORM } from '../cli/parse-time.js';
import type { ConfigFault } from '../parameters/fault.js';
import type { MessageFilter } from '../reading/message-filter.js';

/** A field somebody wants to see: of topics (`*` stands for any text), by its dotted name. */
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
  /** What was chosen, one phrase each. */
  readonly chosen: readonly string[];
}

const TITLE_MAX = 200;
const PLOTS_MAX = 100;
const PLOT_FORM = "topic.field, such as '/robot1/odom.pose.pose.position.x' or '*/imu.orientation.w'";

/** The command line's options as the report takes them; every fault is added to `faults`. */
export function parseReportOptions(
  given: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): ReportOptions | undefined {
  const fault = (option: string, value: unknown, allowed: string): undefined => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
    return undefined;
  };
  const names = (option: string): readonly string[] | undefined =>
    given[option] as readonly string[] | undefined;
  const time = (name: string, option: string): bigint | undefined => {
    const text = given[name] as string | undefined;
    return text === undefined ? undefined : (parseTime(text) ?? fault(option, text, TIME_FORM));
  };
  const [topics, robots] = [names('topics'), names('robots')];
  const [from, to] = [time('fromTime', 'from-time'), time('toTime', 'to-time')];
  if (from !== undefined && to !== undefined && from > to) {
    fault('to-time', given['toTime'], 'a time that is not before --from-time');
  }
  const output = String(given['output'] ?? '');
  if (output === '') fault('output', output, 'a file to be made');
  const title = given['title'] as string | undefined;
  if (title !== undefined && title.length > TITLE_MAX) fault('title', title, `up to ${TITLE_MAX} characters`);
  const wishes = names('plot') ?? [];
  if (wishes.length > PLOTS_MAX) fault('plot', `${wishes.length} fields`, `up to ${PLOTS_MAX}`);
  const plots = wishes.flatMap((text) => parsePlot(text) ?? fault('plot', text, PLOT_FORM) ?? []);
  if (faults.length > 0) return undefined;
  return {
    output,
    title,
    filter: {
      ...(topics && { topics }),
      ...(robots && { robots }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    },
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

/** Topics of ROS have no dots, field names always do: the first one divides. */
function parsePlot(text: string): PlotWish | undefined {
  const at = text.indexOf('.');
  return at > 0 && at < text.length - 1 ? { topic: text.slice(0, at), field: text.slice(at + 1) } : undefined;
}
